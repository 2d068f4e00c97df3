"""Known: the keys under which a value, and its coarse place or shape, are remembered, and the level it stands on.

A tool's value met only in calls that failed has keys of its own: calls that fail lean on them, calls that succeed not.
Levels: ``docs/science.md``, *Values*; failures: *What is declared*.
"""

from __future__ import annotations

import numpy as np

from detector.sketches.hashing import mix
from detector.sketches.kernel import kernel
from detector.sketches.keys import is_known

_BY_PLACE = np.uint64(0x5B1D2C3E4F607182)
_FAILING = np.uint64(0x71374491428A2F98)


@kernel
def value_key(tool: np.uint64, name: np.uint64, value: np.uint64) -> np.uint64:
    """Return the key of a value of one tool's argument."""
    return mix(mix(tool, name), value)


@kernel
def any_tool_key(name: np.uint64, value: np.uint64) -> np.uint64:
    """Return the key of a value of an argument, whatever the tool."""
    return mix(name, value)


@kernel
def place_key(tool: np.uint64, name: np.uint64, place: np.uint64) -> np.uint64:
    """Return the key of a coarse place, or shape, of one tool's argument."""
    return mix(mix(tool, name), place) ^ _BY_PLACE


@kernel
def any_place_key(name: np.uint64, place: np.uint64) -> np.uint64:
    """Return the key of a coarse place, or shape, whatever the tool."""
    return mix(name, place) ^ _BY_PLACE


@kernel
def as_failed(key: np.uint64) -> np.uint64:
    """Return the key under which a value is known that was only met in calls that failed."""
    return key ^ _FAILING


@kernel
def _is_met(cells: np.ndarray, key: np.uint64, tick: np.uint64, failed: int) -> bool:
    """Return whether a value is known; a call that failed may lean on calls that failed."""
    return is_known(cells, key, tick) or (failed != 0 and is_known(cells, as_failed(key), tick))


@kernel
def level_of(
    own: np.ndarray, peers: np.ndarray, tool: np.uint64, part: np.ndarray, tick: np.uint64, failed: int
) -> int:
    """Return the level of a value: 0 (this agent knows it) to 5 (nobody knows anything like it).

    ``own`` and ``peers`` are the keys of agent and peer group; ``part`` holds the hashes of the
    argument's name, the value and its coarse place. A tool's value met only in calls that failed is known to
    calls that fail; to those that succeed no more than a value of other tools: a call rehearsed without success is new
    when it succeeds.
    """
    key = value_key(tool, part[0], part[1])
    if _is_met(own, key, tick, failed):
        return 0
    if _is_met(peers, key, tick, failed):
        return 1
    if is_known(peers, any_tool_key(part[0], part[1]), tick):
        return 2
    if is_known(peers, place_key(tool, part[0], part[2]), tick):
        return 3
    if is_known(peers, any_place_key(part[0], part[2]), tick):
        return 4
    return 5
