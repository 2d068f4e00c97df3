"""Simulated events on their way out: paced, and by the wall clock."""

from __future__ import annotations

from itertools import islice

import pytest

from detector.demo.produce import as_it_happens, paced
from detector.simulate.fleet import Fleet
from detector.simulate.render import Simulated


class Watch:
    """A clock that moves only when somebody waits."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def read(self) -> float:
        """Return the time."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass."""
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def events() -> list[Simulated]:
    """Return some events of a small fleet."""
    return list(islice(Fleet(agents=20, seed=1).stream(), 300))


def test_a_rate_is_kept(events: list[Simulated]) -> None:
    """Three hundred events at fifty a second take six seconds less one step, and none is lost."""
    watch = Watch()
    assert list(paced(events, 50.0, watch.read, watch.wait)) == events
    assert watch.now == pytest.approx(299 / 50)


def test_a_slow_reader_is_not_waited_for(events: list[Simulated]) -> None:
    """What took longer than its share is made up for: the rate holds over the whole."""
    watch = Watch()
    for number, _ in enumerate(paced(events, 50.0, watch.read, watch.wait)):
        if number == 10:
            watch.now += 3.0
    assert watch.now == pytest.approx(299 / 50)


def test_events_come_when_the_wall_clock_reaches_them(events: list[Simulated]) -> None:
    """Those of the past at once, the others on time."""
    watch = Watch(events[100].ts_ms / 1000)
    told = [watch.now for _ in as_it_happens(events, watch.read, watch.wait)]
    assert told[0] == told[99] == events[100].ts_ms / 1000
    assert [round(at * 1000) for at in told[100:]] == [event.ts_ms for event in events[100:]]
