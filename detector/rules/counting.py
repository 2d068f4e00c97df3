"""How many different things an agent touched lately, against the most it touched so far: bounded, in a rule's notes."""

from __future__ import annotations

import hashlib
from typing import Any, Final

MOST_KEYS: Final = 16
"""Counts of an agent and rule that are followed at once, the ones used last."""
TIMES: Final = 4
"""How far beyond an agent's own most a count must be: four times, so that a habit that doubles is no finding."""


def digest_of(*texts: str | None) -> str:
    """Return what tells texts from others, and not what they say.

    Examples
    --------
    >>> digest_of("a", None) == digest_of("a", None) != digest_of("a", "")
    True
    """
    joined = "\0".join(["\1" if one is None else one for one in texts])
    return hashlib.blake2b(joined.encode(), digest_size=8).hexdigest()


def distinct(kept: dict[str, Any], key: str, thing: str, now: float, limits: tuple[int, float]) -> int:
    """Count a thing, and return how many different ones came lately if that is out of the ordinary, else 0.

    Out of the ordinary is a count of at least so many, and :data:`TIMES` the most of this agent before. Its most is
    taken up when a stretch is over, so a stretch that goes on is held against what was before it.

    Parameters
    ----------
    kept : dict
        What the rule keeps of the agent.
    key : str
        What is counted apart, for example a tool.
    thing : str
        Digest of what is counted.
    now : float
        The partition's time.
    limits : (int, float)
        The least count that is told, and seconds that are lately.
    """
    least, window = limits
    one = kept.pop(key, None) or {"seen": {}, "most": 0, "peak": 0}
    kept[key] = one
    while len(kept) > MOST_KEYS:
        del kept[next(iter(kept))]
    seen = one["seen"]
    for old in list(seen):
        if now - seen[old] < window:
            break
        del seen[old]
    if not seen:
        one["most"], one["peak"] = max(one["most"], one["peak"]), 0
    seen.pop(thing, None)
    seen[thing] = now
    while len(seen) > TIMES * TIMES * least:
        del seen[next(iter(seen))]
    count = len(seen)
    one["peak"] = max(one["peak"], count)
    return count if count >= max(least, TIMES * one["most"]) else 0
