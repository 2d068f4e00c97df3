"""Liveness and readiness say what is wrong."""

from __future__ import annotations

import pytest

from detector.worker.health import Health


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(5.0, clock)


def _ready(health: Health) -> None:
    health.hold(2)
    health.is_policy_restored = True


def test_a_worker_outside_its_group_is_not_ready(health: Health) -> None:
    """No place, no partitions, no policy: each is said."""
    assert health.why_not_ready() == "no place in the consumer group yet"
    health.hold(0)
    assert "more workers than partitions" in (health.why_not_ready() or "")
    health.hold(2)
    assert "policy" in (health.why_not_ready() or "")
    health.is_policy_restored = True
    assert health.why_not_ready() is None


def test_a_rebalance_takes_readiness_away(health: Health) -> None:
    """From revoke to the next assignment the worker is not ready."""
    _ready(health)
    health.lose()
    assert health.why_not_ready() == "no place in the consumer group yet"


def test_an_old_checkpoint_takes_readiness_away(health: Health, clock: Clock) -> None:
    """A state topic that takes no writes shows within a minute."""
    _ready(health)
    clock.now += 59
    health.beat()
    assert health.why_not_ready() is None
    clock.now += 2
    health.beat()
    assert "61 s old" in (health.why_not_ready() or "")
    health.checkpointed()
    assert health.why_not_ready() is None


def test_a_stuck_event_loop_is_not_alive(health: Health, clock: Clock) -> None:
    """Liveness needs no group, only a loop that turns."""
    assert health.why_not_live() is None
    clock.now += 31
    assert "restart" in (health.why_not_live() or "")


def test_a_worker_that_compiles_is_alive_and_says_how_far_it_is(health: Health, clock: Clock) -> None:
    """No event loop turns yet, for minutes on a busy machine; a restart would begin from the first kernel."""
    health.starting("compiling 3 of 57 kernels: steps.look.observe")
    clock.now += 600
    assert health.why_not_live() is None
    assert health.why_not_ready() == "compiling 3 of 57 kernels: steps.look.observe"
    health.started()
    assert health.why_not_live() is None
    assert health.why_not_ready() == "no place in the consumer group yet"
    clock.now += 31
    assert "restart" in (health.why_not_live() or "")
