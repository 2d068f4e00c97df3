"""Files in, events in the order of time out; every line of every file is counted with what became of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from detector.backfill.formats import MAX_LOOKED_AT, Format, format_of
from detector.backfill.lines import MAX_LINE, NOT_JSON, lines_of, parsed
from detector.backfill.record import Additions, Reader, Record
from detector.backfill.report import BackfillReport, FileReport
from detector.backfill.spool import Spool
from detector.backfill.walk import OpenFile, Walk
from detector.otlp.item import Item
from detector.otlp.mapper import Mapper
from detector.schema.event import Event

BEFORE, AFTER, KNOWN, REPEAT = "before_since", "after_until", "known", "repeat"
_MAPPED_AT_ONCE: Final = 256
_FIRST_BYTE: Final = 64


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted: a stretch of time, and not those that are there already.

    Parameters
    ----------
    since, until : datetime or None
        The first moment that is wanted, and the first that is not any more.
    known : frozenset of str
        Ids of events that came by telemetry.
    """

    since: datetime | None = None
    until: datetime | None = None
    known: frozenset[str] = field(default_factory=frozenset)

    def reason_against(self, event: Event) -> str | None:
        """Return the word why an event is not wanted; None if it is."""
        if self.since is not None and event.ts < self.since:
            return BEFORE
        if self.until is not None and event.ts >= self.until:
            return AFTER
        return KNOWN if event.event_id in self.known else None


class Backfill:
    """Reads session files into events; :attr:`report` says what became of each line.

    The same files under the same names give the same bytes.

    Parameters
    ----------
    asked : Additions
        What is added to what the files say.
    wanted : Selection
        Which events are wanted.
    """

    def __init__(self, asked: Additions | None = None, wanted: Selection | None = None) -> None:
        self._asked = Additions() if asked is None else asked
        self._wanted = Selection() if wanted is None else wanted
        self._mapper = Mapper()
        self._spool = Spool()
        self._read: set[tuple[int, int]] = set()
        self.report = BackfillReport()

    def read(self, paths: Sequence[Path], progress: Callable[[int], None] = lambda _: None) -> BackfillReport:
        """Read every file under the paths; return what became of them.

        Raises
        ------
        SetupError
            A path is not there, or there is more than one run takes.
        """
        walk = Walk(paths)
        with closing(walk.files()) as files:
            for found in files:
                self._file(found, progress)
        self.report.passed = walk.passed
        return self.report

    def has_read(self, file: IO[bytes]) -> bool:
        """Return whether an open file is one of the session files that were read."""
        about = os.fstat(file.fileno())
        return (about.st_dev, about.st_ino) in self._read

    def events(self) -> Iterator[bytes]:
        """Yield the events as JSON, the oldest first."""
        return self._spool.in_order()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()

    def _file(self, found: OpenFile, progress: Callable[[int], None]) -> None:
        """Read one file, if it is one of a known format."""
        lines = _lines_of(found.file, progress)
        first: list[Record | str] = []
        form: Format | None = None
        for line in lines:
            first.append(line)
            form = format_of(line) if isinstance(line, dict) else None
            if form is not None or len(first) >= MAX_LOOKED_AT:
                break
        if form is None:
            self.report.others += 1
            return
        about, on_disk = FileReport(found.name, form.name), os.fstat(found.file.fileno())
        self._read.add((on_disk.st_dev, on_disk.st_ino))
        reader = form.reader(self._asked, self._spool.has)
        waiting: list[Item] = []
        for line in chain(first, lines):
            waiting += self._line(line, reader, about)
            if len(waiting) >= _MAPPED_AT_ONCE:
                self._map(waiting, about)
                waiting = []
        self._map([*waiting, *reader.finish()], about)
        about.unfinished = reader.unfinished
        self.report.add(about)

    def _line(self, line: Record | str, reader: Reader, about: FileReport) -> Iterable[Item]:
        """Count a line, and return what telemetry it makes."""
        about.lines += 1
        if isinstance(line, str):
            about.unreadable[line] += 1
            return ()
        taken = reader.take(line)
        about.words[taken.word] += 1
        if taken.word == "unknown":
            self.report.note_unknown(about.format, line)
        return taken.items

    def _map(self, items: Sequence[Item], about: FileReport) -> None:
        """Map telemetry to events and keep those that are wanted; each is counted with its reason."""
        for verdict in self._mapper.map(items):
            event, reason = verdict.event, verdict.reason
            if event is not None:
                against = self._wanted.reason_against(event)
                if against is None and not self._spool.add(event):
                    against = REPEAT
                if against is None:
                    self.report.note(event)
                reason = against or reason
            about.verdicts[reason] += 1


def _lines_of(file: IO[bytes], progress: Callable[[int], None]) -> Iterator[Record | str]:
    """Yield the lines of a file; of one that is one document over many lines, the document.

    A file that does not begin with a brace is not looked into: nothing here begins otherwise.
    """
    if not file.read(_FIRST_BYTE).lstrip().startswith(b"{"):
        return
    file.seek(0)
    start = file.readline(MAX_LINE)
    if start.strip() == b"{":
        whole = start + file.read(MAX_LINE)
        document = parsed(whole)
        if len(whole) <= MAX_LINE and document != NOT_JSON:
            progress(len(whole))
            yield document
            return
    file.seek(0)
    yield from lines_of(file, progress)
