"""What was seen: counted by value, in bounded memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from detector.registry.study import seen as seen_module
from detector.registry.study.seen import MOST_MARKS, Marks, SeenFleet
from detector.schema.event import Credential
from tests.registry.inventory import MONDAY, daily, event, seen


def test_a_use_counts_acts_sessions_and_days() -> None:
    """Refused acts are none that went through."""
    events = [
        *daily(range(3), name="send"),
        event(1, name="send", session="other"),
        event(4, name="send", outcome="denied"),
    ]
    use = seen(events).agents["default", "a-1"].uses["tools"]["send"]
    assert (use.acts, use.ok, use.denied, len(use.sessions), len(use.days)) == (5, 4, 1, 4, 3)


def test_a_dozen_is_a_dozen_or_more() -> None:
    """Of a thing that is used all the time no more is held."""
    marks = Marks()
    for mark in range(1_000):
        marks.add(mark)
    assert len(marks) == MOST_MARKS
    assert "12+ sessions, 12+ days" in seen(daily(range(20))).agents["default", "a-1"].uses["tools"]["read_file"].text


def test_invented_values_fill_no_memory_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one agent up to its cap, of all together up to theirs; agents likewise."""
    monkeypatch.setattr(seen_module, "MOST_VALUES", 10)
    monkeypatch.setattr(seen_module, "MOST_AGENTS", 2)
    flood = [event(0, name=f"tool-{n}") for n in range(50)]
    found = seen(flood, [event(0, "a-2"), event(0, "a-3")])
    assert len(found.agents["default", "a-1"].uses["tools"]) == 10
    assert found.agents["default", "a-1"].overflow["tools"] == 40
    assert found.unheld == {"acts with tools beyond the cap": 40, "acts of agents beyond the cap": 1}
    monkeypatch.setattr(seen_module, "MOST_KEYS", 15)
    assert (
        sum(
            len(one.uses["tools"])
            for one in seen(flood, [event(0, "a-2", name=f"t{n}") for n in range(10)]).agents.values()
        )
        == 15
    )


def test_the_same_id_of_two_tenants_is_two_agents() -> None:
    """Nobody's use is somebody else's."""
    found = seen([event(0), event(1, tenant="acme", name="send")])
    assert set(found.agents) == {("default", "a-1"), ("acme", "a-1")}
    assert set(found.agents["default", "a-1"].uses["tools"]) == {"read_file"}


def test_the_age_of_the_oldest_credential_is_kept() -> None:
    """In use, not as issued."""
    held = Credential(id="c", issued_at=MONDAY - timedelta(hours=9))
    assert seen([event(0, credential=held), event(0)]).agents["default", "a-1"].oldest_credential_s == 9 * 3_600.0


def test_nothing_seen_is_nothing() -> None:
    """No agent, no window."""
    assert SeenFleet().agents == {}
    assert SeenFleet().first > SeenFleet().last
