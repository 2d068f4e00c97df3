"""Why an event alerted: what each channel saw, what it would have expected, who knew, and on how many observations.

The words are data: they stand with their channel in ``channels/catalogue.toml``.
"""

from __future__ import annotations

import itertools
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from detector.alerts.amounts import amount, usual_range
from detector.alerts.raised import NO_CLASS, RiskStanding
from detector.channels.catalogue import MODELS, NAMES, ChannelEntry, Subject, position, spoken_of
from detector.channels.context import (
    COUNT,
    DEVIATION,
    IS_OWN,
    OF_ARGUMENT,
    OF_ATTRIBUTE,
    OF_SIZE,
    OF_TARGET,
)
from detector.intake.names import Part, numbers_of, parts_of
from detector.schema.alert import Contribution, UsualValue, Voice
from detector.schema.event import Event
from detector.schema.shown import shown

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
ORIGINS: Final = {
    "user": "a value that the user gave",
    "tool": "a value from a tool's output",
    "none": "a value from neither user nor tool",
}
LEFT_OUT: Final = "left out, where its peers always name one"
"""In place of a level, of a target that is not there."""
MOST_USUAL: Final = 3
"""Usual values that are told beside one that stands out."""
MOST_TEXT: Final = 64
"""Letters of a usual value in a field of its own: it was cut before, to fewer."""
OWN_LEVELS: Final = 1
"""Up to this level the agent's own history is what the value was held against."""
NEWNESS: Final = 0.5
"""Share of an act's evidence from which on it stands on being new to its agent."""
_VALUES: Final = tuple(
    position(name) for name in ("novelty", "arguments", "novelty_origin", "arguments_origin") if name in NAMES
)
_SPEAKING: Final = (*NAMES, *(model.name for model in MODELS))
_LEADING: Final = 2
"""Contributions whose ids an alert carries."""


class Known(NamedTuple):
    """On how much a judgement rests: closed sessions of the agent, sessions of its peers, established agents, events.

    `is_established`: whether the agent itself is one of them. `recent_sessions`: closed sessions its rarity was read
    from, `as_strange`: how many of them were at least as strange; `is_learning`: too few, or for too short a time, to
    keep what the budget promises; `threshold`: from which rarity on a session alerted then, the profile's where nothing
    moved it; `risk`: how the agent stands in its risk class.
    """

    own_sessions: int
    peer_sessions: int
    agents: int
    events_before: int
    is_established: bool
    recent_sessions: int = 0
    is_learning: bool = False
    threshold: float | None = None
    risk: RiskStanding = NO_CLASS
    as_strange: int = 0


class UsualThere(NamedTuple):
    """Values that are usual where another one was seen: whose they are, and texts with the sessions that taught them.

    The texts are capped, and otherwise as they arrived.
    """

    whose: Literal["own", "peers"] | None
    values: tuple[tuple[str, int], ...]


NOTHING_USUAL: Final = UsualThere(None, ())


class Seen(NamedTuple):
    """One event as the kernels saw it: row i of every array, and the weights that applied.

    `logs`, `weights` and `ready` are of the channels and, behind them, of the models, in the catalogue's order; `bits`
    of the channels. `part`: indices within the event of the most novel target part and argument; -1 for none.
    `number`: the same of the largest size and attribute. `measured`: deviation, log2 mean and count of these two, and
    whether the mean is the agent's own. `usual`: what is usual in place of these two parts. `is_registered`: whether
    somebody answers for the agent in the registry.
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
    usual: tuple[UsualThere, UsualThere] = (NOTHING_USUAL, NOTHING_USUAL)
    is_registered: bool = False


class WordFacts(NamedTuple):
    """What words are filled with: placeholders, and on how many observations the expectation rests.

    `is_own`: whether it is the agent's own, of a number; `usual`: what is usual there, with texts.
    """

    words: dict[str, Any]
    n: int | None = None
    level: int | None = None
    is_own: bool = True
    usual: UsualThere = NOTHING_USUAL


def contributions_of(seen: Seen, ignored: tuple[str, ...]) -> tuple[Contribution, ...]:
    """Return what lifted the event most, the largest first; a channel that was not ready says nothing.

    Parameters
    ----------
    seen : Seen
        The event.
    ignored : tuple of str
        Attribute patterns the profile leaves out.
    """
    return explained(seen, ignored)[0]


def standing_out(seen: Seen, ignored: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the most novel argument and of the oddest numeric one; a name of ours is none of theirs."""
    return explained(seen, ignored)[1]


def explained(seen: Seen, ignored: tuple[str, ...]) -> tuple[tuple[Contribution, ...], tuple[str, ...]]:
    """Return what lifted the event, and the arguments that stand out: both at once, for both read all of it."""
    parts, numbers = parts_of(seen.event, ignored), numbers_of(seen.event, ignored)
    return _contributions(seen, parts, numbers), _standing_out(seen, parts, numbers)


def _contributions(seen: Seen, parts: list[Part], numbers: list[tuple[str, float]]) -> tuple[Contribution, ...]:
    values = dict(zip(_SPEAKING, (seen.weights * seen.logs * seen.factor).tolist(), strict=True))
    logs = dict(zip(_SPEAKING, seen.logs.tolist(), strict=True))
    ready = dict(zip(_SPEAKING, seen.ready.tolist(), strict=True))
    ranked = sorted((name for name in _SPEAKING if values[name] > 0.0 and ready[name]), key=lambda name: -values[name])
    odd = [name for name in ranked if logs[name] > ORDINARY]
    told: dict[str, tuple[ChannelEntry, str, bool]] = {}
    subjects = set[Subject]()
    for name in odd or ranked[:1]:
        entry = spoken_of(name)
        # the same list twice in one sentence says nothing more
        told[entry.name] = (entry, name, entry.subject not in subjects)
        subjects.add(entry.subject)
    found = []
    for entry, name, is_first in itertools.islice(told.values(), LEAD):
        bits = float(seen.bits[position(name)]) if name in NAMES else 0.0
        facts = _facts_of(entry.subject, seen, parts, numbers)
        facts = facts if is_first else facts._replace(usual=NOTHING_USUAL)
        found.append(_contribution(entry, values[name], bits, seen, facts))
    return tuple(found)


