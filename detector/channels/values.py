"""Values: how new a target and each argument is, and how unusual that is here; with origins, how it got there.

A value of a tool's argument (the target is one of them) stands on one of six levels:

0. this agent used it here; 1. its peers did; 2. peers used it with another tool; 3. peers used its
coarse place (or shape) here; 4. with another tool; 5. nobody knows anything like it.

The evidence is ``-log2 P(level or higher)`` where it was met, not the rarity of the value itself:
odd strings are common where everything is odd. Levels and contexts: ``docs/science.md``, *Values*.
"""

from __future__ import annotations

import math

import numpy as np

from detector.channels.catalogue import position
from detector.channels.context import (
    ARGUMENT_PART,
    AS_FAILED,
    NO_ORIGIN,
    OF_ARGUMENT,
    OF_TARGET,
    OTHER_ORIGIN,
    TARGET_PART,
    TOOL_ORIGIN,
    TOP_ARGUMENTS,
    Context,
    KernelRules,
    Room,
    Surroundings,
)
from detector.channels.known import level_of
from detector.channels.sequence import always_aims, always_tells
from detector.intake.columns import DEALING, FINE, STANDING, TOOL, TOOL_NAME, UNREAD, Columns
from detector.memory import sessions as ses
from detector.memory.observations import note_part
from detector.sketches.hashing import mix
from detector.sketches.kernel import kernel
from detector.sketches.levels import LEVELS, back_off, note_level, root

NOVELTY, ARGUMENTS = position("novelty"), position("arguments")
NOVELTY_ORIGIN, ARGUMENTS_ORIGIN = position("novelty_origin"), position("arguments_origin")
RARITY = position("rarity")
NEW_TO_PEERS = 2
"""From this level on a value is new to the peers with this tool, and counts as reach."""
ORIGIN_PRIOR = 0.5
"""P(from tool output) where nothing is known of any argument."""
LEAST_ORIGIN_P = 1e-9
"""No origin is rarer than this."""
_OF_TARGET = np.uint64(0x3C6EF372FE94F82B)
_NOT_OK = np.uint64(0xA54FF53A5F1D36F1)
_UNTOLD = np.uint64(1)


@kernel
def _outcome(context: np.uint64, failed: int) -> np.uint64:
    return context ^ _NOT_OK if failed else context


@kernel
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


@kernel
def _is_apart(name: np.uint64) -> bool:
    """Return whether a part is none of the arguments: it tells nothing of how usual new ones are."""
    return name in (STANDING, DEALING, UNREAD)


@kernel
def argument_bits(levels: np.ndarray, tool: np.uint64, name: np.uint64, level: int) -> float:
    """Return the surprise of an argument's level: (group, tool, argument), (group, argument), (group).

    Who acts, with whom, and what goes unread, are no arguments: they back off to nothing.
    """
    if level == 0:
        return 0.0
    p = root(level)
    if not _is_apart(name):
        p = back_off(levels, _UNTOLD, level, p)
    if tool != name:
        p = back_off(levels, name, level, p)
    p = back_off(levels, mix(tool, name), level, p)
    return -math.log2(p)


@kernel
def learn_target_level(fleet: np.ndarray, levels: np.ndarray, tool: np.uint64, failed: int, level: int) -> None:
    """Count the level of a target in its contexts."""
    of_tool = mix(tool, _OF_TARGET)
    note_level(fleet, _outcome(_OF_TARGET, failed), level)
    note_level(levels, _outcome(_OF_TARGET, failed), level)
    note_level(levels, of_tool, level)
    note_level(levels, _outcome(mix(of_tool, _OF_TARGET), failed), level)


@kernel
def learn_argument_level(levels: np.ndarray, tool: np.uint64, name: np.uint64, level: int) -> None:
    """Count the level of an argument in its contexts; of what is no argument in its own alone."""
    if not _is_apart(name):
        note_level(levels, _UNTOLD, level)
    if tool != name:
        note_level(levels, name, level)
    note_level(levels, mix(tool, name), level)


@kernel
def origin_bits(origins: np.ndarray, tool: np.uint64, name: np.uint64) -> float:
    """Return the surprise that this argument's value came from tool output (``docs/science.md``, *Origins*)."""
    p = back_off(origins, _UNTOLD, 1, ORIGIN_PRIOR)
    p = back_off(origins, name, 1, p)
    p = back_off(origins, mix(tool, name), 1, p)
    return -math.log2(max(p, LEAST_ORIGIN_P))


@kernel
def learn_origin(origins: np.ndarray, tool: np.uint64, name: np.uint64, from_tool: bool) -> None:
    """Count whether a value came from tool output."""
    level = 1 if from_tool else 0
    note_level(origins, _UNTOLD, level)
    note_level(origins, name, level)
    note_level(origins, mix(tool, name), level)


@kernel
def tool_of(tool: np.uint64, name: np.uint64) -> np.uint64:
    """Return the tool a part belongs to: who acts, and with whom, is one matter whatever the tool."""
    return name if name in (STANDING, DEALING) else tool


@kernel
def _keep_top(top: np.ndarray, x: float) -> None:
    """Put a value among the largest, which stand in descending order."""
    for k in range(len(top)):
        if x > top[k]:
            top[k], x = x, top[k]


