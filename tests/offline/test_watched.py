"""Where the threshold stood while a stream was scored."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from detector.offline.core import Core
from detector.offline.study import made_up_stream
from detector.offline.watched import WatchedCore


def test_the_gauges_are_taken_down_and_nothing_else_changes() -> None:
    """A row a batch, times that do not fall; no line while too few sessions have closed; scores as of any core."""
    stream = made_up_stream(agents=12, attacks_of_each=1)
    lines = stream.lines[:3_000]
    watched, plain = WatchedCore(trusted_until=stream.live_start), Core(trusted_until=stream.live_start)
    for start in range(0, len(lines), 500):
        batch = lines[start : start + 500]
        np.testing.assert_array_equal(watched.process(batch), plain.process(batch))
    assert len(watched.course) == 6
    times = [row["at"] for row in watched.course]
    assert times == sorted(times)
    assert watched.course[0]["threshold"] is None
    gauges = plain.pipeline.gauges()
    assert watched.course[-1]["threshold"] == gauges["threshold"] == pytest.approx(2.0)
    assert watched.course[-1]["threshold_evidence"] == gauges["threshold_evidence"] > 0.0
    assert watched.course[-1]["promised"] == 0.01


def test_a_batch_without_an_event_has_a_time_all_the_same() -> None:
    """Nothing was seen yet: the beginning of time."""
    core = WatchedCore()
    core.process([b"no event"])
    assert core.course[0]["at"] == datetime.fromtimestamp(0.0, UTC)