def _standing_out(seen: Seen, parts: list[Part], numbers: list[tuple[str, float]]) -> tuple[str, ...]:
    part, number = seen.part[OF_ARGUMENT], seen.number[OF_ATTRIBUTE]
    names = [parts[part].name] if 0 <= part < len(parts) else []
    names += [numbers[number][0]] if 0 <= number < len(numbers) else []
    return tuple(name for name in names if name in seen.event.attributes)


def is_of_newcomer(seen: Seen) -> bool:
    """Tell whether an act stands on values that are new to a newcomer alone: its peers use each with this very tool.

    An agent that has taught on fewer than three days knows next to nothing of what is usual for it, so that much of
    what its peers do every day is news. One value that its peers do not use so, and it is no beginner's act. Only for
    an agent that is registered: where nobody answers for a newcomer, being new is what an intruder is.
    """
    if not seen.is_registered or seen.known.is_established or max(seen.level) > OWN_LEVELS:
        return False
    values = np.maximum(seen.weights * seen.logs, 0.0)
    return float(values[list(_VALUES)].sum()) >= NEWNESS * float(values.sum())


def _contribution(entry: ChannelEntry, value: float, bits: float, seen: Seen, facts: WordFacts) -> Contribution:
    words = {**_event_words(seen.event), **facts.words, "bits": bits}
    voice = _voice(entry, facts, seen)
    known = seen.known.own_sessions if voice == "own" else seen.known.peer_sessions
    usual = facts.usual if entry.subject in ("target", "argument") else NOTHING_USUAL
    return Contribution(
        channel=entry.name, value=_round(value), bits=_round(bits), observed=entry.observed.format(**words),
        expected=_in_words(usual, seen.event.name) or entry.expected.format(**words), voice=voice,
        n=known if facts.n is None else facts.n, usual_of=usual.whose,
        usual=tuple(UsualValue(value=shown(text, MOST_TEXT), sessions=n) for text, n in usual.values[:MOST_USUAL]),
    )  # fmt: skip


def _in_words(usual: UsualThere, tool: str) -> str:
    """Return which values are usual, with the sessions that taught them, the most frequent first; empty if none is."""
    if not usual.values:
        return ""
    (first, n), *more = usual.values[:MOST_USUAL]
    who = "this agent" if usual.whose == "own" else "its peers"
    listed = [f"{first!r} (in {n} sessions of {who})", *(f"{text!r} ({count})" for text, count in more)]
    return f"{', '.join(listed)} with {tool}"


def _voice(entry: ChannelEntry, facts: WordFacts, seen: Seen) -> Voice:
    """Return who knew what is usual; a model speaks for itself, and nobody's own history is of no session."""
    if entry in MODELS:
        voice: Voice = "forest" if entry.name == "forest" else "half_space"
        return voice
    if entry.knower == "level":
        return "own" if facts.level is not None and facts.level <= OWN_LEVELS else "peers"
    is_own = facts.is_own and (facts.n is not None or seen.known.own_sessions > 0)
    return "peers" if entry.knower == "own" and not is_own else entry.knower


def _round(x: float) -> float:
    return round(x, 6)


def _facts_of(subject: Subject, seen: Seen, parts: list[Part], numbers: list[tuple[str, float]]) -> WordFacts:
    """Return the facts of one of the things an alert's words may speak of."""
    if subject in ("target", "argument"):
        return _part_facts(seen, parts, OF_TARGET if subject == "target" else OF_ARGUMENT)
    if subject in ("size", "attribute"):
        return _number_facts(seen, numbers, OF_SIZE if subject == "size" else OF_ATTRIBUTE)
    return WordFacts(_event_words(seen.event))


def _event_words(event: Event) -> dict[str, Any]:
    return {"tool": event.name, "on_target": f" on {event.target!r}" if event.target is not None else ""}


def _part_facts(seen: Seen, parts: list[Part], which: int) -> WordFacts:
    place, level = seen.part[which], seen.level[which]
    part = parts[place] if 0 <= place < len(parts) else Part("target", seen.event.target or "", None)
    origin = f", {ORIGINS.get(part.origin, '')}" if part.origin else ""
    novelty = LEFT_OUT if level and place < 0 else LEVELS[level]
    words = {"name": part.name, "value": part.value, "level": novelty, "origin": origin}
    return WordFacts(words, level=level, usual=seen.usual[which])


def _number_facts(seen: Seen, numbers: list[tuple[str, float]], which: int) -> WordFacts:
    place = seen.number[which]
    name, value = numbers[place] if 0 <= place < len(numbers) else ("number", 0.0)
    row = seen.measured[which]
    usual = usual_range(value, row, is_size=which == OF_SIZE)
    words = {
        "name": name, "deviation": float(row[DEVIATION]), "amount": amount(name, value),
        **{place: amount(name, float(f"{edge:.3g}")) for place, edge in usual._asdict().items()},
    }  # fmt: skip
    return WordFacts(words, n=int(row[COUNT]), is_own=bool(row[IS_OWN]))


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
