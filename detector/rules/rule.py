"""What a rule is: it reads events as they are and says what it found in words of its entry; a few remember a little."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec

from detector.rules.declared import DeclaredAgent
from detector.rules.inventory import Inventory
from detector.rules.memory import RuleMemory, RuleNotes
from detector.rules.places import Places
from detector.rules.presence import LastAct
from detector.schema.alert import Severity
from detector.schema.event import Event, Kind, Outcome

MOST_LETTERS: Final = 64
"""Letters that stand in a cause of what a sender wrote; of a longer text a digest says which it was."""


class RuleEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it stands in ``catalogue.toml``; the file's head says what each field means."""

    name: str
    detection: str
    finds: str
    needs: tuple[str, ...]
    sources: str
    twin: str
    severity: Severity
    is_shipped: bool
    title: str
    observed: str
    expected: str
    normal: str
    once: Literal["session", "agent"] = "session"
    asi: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()
    saf_t: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    promise: int = 1_000


class Hit(NamedTuple):
    """An event a rule fired on: its place in the batch, what tells this cause from others, the placeholders' values.

    `about`: the act the finding stands at, of an agent that sends none any more; then `event` is only when it is told.
    `severity`, where that is not the entry's own: of a declared agent it depends on how critical it is.
    """

    event: int
    cause: str
    words: dict[str, Any]
    severity: Severity | None = None
    about: LastAct | None = None


class RuleScene(NamedTuple):
    """What a rule is shown: events in order, the partition's time as each of them finds it, and its own memory.

    Parameters
    ----------
    events : sequence of Event
        A batch.
    clock : sequence of float
        The watermark at each event, epoch seconds.
    heard : sequence of float
        When the broker got each of them, epoch seconds; the watermark where only its sender says when.
    rows, names : sequence of int
        Of each event its agent's row in memory, and the hash of its name.
    rule : str
        Whose memory it is.
    memory : RuleMemory
        Of all rules.
    places : Places
        Where in the batch to look.
    where : callable
        Returns where an event stands: topic, partition, offset, line.
    declared : sequence of DeclaredAgent or None
        Of each event what the registry says of its agent; empty where no agent is registered.
    inventory : Inventory or None
        The registry itself, as the partition knows it.
    elsewhere : frozenset of int
        Places of events whose agent has an entry, but of another tenant than they say.
    """

    events: Sequence[Event]
    clock: Sequence[float]
    heard: Sequence[float]
    rows: Sequence[int]
    names: Sequence[int]
    rule: str
    memory: RuleMemory
    places: Places
    where: Callable[[int], tuple[str, int, int, int]]
    declared: Sequence[DeclaredAgent | None] = ()
    inventory: Inventory | None = None
    elsewhere: frozenset[int] = frozenset()

    def last_act(self, event: int, act: Event) -> LastAct:
        """Return what is kept of an event, and where it stands."""
        return LastAct.of(act, self.where(event))

    def notes(self, event: int) -> RuleNotes:
        """Return what this rule keeps of an event's agent, to be changed; empty if it kept nothing."""
        return self.memory.of(self.rule, self.rows[event], self.names[event])

    def known(self, event: int) -> RuleNotes | None:
        """Return what this rule keeps of an event's agent, only to be read; None if it kept nothing."""
        return self.memory.known(self.rule, self.rows[event], self.names[event])


Look = Callable[[RuleScene], Iterator[Hit]]
"""Yields a hit for each event that breaks the rule, in order; an event without the fields it needs is no hit.

Below the events it may depend on nothing but its own notes of the event's agent, and what is told or declared of it:
then it is the same however the events are cut into batches, and no agent can make or hide what is found of another.
"""


class Rule(NamedTuple):
    """A rule: its entry, and the function that looks."""

    entry: RuleEntry
    look: Look


def short(text: str) -> str:
    """Return a text as it may stand in a cause: whole, or its beginning and a digest.

    Examples
    --------
    >>> short("send"), len(short("x" * 1_000))
    ('send', 73)
    """
    if len(text) <= MOST_LETTERS:
        return text
    return f"{text[:MOST_LETTERS]}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def read_entries() -> dict[str, RuleEntry]:
    """Return the entries of the catalogue by name."""
    raw = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))
    return {entry.name: entry for entry in msgspec.convert(raw["rule"], list[RuleEntry])}


ENTRIES: Final = read_entries()
SHIPPED: Final = tuple(entry.name for entry in ENTRIES.values() if entry.is_shipped)
"""Rules that are on where a profile does not say."""
