"""What is remembered of earlier events to place lines that do not say where they belong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.schema import past as module
from detector.schema.event import Event
from detector.schema.past import MAX_AGENTS, MAX_LENGTH, Past

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def event(agent_id: str, agent_type: str = "clerk", tenant: str | None = None, at: int = 0, **fields: Any) -> Event:
    """Return an event of an agent."""
    return Event(
        event_id="e", ts=MONDAY + timedelta(seconds=at), agent_id=agent_id, agent_type=agent_type, tenant=tenant,
        **{"kind": "auth", "name": "n", **fields},
    )  # fmt: skip


def test_the_last_event_of_an_agent_says_where_it_stands() -> None:
    """Type, tenant and session together; of an agent never seen nothing is known."""
    past = Past()
    past.note([event("a", "clerk", "acme"), event("b"), event("a", "cook", at=7, session_id="s")])
    assert past.membership("a") == ("cook", None, "s")
    assert past.membership("b") == ("clerk", None, None)
    assert past.membership("c") is None
    assert past.last == MONDAY + timedelta(seconds=7)


def test_behind_the_end_of_a_session_an_agent_is_in_none() -> None:
    """What comes then must not open it again; the start of one, and an end of another kind, are none."""
    end = event("a", session_id="s", kind="lifecycle", name="session_end")
    start = event("a", session_id="t", kind="lifecycle", name="session_start")
    for events, session in (
        ([end], None),
        ([end, start], "t"),
        ([event("a", session_id="s", name="session_end")], "s"),
    ):
        past = Past()
        past.note(events)
        assert past.membership("a") == ("clerk", None, session)


def test_nothing_new_is_no_change() -> None:
    """A snapshot need not hold it again."""
    past = Past()
    past.note([event("a")])
    assert past.has_changed
    past.has_changed = False
    past.note([event("a", at=9)])
    assert not past.has_changed
    past.note([event("a", "cook")])
    assert past.has_changed


def test_agents_are_as_many_as_the_cap_and_no_more() -> None:
    """A flood of invented ids fills no memory; who was forgotten comes back with its next event."""
    past = Past()
    past.note([event("honest")])
    past.note([event(f"invented-{k}") for k in range(10 * MAX_AGENTS)])
    assert len(past.agents()) == MAX_AGENTS
    assert past.membership("honest") is None
    past.note([event("honest")])
    assert past.membership("honest") == ("clerk", None, None)


def test_long_names_are_not_remembered() -> None:
    """Memory is bounded in characters too; the twin at the limit is."""
    past = Past()
    past.note([event("x" * (MAX_LENGTH + 1)), event("a", "x" * (MAX_LENGTH + 1)), event("b", "x", "y" * MAX_LENGTH)])
    past.note([event("c", session_id="s" * (MAX_LENGTH + 1))])
    assert past.membership("c") == ("clerk", None, None)
    assert past.membership("x" * (MAX_LENGTH + 1)) is past.membership("a") is None
    assert past.membership("b") == ("x", "y" * MAX_LENGTH, None)


events = st.builds(
    event,
    st.sampled_from("abcdef"),
    st.sampled_from(["clerk", "cook", "x" * 200]),
    session_id=st.sampled_from([None, "s", "t"]),
    kind=st.sampled_from(["auth", "lifecycle"]),
    name=st.sampled_from(["n", "session_end"]),
)


@given(st.lists(events, max_size=40), st.integers(1, 7), st.integers(1, 6))
def test_however_events_are_cut_they_leave_the_same_memory(written: list[Event], size: int, most: int) -> None:
    """Also where there is no room for all of them, and in the same order, which decides who goes next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_AGENTS", most)
        whole, parts, single = Past(), Past(), Past()
        whole.note(written)
        for start in range(0, len(written), size):
            parts.note(written[start : start + size])
        for one in written:
            single.note([one])
        again = Past(whole.last, whole.agents())
    assert whole.agents() == parts.agents() == single.agents() == again.agents()
    assert whole.last == parts.last == single.last
    assert len(whole.agents()) <= most
