"""Nobody is ahead of the broker: an event that says it is from later than its record counts as of its record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec.structs import replace

from detector.intake.columns import Columns
from detector.schema.event import Event

SKEW_S = 60.0
"""Seconds that an honest clock may be ahead of the broker's (``docs/science.md``, *Time*)."""


def hold_to_receipt(
    events: Sequence[Event], receipts: Sequence[int | None], columns: Columns
) -> tuple[Sequence[Event], int]:
    """Return the events, none later than its receipt and the skew allow, and how many were.

    Parameters
    ----------
    events : sequence of Event
        A micro-batch whose columns are filled.
    receipts : sequence of int or None
        When the broker got each one's record, milliseconds since the epoch; None where only its sender says when.
    columns : Columns
        ``receipt`` is written, ``ts`` where an event was ahead.
    """
    known = columns.receipt[: len(events)]
    if receipts.count(None) == len(receipts):
        known[:] = np.nan
        return events, 0
    known[:] = np.array(receipts, np.float64) / 1_000.0  # of None it makes NaN
    ahead = np.flatnonzero(columns.ts[: len(events)] > known + SKEW_S)  # nothing is more than NaN
    if not len(ahead):
        return events, 0
    held = list(events)
    for i in ahead.tolist():
        columns.ts[i] = known[i]
        held[i] = replace(held[i], ts=datetime.fromtimestamp(known[i], UTC))
    return held, len(ahead)
