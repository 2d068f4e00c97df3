"""A command is proven when an enforcement point acknowledges it, and overdue when none has by its deadline."""

from __future__ import annotations

from typing import Any

import pytest

from detector.response import acknowledged
from detector.response.acknowledged import AckWatch, FirstAck
from detector.schema.acks import PolicyAck, ack_id
from detector.schema.command import PolicyState
from tests.edge.states import released, state


def ack(one: PolicyState, at: float = 101.0, point: str = "edge-1", **fields: Any) -> PolicyAck:
    """Return an acknowledgement of a state."""
    plain = {"ack_id": ack_id(one.command_id, point, repr(at)), "command_id": one.command_id, "revision": one.revision}
    rest = {"subject": one.subject, "point": point, "status": "applied", "tier": one.tier}
    return PolicyAck(**{**plain, **rest, "first_at": at, "last_at": at, **fields})


def overdue(watch: AckWatch, now: float) -> list[str]:
    """Return the subjects that are overdue."""
    return [one.state.subject for one in watch.overdue(now)]


def test_a_command_nobody_acknowledges_is_overdue_after_its_deadline() -> None:
    """Five seconds after it was written; before, it may still come."""
    watch = AckWatch()
    assert watch.note(state(), 110.0) is None
    assert (overdue(watch, 114.9), overdue(watch, 115.1)) == ([], [state().subject])


@pytest.mark.parametrize("is_ack_first", [True, False])
def test_whichever_topic_is_read_first_an_acknowledged_command_is_not_overdue(is_ack_first: bool) -> None:
    """And how long it took is told once."""
    watch = AckWatch()
    heard = watch.hear(ack(state(), 100.4)) if is_ack_first else None
    noted = watch.note(state(), 100.1)
    proven = noted if is_ack_first else watch.hear(ack(state(), 100.4))
    assert heard is None
    assert proven is not None
    assert (proven.ack, round(proven.took_s, 3)) == (FirstAck(100.4, "edge-1"), 0.3)
    assert watch.hear(ack(state(), 100.5, "edge-2")) is None
    assert (overdue(watch, 150.0), watch.first_of(state().command_id)) == ([], FirstAck(100.4, "edge-1"))


@pytest.mark.parametrize("status", ["denied", "allowed"])
def test_an_answer_under_a_command_proves_it_too(status: str) -> None:
    """What was denied under it holds there."""
    watch = AckWatch()
    watch.note(state(), 100.0)
    assert watch.hear(ack(state(), status=status)) is not None
    assert overdue(watch, 150.0) == []


@pytest.mark.parametrize("one", [state(mode="shadow"), released(), state(on_expiry="release", expires_at=104.0)])
def test_a_shadow_a_release_and_what_is_over_wait_for_nobody(one: PolicyState) -> None:
    """They bind nobody."""
    watch = AckWatch()
    watch.note(one, 100.0)
    assert overdue(watch, 150.0) == []


def test_a_release_ends_the_waiting_and_a_prolonging_does_not_begin_it_anew() -> None:
    """The same command is due when it first was; another one is due later."""
    watch = AckWatch()
    watch.note(state(), 100.0)
    watch.note(state(revision=2), 104.0)
    assert overdue(watch, 106.0) == [state().subject]
    watch.note(state(revision=3, command_id="c" * 32), 106.0)
    assert (overdue(watch, 110.0), overdue(watch, 112.0)) == ([], [state().subject])
    watch.note(state(revision=2), 113.0)
    watch.note(released(revision=4), 114.0)
    assert overdue(watch, 150.0) == []


def test_an_acknowledgement_of_another_command_proves_nothing() -> None:
    """Of a former one of the same agent, or an invented one."""
    watch = AckWatch()
    watch.note(state(), 100.0)
    assert watch.hear(ack(state(), command_id="x" * 32)) is None
    assert overdue(watch, 150.0) == [state().subject]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many agents are contained, and whatever an enforcement point makes up."""
    monkeypatch.setattr(acknowledged, "MOST_WATCHED", 3)
    watch = AckWatch()
    for n in range(9):
        watch.note(state(subject=f"t/agent/{n}"), 100.0)
        watch.hear(ack(state(), command_id=f"c-{n}"))
    assert (len(watch._commands), len(watch._heard)) == (3, 3)
    assert overdue(watch, 150.0) == ["t/agent/6", "t/agent/7", "t/agent/8"]
