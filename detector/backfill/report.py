"""What became of each line of each file, as numbers for a program and as a page for a reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from detector.backfill.lines import FAULTS
from detector.backfill.record import WORDS, Record
from detector.backfill.walk import PASSED
from detector.otlp.events import TAKEN_FROM
from detector.otlp.explain import shown
from detector.otlp.mapper import MAPPED
from detector.schema.amends import clean
from detector.schema.event import Event

MAX_NAMED: Final = 1_024
"""Agents, and types of records that are not known, that are named; the rest are counted together."""
MAX_TYPE: Final = 64
MAX_LISTED: Final = 20
"""Files with lines that could not be read that the page lists; the numbers have them all."""
OTHERS: Final = "(others)"
_REASONS: Final = {
    "repeat": "the same call stood in another file, or before",
    "known": "telemetry told it (--known)",
    "before_since": "before --since",
    "after_until": "not before --until",
    "no_time": "no time that UTC can hold stands in it",
}


def _some(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


@dataclass(slots=True)
class FileReport:
    """What became of the lines of one file.

    Attributes
    ----------
    lines : int
        All of them; :attr:`unreadable` and :attr:`words` add up to it.
    verdicts : Counter
        What became of the telemetry records made of them: ``mapped``, or a reason.
    unfinished : int
        Calls that the file tells no result of.
    """

    name: str
    format: str
    lines: int = 0
    unfinished: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)

    def plain(self) -> dict[str, Any]:
        """Return the numbers for a program."""
        return {
            "file": clean(self.name),
            "format": self.format,
            "lines": self.lines,
            "events": self.verdicts[MAPPED],
            "unreadable": dict(sorted(self.unreadable.items())),
            "records": dict(sorted(self.words.items())),
            "not_events": {word: n for word, n in sorted(self.verdicts.items()) if word != MAPPED},
            "unfinished": self.unfinished,
        }


@dataclass(slots=True)
class BackfillReport:
    """What became of all files."""

    files: list[FileReport] = field(default_factory=list)
    others: int = 0
    """Files of no known format."""
    passed: Counter[str] = field(default_factory=Counter)
    agents: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(agent, what its id was taken from) -> events."""
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(format, type of record) -> records of a type that is not known."""
    sessions: set[int] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None

    def add(self, about: FileReport) -> None:
        """Take what became of one more file."""
        self.files.append(about)

    def note(self, event: Event) -> None:
        """Take note of an event that is written."""
        who = (event.agent_id, str(event.attributes.get(TAKEN_FROM)))
        self.agents[who if who in self.agents or len(self.agents) < MAX_NAMED else (OTHERS, "")] += 1
        self.sessions.add(hash((event.agent_id, event.session_id)))
        self.first = event.ts if self.first is None else min(self.first, event.ts)
        self.last = event.ts if self.last is None else max(self.last, event.ts)

    def note_unknown(self, form: str, record: Record) -> None:
        """Take note of a record of a type that is not known."""
        key = (form, clean(str(record.get("type"))[:MAX_TYPE]))
        self.unknown[key if key in self.unknown or len(self.unknown) < MAX_NAMED else (form, OTHERS)] += 1

    @property
    def events(self) -> int:
        """Events that are written."""
        return sum(one.verdicts[MAPPED] for one in self.files)

    def plain(self) -> dict[str, Any]:
        """Return the numbers for a program."""
        return {
            "events": self.events,
            "sessions": len(self.sessions),
            "first": None if self.first is None else self.first.isoformat(),
            "last": None if self.last is None else self.last.isoformat(),
            "agents": [
                {"agent_id": agent, "taken_from": source, "events": n}
                for (agent, source), n in sorted(self.agents.items())
            ],
            "unknown": [
                {"format": form, "type": kind, "records": n} for (form, kind), n in sorted(self.unknown.items())
            ],
            "other_files": self.others,
            "not_looked_into": dict(sorted(self.passed.items())),
            "files": [one.plain() for one in self.files],
        }

    def json(self) -> str:
        """Return the numbers for a program as one JSON object."""
        return msgspec.json.format(msgspec.json.encode(self.plain()), indent=1).decode()

    def page(self, out: Path | None = None, *, is_in_kafka: bool = False) -> Iterator[str]:
        """Yield the lines of the page: what there is, what could not be read, and what to type next."""
        if self.first is not None and self.last is not None:
            days = (self.last - self.first).total_seconds() / 86_400
            times = f"{self.first:%Y-%m-%dT%H:%M:%SZ} to {self.last:%Y-%m-%dT%H:%M:%SZ}, {days:.1f} days"
            yield f"{_some(self.events, 'event')} of {_some(len(self.sessions), 'session')}, {times}"
        else:
            yield "no event"
        for form in sorted({one.format for one in self.files}):
            yield from self._of_format(form)
        for (agent, source), n in sorted(self.agents.items(), key=lambda one: (-one[1], one[0]))[:MAX_LISTED]:
            hint = (
                "; no user stands in these files: add --resource, as its telemetry has it"
                if source == "product"
                else ""
            )
            yield f"agent {shown(agent)}: {_some(n, 'event')}; taken from {shown(source)}{hint}"
        yield from self._unread()
        yield from self._next(out, is_in_kafka=is_in_kafka)

    def _next(self, out: Path | None, *, is_in_kafka: bool) -> Iterator[str]:
        """Yield what can be done with the events."""
        if self.last is None:
            yield "nothing was written: no action of a known program that is wanted stands under PATH"
            return
        end = f"{self.last.replace(microsecond=0) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
        if is_in_kafka:
            yield f"written to Kafka; workers that are to learn all of it need --trusted-until {end}"
        if out is None and not is_in_kafka:
            yield "nothing was written: add --out FILE, or --bootstrap BROKERS"
        elif out is not None and str(out) != "-":
            yield f"written to {shown(str(out))}; then: detector replay {shown(str(out))} --trusted-until {end}"

    def _of_format(self, form: str) -> Iterator[str]:
        """Yield what became of the files of one format."""
        mine = [one for one in self.files if one.format == form]
        words: Counter[str] = Counter()
        verdicts: Counter[str] = Counter()
        for one in mine:
            words += one.words
            verdicts += one.verdicts
        lines = sum(one.lines for one in mine)
        said = (_some(len(mine), "file"), _some(lines, "line"), _some(verdicts[MAPPED], "event"))
        yield f"{form}: {', '.join(said)}"
        for word, why in WORDS.items():
            if words[word]:
                kinds = [f"{shown(kind)} {n}" for (mark, kind), n in sorted(self.unknown.items()) if mark == form]
                yield f"  {words[word]:8} {word}: {why}" + (f" ({', '.join(kinds[:8])})" if word == "unknown" else "")
        for reason, n in sorted(verdicts.items()):
            if reason != MAPPED:
                yield f"  {n:8} actions {reason}: {_REASONS.get(reason, 'no event, as with its telemetry')}"
        if unfinished := sum(one.unfinished for one in mine):
            yield f"  {unfinished:8} calls without a result: interrupted, or the session still runs"

    def _unread(self) -> Iterator[str]:
        """Yield what could not be read, by file and reason, and what was not looked into."""
        bad = [one for one in self.files if one.unreadable]
        for one in bad[:MAX_LISTED]:
            for fault, n in sorted(one.unreadable.items()):
                yield f"unreadable in {shown(one.name)}: {_some(n, 'line')} {fault}: {FAULTS[fault]}"
        if len(bad) > MAX_LISTED:
            yield f"unreadable lines in {len(bad) - MAX_LISTED} more files: --json names them"
        if self.others:
            yield f"{_some(self.others, 'other file')}: of no known format"
        for reason, n in sorted(self.passed.items()):
            yield f"{n} not looked into, {reason}: {PASSED[reason]}"
