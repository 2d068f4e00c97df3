"""What an alert says is usual: noted as the event finds it, for later events of the batch may change it.

Nothing here is scored, or learned: an event only shows the text of a value that its agent or its peers know by then.
"""

from __future__ import annotations

import numpy as np

from detector.channels.catalogue import position
from detector.channels.context import JUDGED, OF_ARGUMENT, OF_TARGET, Context, Surroundings
from detector.channels.values import tool_of
from detector.intake.columns import TOOL_NAME, Columns
from detector.sketches.kernel import kernel
from detector.sketches.usual import Usual, copy_usual, is_wanted, place_key, tell_usual

NOBODY, OWN, PEERS = range(3)
"""Whose usual values are noted of an event."""
ODD = 0.5
"""-log10 p of a channel from which on its event's usual values are noted: what says less is not told."""
_TARGETS = (position("novelty"), position("novelty_origin"), position("pair"))
_ARGUMENTS = (position("arguments"), position("arguments_origin"), position("arguments_origin"))


@kernel
def _is_odd(logs: np.ndarray, channels: tuple[int, int, int]) -> bool:
    return logs[channels[0]] > ODD or logs[channels[1]] > ODD or logs[channels[2]] > ODD


@kernel
def _note_side(usual: Usual, at: Surroundings, columns: Columns, i: int, side: int, out: Context) -> None:
    """Write the usual values beside the oddest target or argument: the agent's own, else its peers'."""
    part = columns.part[out.which[i, side]]
    tool, values, counts = columns.ident[i, TOOL_NAME], out.usual[i, side], out.usual_count[i, side]
    owner = tool_of(tool, part[0])
    if copy_usual(usual, place_key(at.agent["name"], owner, part[0]), part[1], values, counts):
        out.usual_of[i, side] = OWN
    elif at.group["name"] != 0 and copy_usual(
        usual, place_key(at.group["name"], owner, part[0]), part[1], values, counts
    ):
        out.usual_of[i, side] = PEERS


@kernel
def _tell(usual: Usual, at: Surroundings, columns: Columns, i: int, m: int, out: Context) -> None:
    """Note a part whose text somebody wanted; strangers, who are of many tenants, show each other nothing."""
    part = columns.part[m]
    owner = tool_of(columns.ident[i, TOOL_NAME], part[0])
    is_told = tell_usual(usual, place_key(at.agent["name"], owner, part[0]), part[1])
    if at.group["name"] != 0:
        is_told |= tell_usual(usual, place_key(at.group["name"], owner, part[0]), part[1])
    if is_told:
        out.told[out.told_count[0], 0], out.told[out.told_count[0], 1] = i, m
        out.told_count[0] += 1


@kernel
def look_for_usual(usual: Usual, at: Surroundings, columns: Columns, i: int, out: Context) -> None:
    """Write what is usual beside an odd event, and which of its parts are to be kept as text."""
    out.usual_of[i] = NOBODY
    for m in range(columns.parts_end[i], columns.parts_end[i + 1]):
        if is_wanted(usual, columns.part[m, 1]):
            _tell(usual, at, columns, i, m, out)
    if out.state[i] != JUDGED:
        return
    logs, which = out.logs[i], out.which[i]
    if which[OF_TARGET] >= 0 and _is_odd(logs, _TARGETS):
        _note_side(usual, at, columns, i, OF_TARGET, out)
    if which[OF_ARGUMENT] >= 0 and _is_odd(logs, _ARGUMENTS):
        _note_side(usual, at, columns, i, OF_ARGUMENT, out)
