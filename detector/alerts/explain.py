"""Why an event alerted: what each channel saw, what it would have expected, who knew, and on how many observations.

The words are data: they stand with their channel in ``channels/catalogue.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from detector.channels.catalogue import MODELS, NAMES, ChannelEntry, Subject, position, spoken_of
from detector.channels.context import COUNT, DEVIATION, MEAN, OF_ARGUMENT, OF_ATTRIBUTE, OF_SIZE, OF_TARGET
from detector.intake.names import Part, numbers_of, parts_of
from detector.schema.alert import Contribution, Voice
from detector.schema.event import Event

LEAD: Final = 5
"""Most contributions an alert carries."""

ORDINARY: Final = 0.5
"""-log10 p up to which a channel says nothing: three events in ten go further."""

LEVELS: Final = (
    "used before by this agent",
    "new to this agent, known to its peers",
    "known to its peers only from another tool",
    "a new value in a place its peers use with this tool",
    "a new value in a place its peers know only from another tool",
    "like nothing this agent or its peers have used",
)
OWN_LEVELS: Final = 1
"""Up to this level the agent's own history is what the value was held against."""
NEWNESS: Final = 0.5
"""Share of an act's evidence from which on it stands on being new to its agent."""
_VALUES: Final = tuple(
    position(name) for name in ("novelty", "arguments", "novelty_origin", "arguments_origin") if name in NAMES
)
_LEADING: Final = 2
"""Contributions whose ids an alert carries."""


class Known(NamedTuple):
    """On how much a judgement rests: closed sessions of the agent, sessions of its peers, established agents, events.

    `is_established`: whether the agent itself is one of them. `recent_sessions`: closed sessions its rarity was read
    from; `is_learning`: too few, or for too short a time, to keep what the budget promises; `level`: from which rarity
    on a session alerted then, the profile's where nothing moved it.
    """

    own_sessions: int
    peer_sessions: int
    agents: int
    events_before: int
    is_established: bool
    recent_sessions: int = 0
    is_learning: bool = False
    level: float | None = None


class Seen(NamedTuple):
    """One event as the kernels saw it: row i of every array, and the weights that applied.

    `logs`, `weights` and `ready` are of the channels and, behind them, of the models, in the catalogue's order; `bits`
    of the channels. `part`: indices within the event of the most novel target part and argument; -1 for none.
    `number`: the same of the largest size and attribute. `measured`: deviation, log2 mean and count of these two.
    """

    event: Event
    bits: np.ndarray
    logs: np.ndarray
    weights: np.ndarray
    ready: np.ndarray
    factor: float
    part: tuple[int, int]
    level: tuple[int, int]
    number: tuple[int, int]
    measured: np.ndarray
    known: Known


class WordFacts(NamedTuple):
    """What words are filled with: placeholders, and on how many observations the expectation rests."""

    words: dict[str, Any]
    n: int | None = None
    level: int | None = None


def contributions_of(seen: Seen, ignored: tuple[str, ...]) -> tuple[Contribution, ...]:
    """Return what lifted the event most, the largest first; a channel that was not ready says nothing.

    Parameters
    ----------
    seen : Seen
        The event.
    ignored : tuple of str
        Attribute patterns the profile leaves out.
    """
    names = (*NAMES, *(model.name for model in MODELS))
    values = dict(zip(names, (seen.weights * seen.logs * seen.factor).tolist(), strict=True))
    logs = dict(zip(names, seen.logs.tolist(), strict=True))
    ready = dict(zip(names, seen.ready.tolist(), strict=True))
    ranked = sorted((name for name in names if values[name] > 0.0 and ready[name]), key=lambda name: -values[name])
    odd = [name for name in ranked if logs[name] > ORDINARY]
    subjects = _subjects(seen, parts_of(seen.event, ignored), numbers_of(seen.event, ignored))
    found: dict[str, Contribution] = {}
    for name in odd or ranked[:1]:
        entry = spoken_of(name)
        bits = float(seen.bits[position(name)]) if name in NAMES else 0.0
        found[entry.name] = _contribution(entry, values[name], bits, seen, subjects)
    return tuple(found.values())[:LEAD]


