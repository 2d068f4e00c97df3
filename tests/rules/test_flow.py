"""Private data on its way out, and memory written from outside, with their harmless twins."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules.flow import MOST_FLOWS
from tests.rules.told import causes, news, of_one
from tests.streams import Script, feed, quick

FLOW, MEMORY = {"enabled": ("toxic_flow",)}, {"enabled": ("memory_tainted",)}
OUTSIDE: dict[str, Any] = {"name": "browse_webpage", "kind": "network", "target": "news.example"}
PRIVATE: dict[str, Any] = {"name": "read_record", "kind": "data_access", "data_class": "PII"}
SENT: dict[str, Any] = {
    "name": "send_email",
    "kind": "message",
    "target": "x@drop.example",
    "arg_origin": {"target": "tool"},
}
NOTED: dict[str, Any] = {"name": "update_memory", "kind": "memory", "target": "prefs", "arg_origin": {"text": "tool"}}


def test_private_data_sent_where_a_tool_said_after_a_read_outside_alerts_and_names_the_three() -> None:
    """The whole way stands in the alert."""
    (alert,) = of_one(OUTSIDE, PRIVATE, SENT, **FLOW)
    assert (alert.detection, alert.severity) == ("rule.toxic_flow", "high")
    assert alert.contributions[0].observed == (
        "send_email sent to where a tool's answer said, after browse_webpage read outside and read_record read private"
        " data"
    )
    assert alert.causes == ("rule.toxic_flow/send_email",)


@pytest.mark.parametrize(
    "private",
    [
        {"name": "read_file", "target": "/srv/dev/.ssh/id_rsa"}, {"name": "get_password"},
        {"name": "mcp__hr__readSalary"}, {"name": "query", "data_class": "restricted"},
        {"name": "run", "attributes": {"command": "cat ~/.aws/credentials"}},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "outside", [OUTSIDE, {"name": "get_unread_emails", "kind": "data_access"}, {"name": "q", "data_class": "untrusted"}]
)
def test_what_is_private_and_what_is_outside_is_told_by_class_name_or_place(
    private: dict[str, Any], outside: dict[str, Any]
) -> None:
    """Each of them is enough."""
    assert causes(of_one(outside, private, SENT, **FLOW)) == ["rule.toxic_flow/send_email"]


@pytest.mark.parametrize(
    "events",
    [
        (OUTSIDE, PRIVATE, {**SENT, "arg_origin": {"target": "user"}}), (PRIVATE, OUTSIDE, SENT), (OUTSIDE, SENT),
        (OUTSIDE, PRIVATE, {**SENT, "arg_origin": {}}), (PRIVATE, SENT),
        (OUTSIDE, {**PRIVATE, "data_class": "public"}, SENT),
        (OUTSIDE, PRIVATE, {**SENT, "session_id": "s-2"}), (OUTSIDE, PRIVATE, {**SENT, "agent_id": "a-2"}),
        (OUTSIDE, PRIVATE, {**SENT, "outcome": "denied"}), ({**OUTSIDE, "outcome": "error"}, PRIVATE, SENT),
        (OUTSIDE, PRIVATE, {**SENT, "name": "send_money"}),
        (OUTSIDE, PRIVATE, {**SENT, "name": "write", "kind": "tool_call"}),
        (OUTSIDE, PRIVATE, {**SENT, "arg_origin": {"body": "tool"}}),
    ],
)  # fmt: skip
def test_an_address_the_user_gave_another_order_and_another_session_are_silent(
    events: tuple[dict[str, Any], ...],
) -> None:
    """The twins: each lacks one part of the flow."""
    assert of_one(*events, **FLOW) == []


def test_who_opens_thousands_of_sessions_is_followed_in_the_last_ones() -> None:
    """Notes are bounded, and what was read outside last still counts."""
    script, pipeline = Script(), Pipeline(quick(rules=FLOW))
    flood = [script.event(**{**OUTSIDE, "session_id": f"s-{n}"}) for n in range(20 * MOST_FLOWS)]
    feed(pipeline, flood)
    ((_, facts),) = pipeline.state.rule_memory.shards(full=True).items()
    assert len(facts["toxic_flow"][0][3]) == MOST_FLOWS
    last = f"s-{20 * MOST_FLOWS - 1}"
    rest = [script.event(**{**body, "session_id": last}) for body in (PRIVATE, SENT)]
    assert news(pipeline, *rest) == ["rule.toxic_flow/send_email"]


def test_memory_written_with_what_a_tool_said_after_a_read_outside_alerts() -> None:
    """It names what was read."""
    (alert,) = of_one(OUTSIDE, NOTED, **MEMORY)
    assert alert.causes == ("rule.memory_tainted/prefs",)
    assert alert.contributions[0].observed.endswith("after browse_webpage read outside")


@pytest.mark.parametrize(
    "events",
    [
        (NOTED,), (OUTSIDE, {**NOTED, "arg_origin": {"text": "user"}}), (OUTSIDE, {**NOTED, "name": "search_memory"}),
        (OUTSIDE, {**NOTED, "session_id": "s-2"}), (NOTED, OUTSIDE), (OUTSIDE, {**NOTED, "outcome": "denied"}),
    ],
)  # fmt: skip
def test_memory_of_what_the_user_said_and_reads_of_it_are_silent(events: tuple[dict[str, Any], ...]) -> None:
    """The twins."""
    assert of_one(*events, **MEMORY) == []