@kernel
def _sum(top: np.ndarray) -> float:
    """Return the sum of the largest, the largest first."""
    total = top[0]
    for k in range(1, TOP_ARGUMENTS):
        total += top[k]
    return total


@kernel(inline="always")
def _origins_told(columns: Columns, first: int, stop: int) -> int:
    """Return NO_ORIGIN if nothing is known, TOOL_ORIGIN if some value came from tool output, else OTHER_ORIGIN."""
    found = NO_ORIGIN
    for m in range(first, stop):
        if columns.origin[m] == TOOL:
            return TOOL_ORIGIN
        if columns.origin[m] != 0:
            found = OTHER_ORIGIN
    return found


@kernel(inline="always")
def _finish(at: Surroundings, out: Context, i: int, room: Room, tool: np.uint64, failed: int) -> None:
    """Write what the parts of an event add up to, and which channels had something to say.

    Before any session has closed there is nothing to hold a value against; then a group that is new itself is told
    by the level, and by how many sessions its peers taught. A target that is left out where one always stood is
    one that a liar would not like to tell.
    """
    bits, ready, which = out.bits[i], out.ready[i], out.which[i]
    has_target = which[TARGET_PART] >= 0
    if not has_target and always_aims(at.group, tool):
        has_target = True
        room.best[OF_TARGET] = target_bits(at.fleet["levels"], at.group["levels"], tool, failed, LEVELS - 1)
        bits[NOVELTY_ORIGIN], out.level[i, OF_TARGET] = room.best[OF_TARGET], LEVELS - 1
    bits[NOVELTY] = room.best[OF_TARGET] if has_target else 0.0
    bits[ARGUMENTS] = _sum(room.top[0])
    bits[ARGUMENTS_ORIGIN] = _sum(room.top[1])
    has_history = at.fleet["gate"][0] > 0
    tells = out.origin[i] != NO_ORIGIN
    ready[NOVELTY] = has_history and has_target
    ready[ARGUMENTS] = has_history and which[ARGUMENT_PART] >= 0
    ready[NOVELTY_ORIGIN] = tells and ready[NOVELTY]
    ready[ARGUMENTS_ORIGIN] = tells and ready[ARGUMENTS]
    ready[RARITY] = has_history and out.origin[i] == TOOL_ORIGIN


@kernel(inline="always")
def measure_values(
    at: Surroundings, rules: KernelRules, columns: Columns, out: Context, i: int, room: Room, tick: np.uint64
) -> int:
    """Return how many values of an action are new to the peers; write the family's channels, note its parts."""
    own, peers, levels = at.agent["keys"], at.group["keys"], at.group["levels"]
    tool, failed = columns.ident[i, TOOL_NAME], np.int64(columns.outcome[i] != FINE)
    earned = out.earned[i, AS_FAILED]
    room.top[:, :] = 0.0
    first, stop = columns.parts_end[i], columns.parts_end[i + 1]
    out.origin[i] = _origins_told(columns, first, stop)
    # origins that are left out where they always stood are those a liar would not like to tell
    is_silent = out.origin[i] == NO_ORIGIN and first < stop and always_tells(at.group, tool)
    if is_silent:
        out.origin[i] = TOOL_ORIGIN
    bits_of, which = out.bits[i], out.which[i]
    novel = 0
    for m in range(first, stop):
        part, told = columns.part[m], np.int64(columns.origin[m])
        owner = tool_of(tool, part[0])
        origin = TOOL if is_silent or owner != tool else told
        is_target = columns.is_target[m]
        level = level_of(own, peers, owner, part, tick, failed)
        echoed, was_target = ses.value_seen(at.session, part[1])
        is_fresh = not (is_target and was_target)
        if is_target:
            bits = target_bits(at.fleet["levels"], levels, tool, failed, level)
            if failed and earned < 1.0:
                # a failure explains a strange target only as far as the tool is known to fail
                as_done = target_bits(at.fleet["levels"], levels, tool, np.int64(0), level)
                bits += (1.0 - earned) * max(as_done - bits, 0.0)
            novel += level >= NEW_TO_PEERS and is_fresh
        else:
            bits = argument_bits(levels, owner, part[0], level)
        weighed = bits
        if out.origin[i] != NO_ORIGIN:
            weighed *= (1.0 if origin == TOOL else rules.other_origin) * (rules.echo if echoed else 1.0)
        side = OF_TARGET if is_target else OF_ARGUMENT
        if which[side] < 0 or bits > room.best[side]:
            which[side], room.best[side], out.level[i, side] = m, bits, level
        if is_target:
            bits_of[NOVELTY_ORIGIN] = max(bits_of[NOVELTY_ORIGIN], weighed)
        else:
            _keep_top(room.top[0], bits)
            _keep_top(room.top[1], weighed)
        if origin == TOOL and owner == tool:
            bits_of[RARITY] = max(bits_of[RARITY], origin_bits(at.group["origins"], tool, part[0]))
        note_part(at.session, at.chunks, owner, part, (level, failed, np.int64(is_fresh), told, np.int64(is_target)))
    for m in range(first, stop):
        ses.note_value(at.session, columns.part[m, 1], columns.is_target[m])
    _finish(at, out, i, room, tool, failed)
    return novel
