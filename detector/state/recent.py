"""How many recent sessions a score was held against, told apart from those that its batch brought later."""

from __future__ import annotations

import numpy as np

from detector.memory.layout import PLAIN
from detector.state.partition import Partition
from detector.steps.judge import CLOSED_SESSIONS


def recent_at(state: Partition, i: int) -> int:
    """Return how many scored sessions of the window had closed when an event was judged, however the input is cut.

    Sessions that later closes of the batch brought are taken off again. It is what the window was offered: those that
    may not be held against anybody, confirmed attacks for example, are counted too.
    """
    work, standing = state.work, state.standing
    rows = int(work.closes.count[0])
    closed = float(standing.totals[CLOSED_SESSIONS]) - np.arange(rows - 1, -1, -1)
    is_noted = (work.judgements.closed_score[:rows] >= 0.0) & (closed > state.settings.judge.warm_sessions)
    later = int(np.count_nonzero(is_noted & (work.closes.at[:rows] > i)))
    return min(int(standing.rolling.used[PLAIN, 1]) - later, int(standing.rolling.ordered.shape[1]))
