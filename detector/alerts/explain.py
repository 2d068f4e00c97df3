"""Why an event alerted: what each channel saw, what it would have expected, who knew, and on how many observations."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from detector.intake.names import Part, numbers_of, parts_of
from detector.memory.layout import CHANNELS
from detector.schema.alert import Contribution, Voice
from detector.schema.event import Event

LEAD = 5
"""Most contributions an alert carries."""

ORDINARY = 0.5
"""-log10 p up to which a channel says nothing: three events in ten go further."""

_LEVELS = (
    "used before by this agent",
    "new to this agent, known to its peers",
    "known to its peers only from another tool",
    "a new value in a place its peers use with this tool",
    "a new value in a place its peers know only from another tool",
    "like nothing this agent or its peers have used",
)
_ASI = {
    "novelty": ("ASI01", "ASI02"),
    "arguments": ("ASI01", "ASI02"),
    "rarity": ("ASI01",),
    "cooccurrence": ("ASI01", "ASI10"),
    "transition": ("ASI01", "ASI10"),
    "pair": ("ASI02", "ASI03"),
    "volume": ("ASI02", "ASI08"),
    "number": ("ASI02", "ASI08"),
    "read_size": ("ASI02",),
    "forest": ("ASI10",),
    "half_space": ("ASI10",),
}
_ATLAS = {
    "novelty": ("AML.T0086", "AML.T0025"),
    "arguments": ("AML.T0053",),
    "rarity": ("AML.T0051.001",),
    "cooccurrence": ("AML.T0053",),
    "transition": ("AML.T0053",),
    "pair": ("AML.T0053",),
    "volume": ("AML.T0029",),
    "number": ("AML.T0034",),
    "read_size": ("AML.T0085",),
}
_NORMAL = {
    "novelty": "the target were one that this agent or its peers already use with {tool}",
    "arguments": "the arguments of {tool} were ones that this agent or its peers already use",
    "rarity": "the values came from the user and not from tool output",
    "cooccurrence": "{tool} went with the tools used before it in this session",
    "transition": "{tool} usually followed the tools before it",
    "pair": "peers often used {tool} on this target",
    "volume": "the numeric arguments were near their usual size",
    "number": "the sizes were near their usual values",
    "read_size": "earlier reads of this session had been of usual size",
    "forest": "timing, sizes and reach together looked like those of other events",
    "half_space": "the channels together looked like those of other events of its peers",
}


class Seen(NamedTuple):
    """One event as the kernels saw it: row i of every array, and the weights that applied.

    `part`: indices within the event of the most novel target part and argument; -1 for none. `number`: the same of
    the largest size and attribute. `measured`: deviation, log2 mean and count of these two. `known`: closed sessions
    of the agent, sessions of its peers, agents, events of the session before.
    """

    event: Event
    bits: np.ndarray
    logs: np.ndarray
    weights: np.ndarray
    factor: float
    forest: float
    half_space: float
    part: tuple[int, int]
    level: tuple[int, int]
    number: tuple[int, int]
    measured: np.ndarray
    known: np.ndarray


def contributions_of(seen: Seen, ignored: tuple[str, ...], models: tuple[float, float]) -> tuple[Contribution, ...]:
    """Return what lifted the event most, the largest first.

    Parameters
    ----------
    seen : Seen
        The event.
    ignored : tuple of str
        Attribute patterns the profile leaves out.
    models : (float, float)
        Weights of forest and half-space trees.
    """
    values = {name: float(v) for name, v in zip(CHANNELS, seen.weights * seen.logs * seen.factor, strict=True)}
    values["forest"] = models[0] * seen.forest * seen.factor
    values["half_space"] = models[1] * seen.half_space * seen.factor
    logs = dict(zip((*CHANNELS, "forest", "half_space"), (*seen.logs, seen.forest, seen.half_space), strict=True))
    parts, numbers = parts_of(seen.event, ignored), numbers_of(seen.event, ignored)
    ranked = sorted((name for name in values if values[name] > 0.0), key=lambda name: -values[name])
    odd = [name for name in ranked if logs[name] > ORDINARY]
    found: dict[str, Contribution] = {}
    for channel in odd or ranked[:1]:
        name = channel.removesuffix("_origin")
        bits = float(seen.bits[CHANNELS.index(channel)]) if channel in CHANNELS else 0.0
        observed, expected, voice, n = _words(name, seen, parts, numbers, bits)
        found[name] = Contribution(
            channel=name, value=_round(values[channel]), bits=_round(bits), observed=observed, expected=expected,
            voice=voice, n=n,
        )  # fmt: skip
    return tuple(found.values())[:LEAD]


def _round(x: float) -> float:
    return round(x, 6)


def _words(
    channel: str, seen: Seen, parts: list[Part], numbers: list[tuple[str, float]], bits: float
) -> tuple[str, str, Voice, int]:
    """Return what a channel observed and expected, who knew, and on how many observations."""
    own, peers = int(seen.known[0]), int(seen.known[1])
    if channel in ("novelty", "arguments"):
        return _novelty_words(seen, parts, 0 if channel == "novelty" else 1)
    if channel in ("number", "volume"):
        return _number_words(seen, numbers, 0 if channel == "number" else 1)
    tool = seen.event.name
    target = f" on {seen.event.target!r}" if seen.event.target is not None else ""
    words: dict[str, tuple[str, str, Voice, int]] = {
        "cooccurrence": (
            f"{tool} after other tools of this session",
            f"tools that go with {tool} in sessions of its peers",
            "peers",
            peers,
        ),
        "transition": (f"{tool} right after the two tools before it", "a tool that usually follows them", "own", own),
        "pair": (f"{tool}{target}", f"pairs its peers use; this one is {bits:.1f} bits rare", "peers", peers),
        "read_size": (
            f"an earlier read {bits:.1f} standard deviations above usual",
            "reads of usual size",
            "peers",
            peers,
        ),
        "rarity": (
            "a value taken from tool output",
            f"values from elsewhere; this is {bits:.1f} bits rare",
            "peers",
            peers,
        ),
        "forest": (
            "an odd mix of sizes, gaps, outcome and reach",
            "mixes like those of recent events",
            "forest",
            peers,
        ),
        "half_space": ("an odd mix of channels", "mixes like those of its peers", "half_space", peers),
    }  # fmt: skip
    return words[channel]


def _novelty_words(seen: Seen, parts: list[Part], which: int) -> tuple[str, str, Voice, int]:
    place, level = seen.part[which], seen.level[which]
    part = parts[place] if 0 <= place < len(parts) else Part("target", seen.event.target or "", None)
    origin = f", value from {part.origin}" if part.origin else ""
    what = "target" if which == 0 else f"argument {part.name}"
    observed = f"{what} {part.value!r} of {seen.event.name}: {_LEVELS[level]}{origin}"
    expected = f"a {'target' if which == 0 else 'value'} this agent has used with {seen.event.name} before"
    own = level <= 1
    return observed, expected, "own" if own else "peers", int(seen.known[0 if own else 1])


def _number_words(seen: Seen, numbers: list[tuple[str, float]], which: int) -> tuple[str, str, Voice, int]:
    place = seen.number[which]
    name, value = numbers[place] if 0 <= place < len(numbers) else ("number", 0.0)
    deviation, mean, count = (float(x) for x in seen.measured[which])
    usual = 2.0 ** abs(mean) - 1.0
    observed = f"{name} = {value:g}, {deviation:+.1f} standard deviations"
    return observed, f"about {-usual if mean < 0 else usual:.3g}", "own", int(count)


def normal_if(contributions: tuple[Contribution, ...], tool: str) -> str:
    """Return what would have made the event unremarkable, from its largest contribution."""
    if not contributions:
        return "nothing stood out"
    return "normal if " + _NORMAL[contributions[0].channel].format(tool=tool)


def taxonomy(contributions: tuple[Contribution, ...]) -> dict[str, Any]:
    """Return the OWASP ASI and MITRE ATLAS ids of the two largest contributions."""
    lead = [c.channel for c in contributions[:2]]
    asi = dict.fromkeys(uid for channel in lead for uid in _ASI[channel])
    atlas = dict.fromkeys(uid for channel in lead for uid in _ATLAS.get(channel, ()))
    return {"asi": tuple(asi), "atlas": tuple(atlas)}
