"""Novelty of a target and of each argument: how new the value is, and how unusual that level is here.

A value of a tool's argument (the target is one of them) stands on one of six levels:

0. this agent used it here; 1. its peers did; 2. peers used it with another tool; 3. peers used its
coarse place (or shape) here; 4. with another tool; 5. nobody knows anything like it.

The evidence is ``-log2 P(level or higher)`` where it was met, not the rarity of the value itself:
odd strings are common where everything is odd. Levels and contexts: study H, sections 3.2 and 3.3.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from detector.sketches.hashing import mix
from detector.sketches.keys import is_known
from detector.sketches.levels import back_off, note_level, root

_BY_PLACE = np.uint64(0x5B1D2C3E4F607182)
_OF_TARGET = np.uint64(0x3C6EF372FE94F82B)
_NOT_OK = np.uint64(0xA54FF53A5F1D36F1)
_UNTOLD = np.uint64(1)


@njit(cache=True)
def value_key(tool: np.uint64, name: np.uint64, value: np.uint64) -> np.uint64:
    """Return the key of a value of one tool's argument."""
    return mix(mix(tool, name), value)


@njit(cache=True)
def any_tool_key(name: np.uint64, value: np.uint64) -> np.uint64:
    """Return the key of a value of an argument, whatever the tool."""
    return mix(name, value)


@njit(cache=True)
def place_key(tool: np.uint64, name: np.uint64, place: np.uint64) -> np.uint64:
    """Return the key of a coarse place, or shape, of one tool's argument."""
    return mix(mix(tool, name), place) ^ _BY_PLACE


@njit(cache=True)
def any_place_key(name: np.uint64, place: np.uint64) -> np.uint64:
    """Return the key of a coarse place, or shape, whatever the tool."""
    return mix(name, place) ^ _BY_PLACE


@njit(cache=True)
def level_of(own: np.ndarray, peers: np.ndarray, tool: np.uint64, part: np.ndarray, tick: np.uint64) -> int:
    """Return the level of a value: 0 (this agent knows it) to 5 (nobody knows anything like it).

    ``own`` and ``peers`` are the keys of agent and peer group; ``part`` holds the hashes of the
    argument's name, the value and its coarse place.
    """
    key = value_key(tool, part[0], part[1])
    if is_known(own, key, tick):
        return 0
    if is_known(peers, key, tick):
        return 1
    if is_known(peers, any_tool_key(part[0], part[1]), tick):
        return 2
    if is_known(peers, place_key(tool, part[0], part[2]), tick):
        return 3
    if is_known(peers, any_place_key(part[0], part[2]), tick):
        return 4
    return 5


@njit(cache=True)
def _outcome(context: np.uint64, failed: int) -> np.uint64:
    return context ^ _NOT_OK if failed else context


@njit(cache=True)
def target_bits(fleet: np.ndarray, levels: np.ndarray, tool: np.uint64, failed: int, level: int) -> float:
    """Return the surprise of a target's level: (group, tool, outcome), (group, tool), (group, outcome), (outcome)."""
    if level == 0:
        return 0.0
    of_tool = mix(tool, _OF_TARGET)
    p = back_off(fleet, _outcome(_OF_TARGET, failed), level, root(level))
    p = back_off(levels, _outcome(_OF_TARGET, failed), level, p)
    p = back_off(levels, of_tool, level, p)
    p = back_off(levels, _outcome(mix(of_tool, _OF_TARGET), failed), level, p)
    return -math.log2(p)


@njit(cache=True)
def argument_bits(levels: np.ndarray, tool: np.uint64, name: np.uint64, level: int) -> float:
    """Return the surprise of an argument's level: (group, tool, argument), (group, argument), (group)."""
    if level == 0:
        return 0.0
    p = back_off(levels, _UNTOLD, level, root(level))
    p = back_off(levels, name, level, p)
    p = back_off(levels, mix(tool, name), level, p)
    return -math.log2(p)


@njit(cache=True)
def learn_target_level(fleet: np.ndarray, levels: np.ndarray, tool: np.uint64, failed: int, level: int) -> None:
    """Count the level of a target in its contexts."""
    of_tool = mix(tool, _OF_TARGET)
    note_level(fleet, _outcome(_OF_TARGET, failed), level)
    note_level(levels, _outcome(_OF_TARGET, failed), level)
    note_level(levels, of_tool, level)
    note_level(levels, _outcome(mix(of_tool, _OF_TARGET), failed), level)


@njit(cache=True)
def learn_argument_level(levels: np.ndarray, tool: np.uint64, name: np.uint64, level: int) -> None:
    """Count the level of an argument in its contexts."""
    note_level(levels, _UNTOLD, level)
    note_level(levels, name, level)
    note_level(levels, mix(tool, name), level)


@njit(cache=True)
def origin_bits(origins: np.ndarray, tool: np.uint64, name: np.uint64) -> float:
    """Return the surprise that this argument's value came from tool output."""
    p = back_off(origins, _UNTOLD, 1, 0.5)
    p = back_off(origins, name, 1, p)
    p = back_off(origins, mix(tool, name), 1, p)
    return -math.log2(max(p, 1e-9))


@njit(cache=True)
def learn_origin(origins: np.ndarray, tool: np.uint64, name: np.uint64, from_tool: bool) -> None:
    """Count whether a value came from tool output."""
    level = 1 if from_tool else 0
    note_level(origins, _UNTOLD, level)
    note_level(origins, name, level)
    note_level(origins, mix(tool, name), level)
