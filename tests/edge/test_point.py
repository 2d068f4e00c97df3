"""An enforcement point: records in, answers and acknowledgements out, and why it is not ready."""

from __future__ import annotations

from typing import Any

import pytest

from detector.edge.metrics import EdgeMetrics
from detector.edge.point import EnforcementPoint, HookRequest
from detector.edge.view import PolicyView
from detector.schema.acks import PolicyAck
from tests.edge.recordings import MADE_UP
from tests.edge.states import SUBJECT, SetClock, record, released, state


class Scene:
    """A point whose clocks and Kafka are set by the test."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.monotonic, self.metrics = SetClock(150.0), SetClock(1_000.0), EdgeMetrics()
        self.acks: list[PolicyAck] = []
        self.takes = True
        view = PolicyView(self.clock, self.monotonic, **settings)
        self.point = EnforcementPoint(view, "edge/host", self.metrics, self._send)

    def _send(self, ack: PolicyAck) -> bool:
        if self.takes:
            self.acks.append(ack)
        return self.takes

    def ask(self, body: bytes = MADE_UP["codex"], subject: str = SUBJECT) -> int:
        """Return how the point answers: bytes on standard output or error, 0 for an allowed call."""
        status, out, said = self.point.answer(HookRequest(body, (subject,)))
        return len(out) + len(said) + status

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample of the metrics."""
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.point.confirmed(1_000.0)
    return made


def test_a_live_state_is_acknowledged_and_the_time_to_the_first_denial_taken(scene: Scene) -> None:
    """From the event behind it (100) to its being here (150) to the first call denied (160)."""
    scene.point.heard(*record(state()), written_at=149.5)
    (applied,) = scene.acks
    assert (applied.status, applied.tier, applied.first_at) == ("applied", "isolate", 150.0)
    assert scene.value("detector_edge_apply_seconds_sum") == 0.5
    scene.clock.now = 160.0
    assert scene.ask()
    scene.clock.now = 163.0
    assert scene.ask()
    assert [ack.status for ack in scene.acks] == ["applied", "denied"]
    assert scene.value("detector_edge_containment_seconds_count") == 1
    assert scene.value("detector_edge_containment_seconds_sum") == 60.0
    assert scene.value("detector_edge_answers_total", product="codex", why="tool", denied="true") == 2


@pytest.mark.parametrize(("now", "told"), [(99.9, ["isolate"]), (250.0, ["limit"]), (300.0, [])])
def test_what_is_applied_is_told_with_the_tier_that_will_hold(scene: Scene, now: float, told: list[str]) -> None:
    """Also by a clock that is a little behind; of a state that is over by then there is nothing to tell."""
    scene.clock.now = now
    scene.point.heard(*record(state()), written_at=now)
    assert [ack.tier for ack in scene.acks] == told


def test_an_agent_that_nothing_binds_is_answered_and_not_acknowledged(scene: Scene) -> None:
    """The harmless twin."""
    scene.point.heard(*record(state()), written_at=149.0)
    scene.acks.clear()
    assert not scene.ask(subject="default/agent/codex/else")
    assert scene.acks == []
    assert scene.value("detector_edge_answers_total", product="codex", why="free", denied="false") == 1


def test_what_comes_after_the_call_is_left_alone(scene: Scene) -> None:
    """There is nothing to deny, and no allowance to use up."""
    scene.point.heard(*record(state(tier="limit")))
    after = MADE_UP["codex"].replace(b"PreToolUse", b"PostToolUse")
    assert not any(scene.ask(after) for _ in range(20))
    assert scene.ask() == 0


def test_a_call_that_cannot_be_read_is_denied_to_who_is_contained_only(scene: Scene) -> None:
    """Being unreadable is no way past, and no fault of who is free."""
    scene.point.heard(*record(state()))
    assert scene.ask(b"{")
    assert not scene.ask(b"{", subject="default/agent/x")


def test_repeats_are_handed_on_when_their_time_is_over(scene: Scene) -> None:
    """And all of them at the end."""
    scene.point.heard(*record(state()))
    for _ in range(5):
        scene.ask()
    scene.point.tick()
    assert [ack.count for ack in scene.acks] == [1, 1]
    scene.point.tick(is_last=True)
    assert [ack.count for ack in scene.acks] == [1, 1, 4]


def test_acknowledgements_that_are_lost_are_counted_in_the_next(scene: Scene) -> None:
    """Kafka's queue is full: the answer does not wait, and the gap can be seen."""
    scene.takes = False
    scene.point.heard(*record(state()))
    assert scene.ask()
    assert scene.value("detector_edge_acks_lost_total") == 2
    scene.takes = True
    scene.point.heard(*record(state(revision=2)))
    scene.ask()
    assert [ack.lost for ack in scene.acks] == [2, 0]


def test_records_that_are_left_out_are_counted_by_why(scene: Scene) -> None:
    """Each by its name."""
    scene.point.heard(SUBJECT.encode(), b"{")
    scene.point.heard(b"x", record(state())[1])
    scene.point.heard(*record(state(revision=3)))
    scene.point.heard(*record(state(revision=2)))
    for why in ("malformed", "mismatched", "applied", "older"):
        assert scene.value("detector_edge_records_total", applied=why) == 1


def test_the_copy_follows_what_binds(scene: Scene) -> None:
    """Asked for only when something may have changed, and again after it could not be written."""
    assert scene.point.changed() == []
    assert scene.point.changed() is None
    scene.point.heard(*record(state()))
    assert scene.point.changed() == [(SUBJECT, state())]
    scene.point.touch()
    assert scene.point.changed() == [(SUBJECT, state())]
    scene.point.heard(*record(released()))
    assert scene.point.changed() == []


def test_a_view_that_was_never_whole_is_not_copied() -> None:
    """Half of it would free the other half."""
    scene = Scene()
    scene.point.heard(*record(state()))
    assert scene.point.changed() is None


@pytest.mark.parametrize(("fail", "words"), [("closed", "every call is denied"), ("static", "what was read last")])
def test_it_says_why_it_is_not_ready(fail: str, words: str) -> None:
    """Not read yet; read too long ago, and what that means; ready in between."""
    scene = Scene(fail=fail)
    scene.point.why_not_read = "policy topic agent.policy cannot be read: no broker"
    assert scene.point.why_not_ready() == "policy topic agent.policy cannot be read: no broker"
    scene.point.confirmed(1_000.0)
    assert scene.point.why_not_ready() is None
    scene.monotonic.now += 31.0
    assert words in (scene.point.why_not_ready() or "")
    scene.point.tick()
    assert scene.value("detector_edge_policy_age_seconds") == 31.0


def test_a_full_view_is_not_ready() -> None:
    """Somebody must give it room."""
    scene = Scene(most=1)
    scene.point.confirmed(1_000.0)
    scene.point.heard(*record(state()))
    scene.point.heard(*record(state(subject="default/agent/b")))
    assert "restart" in (scene.point.why_not_ready() or "")
