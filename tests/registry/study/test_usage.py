"""Declared against used, and least privilege: what goes, what stays, what it would have denied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import SetupError
from detector.registry.study import seen as seen_module
from detector.registry.study.allowed import Denials, Judge
from detector.registry.study.events import EventSource, Window
from detector.registry.study.tighten import Tightening
from detector.registry.study.tightened import check_repeatable, lines
from detector.registry.study.usage import DAY_S, Usage, usage_lines
from detector.schema.event import Event
from detector.schema.registry import RegistryEntry
from tests.registry.inventory import MONDAY, daily, entry, event, seen, write_events

TOOLS = ["read_file", "send_mail", "send_money", "delete"]


def _usage(events: list[Event], *entries: RegistryEntry) -> Usage:
    return Usage(seen(events), {one.agent_id: one for one in entries})


def test_a_name_that_nobody_used_is_told_with_its_days_and_the_peers() -> None:
    """Beside those that were used."""
    events = [*daily(range(11)), *daily(range(4), name="send_mail"), *daily(range(11), "a-2", name="delete")]
    usage = _usage(events, entry(tools=TOOLS, agent_type="clerk"))
    found = {one.name: one for one in usage.grants()}
    assert {name for name, one in found.items() if not one.is_used} == {"send_money", "delete"}
    assert found["delete"].peers == (1, 1)
    assert found["send_mail"].unused_s == 7 * DAY_S
    assert found["delete"].unused_s == 10 * DAY_S
    text = "\n".join(usage_lines(usage, everything=False, is_json=False))
    assert "1 entries, 4 declared names, 2 of them unused" in text
    assert "says nothing about its targets" in text
    rows = [json.loads(line) for line in usage_lines(usage, everything=True, is_json=True) if line.startswith("{")]
    assert [row["name"] for row in rows] == TOOLS


def test_a_name_declared_within_the_window_is_unused_since_then() -> None:
    """Nobody could use it before."""
    at = MONDAY.timestamp() + 8 * DAY_S
    (found,) = _usage(daily(range(11)), entry(tools=["delete"], at=at)).grants()
    assert found.unused_s == 2 * DAY_S


def test_a_refused_act_is_no_use() -> None:
    """Who tried and was denied does not need it."""
    (found,) = _usage(daily(range(4), name="delete", outcome="denied"), entry(tools=["delete"])).grants()
    assert not found.is_used


def test_of_a_list_that_did_not_fit_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of it is taken away."""
    monkeypatch.setattr(seen_module, "MOST_VALUES", 3)
    usage = _usage([event(0, name=f"tool-{n}") for n in range(9)], entry(tools=["tool-8", "other"]))
    assert list(usage.grants()) == []
    items = list(Tightening().items(usage))
    assert all(item.draft.entry.tools == ("tool-8", "other") for item in items)
    assert any("tools cannot be judged" in line for line in usage_lines(usage, everything=False, is_json=False))


def test_what_was_not_used_goes_and_what_was_stays() -> None:
    """From the revision that stands, with a note for each name that goes."""
    usage = _usage(daily(range(11)), entry(tools=TOOLS, targets=[], revision=3))
    (item,) = Tightening().items(usage)
    assert item.draft.made_from == 3
    assert item.draft.entry.tools == ("read_file",)
    assert sum("goes, unused for 10.0 days" in note for note in item.notes) == 3


def test_a_name_that_was_used_lately_enough_stays() -> None:
    """Unused for so long, and not a day less."""
    usage = _usage([*daily(range(11)), *daily([4], name="delete")], entry(tools=TOOLS, targets=[]))
    (item,) = Tightening(30 * DAY_S).items(_usage(daily(range(11)), entry(tools=TOOLS)))
    assert set(item.draft.entry.tools or ()) == set(TOOLS)
    (strict,) = Tightening(5 * DAY_S).items(usage)
    assert strict.draft.entry.tools == ("delete", "read_file")


def test_an_agent_that_was_not_seen_keeps_what_it_has() -> None:
    """It may be on holiday: its entry is for `discover` to tell."""
    assert list(Tightening().items(_usage(daily(range(4), "a-2"), entry(tools=TOOLS)))) == []


