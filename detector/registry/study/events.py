"""Recorded events of a window, from files or from a topic: read as often as needed, bad lines counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from detector.errors import SetupError
from detector.offline.sources import STDIN, lines_of, size_of
from detector.schema.event import MAX_EVENT_BYTES, Event, is_in_utc
from detector.views.reading import TopicReader

Progress = Callable[[int], None]
_decode = msgspec.json.Decoder(Event).decode
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_STEP: Final = 512


@dataclass(frozen=True, slots=True)
class Window:
    """Event times that count (epoch seconds), the first included, the last not."""

    since: float = float("-inf")
    until: float = float("inf")


@dataclass(slots=True)
class EventSource:
    """Where events come from; each reading begins at the start again.

    Parameters
    ----------
    paths : sequence of Path
        Files of one event a line, plain or gzip, or ``-`` (read once).
    topic : tuple or None
        Settings of a confluent-kafka client and the topic's name, in place of files.
    window : Window
        Which events count.
    barred : mapping
        (tenant, agent) -> sessions that count for nothing: somebody was told that they are odd.
    left_out : Counter
        Lines of the last reading that were not counted, by reason.
    """

    paths: Sequence[Path] = ()
    topic: tuple[Mapping[str, Any], str] | None = None
    window: Window = Window()
    barred: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if bool(self.paths) == (self.topic is not None):
            raise SetupError("events of the command must be files, or --from-topic, got both or none")

    @property
    def is_repeatable(self) -> bool:
        """Whether the events can be read a second time."""
        return STDIN not in self.paths

    @property
    def size(self) -> int | None:
        """Bytes of one reading; None if that is not known."""
        return size_of(self.paths) if self.paths else None

    def read(self, progress: Progress | None = None) -> Iterator[Event]:
        """Yield the events of the window in the order they stand.

        Raises
        ------
        SetupError
            A file or the topic cannot be read.
        """
        self.left_out.clear()
        for line in self._lines(progress):
            try:
                event = _decode(line) if len(line) <= MAX_EVENT_BYTES else None
            except _UNREADABLE:
                event = None
            if event is None or not is_in_utc(event.ts):
                self.left_out["no event of version 1"] += 1
            elif not self.window.since <= event.ts.timestamp() < self.window.until:
                self.left_out["outside the window"] += 1
            elif self.barred and (event.session_id or "") in self.barred.get(_whose(event), ()):
                self.left_out["of a session with a finding"] += 1
            else:
                yield event

    def _lines(self, progress: Progress | None) -> Iterator[bytes]:
        if self.topic is None:
            for path in self.paths:
                yield from lines_of(path, progress)
            return
        kafka, name = self.topic
        with TopicReader(kafka, name) as reader:
            # a record is written after its events happened, and the window is of event time: only its begin helps
            for record in reader.to_the_end(max(0.0, self.window.since)):
                for line in record.value.splitlines():
                    if line.strip():
                        yield line


def _whose(event: Event) -> tuple[str, str]:
    return event.tenant or "default", event.agent_id


@contextmanager
def watched(source: EventSource, what: str, *, is_shown: bool) -> Iterator[Progress]:
    """Show a progress bar over the bytes of one reading, on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not is_shown) as bar:
        task = bar.add_task(what, total=source.size)
        yield lambda size: bar.advance(task, size)


def left_out_lines(left_out: Mapping[str, int]) -> Iterable[str]:
    """Return what was not counted, one line a reason."""
    return [f"left out: {number:,} lines, {reason}" for reason, number in sorted(left_out.items())]
