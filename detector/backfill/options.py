"""What was asked for on the command line: who, which events, and where they go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import unquote

import msgspec

from detector.backfill.lines import lines_of
from detector.backfill.record import Additions, word_at
from detector.backfill.run import Backfill, Selection
from detector.backfill.walk import Walk
from detector.errors import SetupError

MAX_KNOWN: Final = 5_000_000
"""Ids of events that came by telemetry, all in memory."""


_STEP: Final = 256 * 1_024
"""Bytes after which the bar moves: a line at a time would cost more than reading it."""


class _Keyed(msgspec.Struct, gc=False):
    agent_id: str


_keyed = msgspec.json.Decoder(_Keyed)


def asked_of(agent_id: str | None, resource: Sequence[str], is_like_telemetry: bool) -> Additions:
    """Return what is added to each record.

    Raises
    ------
    SetupError
        Part of `resource` is no name with a value.
    """
    found: dict[str, str] = {}
    for pair in (pair for one in resource for pair in one.split(",") if pair.strip()):
        name, equals, value = pair.partition("=")
        # the form of OTEL_RESOURCE_ATTRIBUTES: W3C Baggage, so values may be percent-encoded
        if not equals or not name.strip() or not value.strip():
            raise SetupError(f"resource of backfill must be name=value, got {pair!r}")
        found[name.strip()] = unquote(value.strip())
    if agent_id is not None:
        if not agent_id:
            raise SetupError("agent-id of backfill must have at least one character, got none")
        found["agent.id"] = agent_id
    return Additions(found, is_like_telemetry)


def wanted_of(since: str | None, until: str | None, known: Sequence[Path]) -> Selection:
    """Return which events are wanted.

    Raises
    ------
    SetupError
        A time is none, or a file of known events cannot be read, or has none.
    """
    begin, end = (_time(text, f"{name} of backfill") for text, name in ((since, "since"), (until, "until")))
    if begin is not None and end is not None and begin >= end:
        raise SetupError(f"since of backfill must be before until, got {since} and {until}")
    return Selection(begin, end, frozenset(one for path in known for one in _ids(path)))


def _time(text: str | None, what: str) -> datetime | None:
    from detector.offline.labels import seconds_of

    if text is None:
        return None
    try:
        return datetime.fromtimestamp(seconds_of(text, what), UTC)
    except (ValueError, OverflowError, OSError):
        raise SetupError(f"{what} must be a time within the years 1 to 9999, got {text}") from None


def _ids(path: Path) -> Iterator[str]:
    """Yield the ids of the events in a file: one a line, or under ``event`` of each line."""
    count = 0
    try:
        with path.open("rb") as file:
            for line in lines_of(file, lambda _: None):
                found = word_at(line, "event_id") or word_at(line, "event", "event_id")
                count += found is not None
                if count > MAX_KNOWN:
                    raise SetupError(f"known of backfill must hold at most {MAX_KNOWN} events, got more in {path}")
                if found is not None:
                    yield found
    except OSError as error:
        raise SetupError(f"known of backfill must be a file that can be read, got {path}: {error.strerror}") from None
    if not count:
        raise SetupError(f"known of backfill must hold events, one a line, got none in {path}")


@contextmanager
def opened(out: Path | None) -> Iterator[IO[bytes] | None]:
    """Open where events go; it is opened before anything is read, so that a mistake costs no time.

    Raises
    ------
    SetupError
        It cannot be written.
    """
    if out is None:
        yield None
    elif str(out) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        try:
            file = out.open("ab")  # what stands in it stays until there is something to put there
        except OSError as error:
            raise SetupError(
                f"out of backfill must be a file that can be written, got {out}: {error.strerror}"
            ) from None
        with file:
            yield file


@contextmanager
def watched(paths: Sequence[Path], *, is_shown: bool) -> Iterator[Callable[[int], None]]:
    """Show a progress bar over the bytes of all files, on standard error; it is told how many more were read."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_shown) as progress:
        task = progress.add_task("reading", total=Walk(paths).size() if is_shown else None)
        unsaid = 0

        def read(size: int) -> None:
            nonlocal unsaid
            unsaid += size
            if unsaid >= _STEP:
                progress.advance(task, unsaid)
                unsaid = 0

        yield read


def put(events: Iterable[bytes], file: IO[bytes], run: Backfill) -> None:
    """Write events to a file, one a line, in place of what stood in it.

    Raises
    ------
    SetupError
        It is one of the session files that were read: nobody's past is written over.
    """
    if file is not sys.stdout.buffer:
        if run.has_read(file):
            raise SetupError(
                f"out of backfill must be a file of its own, got a session file that was read: {file.name}"
            )
        if file.seekable():
            file.truncate(0)
    file.writelines(event + b"\n" for event in events)


def write(events: Iterable[bytes], bootstrap: str, topic: str | None, prefix: str | None) -> None:
    """Write events to Kafka, keyed by agent, and wait until the broker has them all.

    Raises
    ------
    DeliveryError
        The broker refused one, or did not take all of them in time.
    """
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings
    from detector.worker.writer import KafkaWriter

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": prefix})
    options: dict[str, Any] = confluent_options(settings)
    with KafkaWriter(settings.bootstrap, topic or settings.topics.events, options) as writer:
        for event in events:
            writer.send(_keyed.decode(event).agent_id, event)
