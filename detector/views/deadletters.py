"""Dead letters by reason and by key: how many, one example each, where it stands, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from detector.views.reading import StoredRecord
from detector.views.remedies import remedy_of
from detector.views.shown import MOST_TEXT, count_of, moment, shown

MOST_REASONS: Final = 64
"""Reasons told apart; there are seventeen, and a stranger on the topic may write any."""
MOST_KEYS: Final = 2_000
"""Reasons and keys that are counted apart; further keys are counted together."""
MOST_SHOWN: Final = 5
"""Keys shown of a reason."""
MOST_BYTES: Final = 240
"""Bytes of an example that are kept and shown."""
OTHER_REASONS: Final = "(further reasons)"
OTHER_KEYS: Final = "(further keys)"


class DeadLetter(NamedTuple):
    """What a record of `agent.deadletter` says: why, of whom, and where the refused record stands."""

    reason: str
    detail: str
    key: str
    source: str
    is_scored: bool
    at: float
    raw: bytes
    size: int
    place: str


class KeyTally(NamedTuple):
    """How many dead letters a key has of one reason, and the newest of them."""

    number: int
    example: DeadLetter


@dataclass(slots=True)
class DeadLetters:
    """What was read, counted within caps: :data:`MOST_KEYS` examples of :data:`MOST_BYTES` bytes."""

    total: int = 0
    scored: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    keys: dict[tuple[str, str], KeyTally] = field(default_factory=dict)

    def take(self, letter: DeadLetter) -> None:
        """Count one."""
        reason = letter.reason
        if reason not in self.reasons and len(self.reasons) >= MOST_REASONS:
            reason = OTHER_REASONS
        self.total += 1
        self.scored += letter.is_scored
        self.reasons[reason] += 1
        whose = (reason, letter.key)
        if whose not in self.keys and len(self.keys) >= MOST_KEYS:
            whose = (reason, OTHER_KEYS)
        before = self.keys.get(whose)
        self.keys[whose] = KeyTally(1 + (before.number if before else 0), letter)

    def of(self, reason: str) -> list[tuple[str, KeyTally]]:
        """Return the keys of a reason and what they have, the most first."""
        found = [(key, tally) for (why, key), tally in self.keys.items() if why == reason]
        return sorted(found, key=lambda pair: (-pair[1].number, pair[0]))


def letter_of(record: StoredRecord) -> DeadLetter:
    """Return what a record of the topic says; what its headers lack is ``(none)``."""

    def header(name: str) -> str:
        return record.headers.get(name, b"(none)")[:1_024].decode("utf-8", "replace")

    source = f"{header('topic')} partition {header('partition')} offset {header('offset')}"
    line = f" line {header('line')}" if "line" in record.headers else ""
    return DeadLetter(
        header("reason"),
        header("detail"),
        record.key[:1_024].decode("utf-8", "backslashreplace"),
        source + line,
        record.headers.get("scored") == b"true",
        record.at,
        record.value[:MOST_BYTES],
        len(record.value),
        f"partition {record.partition} offset {record.offset}",
    )


def gathered(records: Iterable[StoredRecord]) -> DeadLetters:
    """Return the records of the topic, counted."""
    found = DeadLetters()
    for record in records:
        found.take(letter_of(record))
    return found


def letters_lines(found: DeadLetters, since: float) -> Iterator[str]:
    """Yield the dead letters as they are read in a terminal."""
    scored = f"; of {found.scored:,} an event was made and scored all the same" if found.total else ""
    yield f"{count_of(found.total, 'dead letter')} since {moment(since)}{scored}"
    for reason, count in found.reasons.most_common():
        keys = found.of(reason)
        yield f"\n{shown(reason)}  {count:,}"
        yield f"  do       {remedy_of(reason)}"
        for key, tally in keys[:MOST_SHOWN]:
            letter = tally.example
            yield f"  key      {shown(key) or '(no key)'}  {tally.number:,}, the last {moment(letter.at)}"
            yield f"    why    {shown(letter.detail, MOST_TEXT)}"
            yield f"    stands {shown(letter.source, MOST_TEXT)}; its dead letter: {letter.place}"
            yield f"    bytes  {count_of(letter.size, 'byte')}{' kept' if letter.size else ''}: {raw_text(letter)}"
        if len(keys) > MOST_SHOWN:
            left = sum(tally.number for _, tally in keys[MOST_SHOWN:])
            yield f"  and {count_of(left, 'dead letter')} of {count_of(len(keys) - MOST_SHOWN, 'key')} more: --json"


def raw_text(letter: DeadLetter) -> str:
    """Return the beginning of the refused bytes as safe text: what is no UTF-8 is escaped byte by byte."""
    text = "".join(map(_safe, letter.raw.decode("utf-8", "surrogateescape")))
    return f"{text} ..." if letter.size > len(letter.raw) else text


def _safe(char: str) -> str:
    return f"\\x{ord(char) - 0xDC00:02x}" if "\udc80" <= char <= "\udcff" else shown(char)


def letters_body(found: DeadLetters, reason: str, key: str) -> dict[str, Any]:
    """Return one reason and key as plain JSON values."""
    tally = found.keys[reason, key]
    letter = tally.example
    return {
        "reason": reason,
        "key": key,
        "count": tally.number,
        "do": remedy_of(reason),
        "example": {
            "detail": letter.detail,
            "source": letter.source,
            "place": letter.place,
            "written_at": letter.at,
            "is_scored": letter.is_scored,
            "size": letter.size,
            "begins": letter.raw.decode("utf-8", "backslashreplace"),
        },
    }