def test_what_was_open_is_written_down_and_rare_use_is_marked() -> None:
    """Where an entry says nothing, what was used becomes the list; a person looks at what was used once."""
    usage = _usage([*daily(range(6)), event(2, name="send_money", target="XX1")], entry())
    (item,) = Tightening().items(usage)
    assert item.draft.entry.tools == ("read_file", "send_money")
    assert item.why["tools", "send_money"].startswith("rare, look at it")
    assert not item.why["tools", "read_file"].startswith("rare")


def test_a_wide_pattern_becomes_what_was_used_under_it() -> None:
    """Only if that is asked for."""
    events = [event(day, target=f"/data/{name}") for day in range(3) for name in ("a", "b")]
    usage = _usage(events, entry(tools=["*"], targets=["/data/*"]))
    assert list(Tightening().items(usage)) == []
    (item,) = Tightening(narrow=True).items(usage)
    assert (item.draft.entry.tools, item.draft.entry.targets) == (("read_file",), ("/data/a", "/data/b"))


NAMES = st.sampled_from(
    ["read", "send", "*", "re:.", "a/b", "a/c", "a/d", "a/e", "P1", "P22", "P333", "P4", "x y", "é"]
)
DECLARED = st.none() | st.lists(st.sampled_from(["*", "read", "a/*", "re:P[0-9]+", "send", "re:.*"]), max_size=4)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), NAMES, NAMES | st.none(), st.sampled_from(["ok", "error", "denied"])), min_size=1
    ),
    DECLARED,
    DECLARED,
    st.booleans(),
)
def test_a_tightening_denies_nothing_that_was_used_and_allowed(
    acts: list[tuple[int, str, str | None, str]], tools: list[str] | None, targets: list[str] | None, narrow: bool
) -> None:
    """Whatever was declared and whatever was done."""
    events = [event(day, name=name, target=target, outcome=outcome) for day, name, target, outcome in acts]
    stands = entry(tools=tools, targets=targets)
    items = list(Tightening(narrow=narrow).items(_usage(events, stands)))
    found = Denials([item.draft.entry for item in items], {"a-1": stands}).add_all(events)
    assert found.denied == 0
    assert found.found == []


def test_what_a_tightening_would_have_denied_is_listed() -> None:
    """With whose, what, how often and where to look."""
    tighter = entry(tools=["read_file"])
    events = [*daily(range(2)), *daily(range(3), name="send_money"), event(1, name="delete", outcome="denied")]
    found = Denials([tighter], {"a-1": entry()}).add_all(events)
    assert (found.acts, found.denied) == (6, 3)
    told = list(lines([], found))
    assert any("would have denied a-1: tools send_money, 3 acts (a-1-0, a-1-1, a-1-2)" in line for line in told)


def test_what_was_denied_before_is_no_fault_of_the_tightening() -> None:
    """The standing entry denies it as well."""
    found = Denials([entry(tools=[])], {"a-1": entry(tools=["other"])}).add_all(daily(range(2)))
    assert found.denied == 0


def test_a_grant_allows_within_its_term() -> None:
    """What an entry lends for a time it does not allow after it."""
    begins = MONDAY.timestamp()
    grant = {"id": "g", "granted_at": begins, "expires_at": begins + DAY_S, "approver": "bob", "tools": ["read_*"]}
    judge = Judge(entry(tools=[], grants=[grant]))
    assert list(judge.outside(event(0))) == []
    assert list(judge.outside(event(1))) == [("tools", "read_file")]


def test_events_are_read_twice_within_their_window(tmp_path: Path) -> None:
    """What is no event and what lies outside is counted; standard input can be read once only."""
    path = write_events(tmp_path / "e.jsonl", daily(range(5)))
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    source = EventSource([path], window=Window(MONDAY.timestamp() + DAY_S, MONDAY.timestamp() + 3 * DAY_S))
    for _ in range(2):
        assert len(list(source.read())) == 2
        assert source.left_out == {"no event of version 1": 1, "outside the window": 3}
    with pytest.raises(SetupError, match="standard input"):
        check_repeatable(EventSource([Path("-")]))
    with pytest.raises(SetupError, match="both or none"):
        EventSource()
