"""Acts without return, calls pressed through and approvals of one's own, with their harmless twins."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules.acts import LEAST_REFUSED, LEAST_UNDONE, MOST_REFUSED, PRESSED_S, UNDONE_S
from tests.rules.told import causes, found_in, news, of_one
from tests.streams import Script, feed, quick

UNDONE, PRESSED, SELF, FAST = (
    {"enabled": (name,)} for name in ("irreversible_burst", "approval_pressed", "self_approved", "approval_too_fast")
)
DENIED: dict[str, Any] = {"name": "Bash", "target": "rm -r /srv", "outcome": "denied"}


def deletes(count: int, **more: Any) -> list[dict[str, Any]]:
    """Return as many deletions of different things."""
    return [{"name": "delete_node", "target": f"/n/{n}", **more} for n in range(count)]


def test_ten_things_deleted_within_minutes_alert_once() -> None:
    """It tells how many and by which tool."""
    (alert,) = of_one(*deletes(3 * LEAST_UNDONE), **UNDONE)
    assert (alert.detection, alert.severity) == ("rule.irreversible_burst", "high")
    assert alert.contributions[0].observed == (
        "10 acts that nothing takes back within five minutes, the last one delete_node"
    )


def test_payments_without_a_target_count_each_and_several_tools_count_together() -> None:
    """What is irreversible is told by the words of a name."""
    bodies = [{"name": name} for name in ("send_payment", "revokeKey", "mcp__x__wipe_disk", "refund", "drop_table")] * 2
    assert causes(of_one(*bodies, **UNDONE)) == ["rule.irreversible_burst/drop_table"]


@pytest.mark.parametrize(
    "bodies",
    [
        deletes(LEAST_UNDONE - 1), deletes(50, outcome="denied"), deletes(50, outcome="error"), deletes(1) * 50,
        [{**one, "name": "read_node"} for one in deletes(50)], deletes(50, kind="memory"),
        [{**one, "agent_id": f"a-{n % 7}"} for n, one in enumerate(deletes(50))],
    ],
)  # fmt: skip
def test_fewer_what_failed_and_what_can_be_taken_back_are_silent(bodies: list[dict[str, Any]]) -> None:
    """The twins."""
    assert of_one(*bodies, **UNDONE) == []


def test_a_clean_up_by_hand_and_an_agent_whose_work_it_is_are_silent() -> None:
    """One is slower, the other always does so."""
    script, pipeline = Script(), Pipeline(quick(rules=UNDONE))
    for one in deletes(4 * LEAST_UNDONE):
        script.now += UNDONE_S / (LEAST_UNDONE - 1)
        assert found_in(pipeline, script.event(**one)) == []
    pipeline, found = Pipeline(quick(rules=UNDONE)), []
    for day in range(3):
        script.now += 90_000.0
        found += news(pipeline, *(script.event(**{**one, "session_id": f"s-{day}"}) for one in deletes(20)))
    assert found == ["rule.irreversible_burst/delete_node"]


def test_a_call_that_goes_through_after_three_denials_alerts() -> None:
    """It tells after how many."""
    (alert,) = of_one(*[DENIED] * LEAST_REFUSED, {**DENIED, "outcome": "ok"}, **PRESSED)
    assert alert.causes == ("rule.approval_pressed/Bash",)
    assert alert.contributions[0].observed == "Bash went through after 3 denials within ten minutes"


@pytest.mark.parametrize(
    "bodies",
    [
        [*[DENIED] * 2, {**DENIED, "outcome": "ok"}], [*[DENIED] * 9, {**DENIED, "outcome": "error"}],
        [*[DENIED] * 9, {**DENIED, "target": "ls", "outcome": "ok"}],
        [*[DENIED] * 9, {**DENIED, "session_id": "s-2", "outcome": "ok"}],
        [*[DENIED] * 9, {**DENIED, "agent_id": "a-2", "outcome": "ok"}],
        [DENIED, DENIED, {**DENIED, "outcome": "ok"}] * 5,
        [{**DENIED, "outcome": "ok"}, *[DENIED] * 9],
    ],
)  # fmt: skip
def test_a_change_of_mind_after_two_another_call_and_another_session_are_silent(bodies: list[dict[str, Any]]) -> None:
    """The twins: what went through begins the count anew."""
    assert of_one(*bodies, **PRESSED) == []


def test_denials_long_ago_are_a_change_of_policy_and_a_flood_of_them_is_bounded() -> None:
    """And the last ones still count."""
    script, pipeline = Script(), Pipeline(quick(rules=PRESSED))
    feed(pipeline, [script.event(**DENIED) for _ in range(9)])
    script.now += PRESSED_S
    assert news(pipeline, script.event(**{**DENIED, "outcome": "ok"})) == []
    feed(pipeline, [script.event(**{**DENIED, "target": f"t{n}"}) for n in range(500)])
    ((_, facts),) = pipeline.state.rule_memory.shards(full=True).items()
    assert len(facts["approval_pressed"][0][3]) == MOST_REFUSED


DECIDED: dict[str, Any] = {"name": "approval", "kind": "policy", "attributes": {"approved_by": "a-1"}}


def test_an_agent_that_names_itself_as_who_approved_alerts() -> None:
    """Once a day."""
    (alert,) = of_one(DECIDED, DECIDED, **SELF)
    assert (alert.detection, alert.causes) == ("rule.self_approved", ("rule.self_approved/self",))


@pytest.mark.parametrize(
    "body",
    [
        {**DECIDED, "attributes": {"approved_by": "kim"}}, {**DECIDED, "attributes": {}},
        {**DECIDED, "outcome": "denied"},
        {**DECIDED, "attributes": {"requested_by": "a-1"}}, {**DECIDED, "agent_id": "a-2"},
    ],
)  # fmt: skip
def test_a_person_who_approves_and_a_refusal_are_silent(body: dict[str, Any]) -> None:
    """The twins."""
    assert of_one(body, **SELF) == []


def approval(took_ms: float | None = 300.0, **more: Any) -> dict[str, Any]:
    """Return an approval by a person that says how long it took."""
    body = {"name": "deploy", "kind": "policy", "duration_ms": took_ms, "attributes": {"approved_by": "kim"}}
    return {**body, **more}


def test_approvals_faster_than_anybody_reads_alert_at_the_fifth() -> None:
    """Once a day, with how long the last one took."""
    (alert,) = of_one(*(approval() for _ in range(7)), **FAST)
    assert (alert.detection, alert.severity, alert.event_id) == ("rule.approval_too_fast", "medium", "e-5")
    assert "5 approvals in a row" in alert.contributions[0].observed
    assert "300 ms" in alert.contributions[0].observed


def test_how_long_it_took_may_stand_in_an_attribute() -> None:
    """It says more of the person than the decision's own duration does."""
    told = {"attributes": {"approver": "kim", "approval.latency_ms": 400}}
    assert len(of_one(*(approval(60_000.0, **told) for _ in range(5)), **FAST)) == 1
    assert (
        of_one(*(approval(5.0, attributes={**told["attributes"], "latency_ms": 4_000}) for _ in range(4)), **FAST) == []
    )


@pytest.mark.parametrize(
    "bodies",
    [
        [approval()] * 4,
        [approval()] * 4 + [approval(1_000.0)] + [approval()] * 4,
        [approval(attributes={})] * 9,
        [approval(None)] * 9,
        [approval(outcome="denied")] * 9,
        [approval(attributes={"approved_by": "kim", "latency_ms": True}, duration_ms=None)] * 9,
    ],
    ids=["four", "a slow one between", "by nobody", "nobody says how fast", "refused", "no number"],
)
def test_approvals_that_somebody_may_have_read_are_silent(bodies: list[dict[str, Any]]) -> None:
    """The twins."""
    assert of_one(*bodies, **FAST) == []