def is_of_newcomer(seen: Seen) -> bool:
    """Tell whether an act stands on values that are new to a newcomer alone: its peers use each with this very tool.

    An agent that has taught on fewer than three days knows next to nothing of what is usual for it, so that much of
    what its peers do every day is news. One value that its peers do not use so, and it is no beginner's act.
    """
    if seen.known.is_established or max(seen.level) > OWN_LEVELS:
        return False
    values = np.maximum(seen.weights * seen.logs, 0.0)
    return float(values[list(_VALUES)].sum()) >= NEWNESS * float(values.sum())


def standing_out(seen: Seen, ignored: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the most novel argument and of the oddest numeric one; a name of ours is none of theirs."""
    parts, numbers = parts_of(seen.event, ignored), numbers_of(seen.event, ignored)
    part, number = seen.part[OF_ARGUMENT], seen.number[OF_ATTRIBUTE]
    names = [parts[part].name] if 0 <= part < len(parts) else []
    names += [numbers[number][0]] if 0 <= number < len(numbers) else []
    return tuple(name for name in names if name in seen.event.attributes)


def _contribution(
    entry: ChannelEntry, value: float, bits: float, seen: Seen, subjects: Mapping[Subject, WordFacts]
) -> Contribution:
    facts = subjects[entry.subject]
    words = {**subjects["event"].words, **facts.words, "bits": bits}
    voice = _voice(entry, facts)
    known = seen.known.own_sessions if voice == "own" else seen.known.peer_sessions
    return Contribution(
        channel=entry.name, value=_round(value), bits=_round(bits), observed=entry.observed.format(**words),
        expected=entry.expected.format(**words), voice=voice, n=known if facts.n is None else facts.n,
    )  # fmt: skip


def _voice(entry: ChannelEntry, facts: WordFacts) -> Voice:
    """Return who knew what is usual; a model speaks for itself."""
    if entry in MODELS:
        voice: Voice = "forest" if entry.name == "forest" else "half_space"
        return voice
    if entry.knower == "level":
        return "own" if facts.level is not None and facts.level <= OWN_LEVELS else "peers"
    return entry.knower


def _round(x: float) -> float:
    return round(x, 6)


def _subjects(seen: Seen, parts: list[Part], numbers: list[tuple[str, float]]) -> dict[Subject, WordFacts]:
    """Return the facts of everything an alert's words may speak of."""
    event = seen.event
    on_target = f" on {event.target!r}" if event.target is not None else ""
    return {
        "event": WordFacts({"tool": event.name, "on_target": on_target}),
        "target": _part_facts(seen, parts, OF_TARGET),
        "argument": _part_facts(seen, parts, OF_ARGUMENT),
        "size": _number_facts(seen, numbers, OF_SIZE),
        "attribute": _number_facts(seen, numbers, OF_ATTRIBUTE),
    }


def _part_facts(seen: Seen, parts: list[Part], which: int) -> WordFacts:
    place, level = seen.part[which], seen.level[which]
    part = parts[place] if 0 <= place < len(parts) else Part("target", seen.event.target or "", None)
    origin = f", value from {part.origin}" if part.origin else ""
    return WordFacts({"name": part.name, "value": part.value, "level": LEVELS[level], "origin": origin}, level=level)


def _number_facts(seen: Seen, numbers: list[tuple[str, float]], which: int) -> WordFacts:
    place = seen.number[which]
    name, value = numbers[place] if 0 <= place < len(numbers) else ("number", 0.0)
    row = seen.measured[which]
    mean = float(row[MEAN])
    usual = 2.0 ** abs(mean) - 1.0
    words = {"name": name, "value": value, "deviation": float(row[DEVIATION]), "usual": -usual if mean < 0 else usual}
    return WordFacts(words, n=int(row[COUNT]))


def normal_if(contributions: tuple[Contribution, ...], tool: str) -> str:
    """Return what would have made the event unremarkable, from its largest contribution."""
    if not contributions:
        return "nothing stood out"
    return "normal if " + spoken_of(contributions[0].channel).normal.format(tool=tool)


def taxonomy(contributions: tuple[Contribution, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the OWASP ASI and MITRE ATLAS ids of the two largest contributions."""
    lead = [spoken_of(contribution.channel) for contribution in contributions[:_LEADING]]
    asi = dict.fromkeys(uid for entry in lead for uid in entry.asi)
    atlas = dict.fromkeys(uid for entry in lead for uid in entry.atlas)
    return tuple(asi), tuple(atlas)
