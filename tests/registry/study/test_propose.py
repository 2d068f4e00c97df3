"""Proposals: what is firmly an agent's job, and apart from it what somebody must decide."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from detector.registry.drafts import read_drafts
from detector.registry.owners import Owners
from detector.registry.pages import ReviewItem, page_of
from detector.registry.study.discover import Discovery
from detector.registry.study.peers import Firmness
from detector.rules.patterns import Patterns
from detector.schema.event import Event
from tests.registry.inventory import daily, entry, event, seen


def _item(*events: list[Event], agent: str = "a-1") -> ReviewItem:
    items = {item.draft.entry.agent_id: item for item in Discovery(seen(*events), {}).items()}
    return items[agent]


def _rare(item: ReviewItem, field: str) -> set[str]:
    return {value for value, _ in item.aside.get(field, [])}


def test_what_is_used_on_several_days_is_proposed() -> None:
    """And what was used once is not, but stands beside it."""
    item = _item(daily(range(4)), [event(2, name="send_money", target="XX12")])
    assert item.draft.entry.tools == ("read_file",)
    assert _rare(item, "tools") == {"send_money"}
    assert _rare(item, "targets") == {"XX12"}
    assert item.draft.entry.targets == ()


def test_a_list_without_anything_firm_says_how_to_take_a_mark_away() -> None:
    """Below an empty list a line without its mark is no YAML: the page says so, and done as it says it reads back."""
    item = _item(daily(range(4)), [event(2, name="send_money", target="XX12")])
    page = "\n".join(page_of([item], []))
    line = next(line for line in page.splitlines() if line.strip().startswith("targets: []"))
    assert line.endswith("write the name alone, without [], before you take a mark away")
    edited = page.replace(line, "    targets:").replace("# - XX12", "- XX12")
    assert yaml.safe_load(edited)["proposals"][0]["targets"] == ["XX12"]
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(page.replace("# - XX12", "- XX12"))


def test_many_acts_of_one_session_are_one_use() -> None:
    """An attacker who insists gains nothing."""
    burst = [event(1, name="send_money", event_id=f"e{n}") for n in range(500)]
    item = _item(daily(range(4)), burst)
    assert item.draft.entry.tools == ("read_file",)


def test_what_went_through_for_nobody_is_not_proposed() -> None:
    """However often it was tried."""
    item = _item(daily(range(4)), daily(range(8), name="send_money", outcome="denied"))
    assert item.draft.entry.tools == ("read_file",)
    assert "none went through, 8 denied" in dict(item.aside["tools"])["send_money"]


def test_what_no_peer_uses_needs_three_times_as_much() -> None:
    """Four days of one agent alone are not its job, where its peers show what the job is; ten are."""
    peers = [daily(range(12), f"p-{n}") for n in range(3)]
    few = _item(daily(range(12)), daily(range(4), name="export"), *peers)
    many = _item(daily(range(12)), daily(range(10), name="export"), *peers)
    without_peers = _item(daily(range(12)), daily(range(4), name="export"))
    assert "export" not in (few.draft.entry.tools or ())
    assert "export" in (many.draft.entry.tools or ())
    assert "export" in (without_peers.draft.entry.tools or ())


def test_what_two_established_peers_use_is_proposed_after_one_session() -> None:
    """What one peer uses, or two that came yesterday, is not."""
    once = [*daily(range(12)), event(3, name="export")]
    two = [daily(range(12), f"p-{n}", name="export") for n in range(2)]
    young = [daily([3], f"p-{n}", name="export") for n in range(9)]
    assert "export" in (_item(once, *two).draft.entry.tools or ())
    assert "export" not in (_item(once, two[0]).draft.entry.tools or ())
    assert "export" not in (_item(once, *young).draft.entry.tools or ())


def test_peers_of_another_tenant_say_nothing() -> None:
    """A stranger cannot vouch."""
    once = [*daily(range(12)), event(3, name="export")]
    strangers = [daily(range(12), f"p-{n}", name="export", tenant="evil") for n in range(5)]
    assert "export" not in (_item(once, *strangers).draft.entry.tools or ())


def test_one_value_that_was_slipped_in_does_not_open_a_folder() -> None:
    """Three files are three files; four that are each somebody's job are their folder."""
    files = [daily(range(6), target=f"/data/{name}") for name in "abc"]
    three = _item(*files, [event(2, target="/data/evil")]).draft.entry.targets
    four = _item(*files, daily(range(6), target="/data/d")).draft.entry.targets
    assert three == ("/data/a", "/data/b", "/data/c")
    assert four == ("/data/*",)


def test_things_that_are_each_used_once_are_one_pattern_if_that_happens_all_the_time() -> None:
    """Orders have numbers; four in one session are no job."""
    orders = [event(day, target=f"ORDER-{100 + day}") for day in range(8)]
    burst = [event(1, session="s", target=f"BILL-{100 + n}") for n in range(8)]
    targets = _item(orders, burst).draft.entry.targets or ()
    assert Patterns(targets).allows("ORDER-999")
    assert not Patterns(targets).allows("BILL-101")


def test_a_list_is_closed_only_if_its_field_arrives() -> None:
    """Where no source sends classes of data an empty list would say something nobody knows."""
    silent = _item(daily(range(4))).draft.entry
    told = _item(daily(range(4)), daily(range(4), "a-2", data_class="pii")).draft.entry
    assert silent.data_classes is None
    assert told.data_classes == ()


@pytest.mark.parametrize("name", ["x\n- send_money", "*", "re:.*", "x # y", "a: b", "- z", "\u2028- w", "#"])
def test_names_made_to_break_the_page_stay_names(name: str, tmp_path: Path) -> None:
    """Firm, rare, as agent, type, zone and session: what is read back is what was proposed, and allows no more."""
    events = [*daily(range(4), name=name, target=name), event(1, name=f"{name}!"), *daily(range(4), agent=name)]
    events += daily(range(4), agent="b", agent_type=name, zone=name, model=name, tool_hash=name, peer_agent_id=name)
    items = Discovery(seen(events), {}).items()
    path = tmp_path / "page.yaml"
    path.write_text("\n".join(page_of(items, [name])), encoding="utf-8")
    drafts = read_drafts(path)
    assert [draft.entry for draft in drafts] == [item.draft.entry for item in items]
    for draft in drafts:
        assert not Patterns(draft.entry.tools or ()).allows("send_money")


def test_a_mark_that_is_taken_away_makes_a_line(tmp_path: Path) -> None:
    """What was set aside is one edit from being allowed."""
    item = _item(daily(range(4)), [event(2, name="export me")])
    text = "\n".join(page_of([item], []))
    path = tmp_path / "page.yaml"
    path.write_text(text.replace('# - "export me"', '- "export me"'), encoding="utf-8")
    assert read_drafts(path)[0].entry.tools == ("read_file", "export me")


def test_an_agent_that_was_hardly_seen_is_proposed_with_empty_lists() -> None:
    """It says so; a person decides by who it is."""
    item = _item([event(0)], daily(range(4), "a-2"))
    assert item.draft.entry.tools == ()
    assert any("seen too little" in note for note in item.notes)


def test_fewer_sessions_can_be_asked_for() -> None:
    """Of a short recording."""
    (item,) = Discovery(seen([event(0)]), {}, Firmness(1, 1)).items()
    assert item.draft.entry.tools == ("read_file",)


def test_an_agent_gets_the_owner_of_its_type() -> None:
    """Whoever has one keeps him."""
    for kind, owner in (("clerk", "ann"), ("coder", "bo")):
        (item,) = Discovery(seen([event(0)]), {}, owners=Owners({kind: "ann"}, "bo")).items()
        assert item.draft.entry.owner == owner
    (item,) = Discovery(seen(daily([0])), {"a-1": entry(owner="eve")}, owners=Owners(others="bo")).items(again=True)
    assert item.draft.entry.owner == "eve"


def test_a_registered_agent_is_proposed_from_what_stands() -> None:
    """Its owner, its grants and its revision stay."""
    stands = {"a-1": entry(revision=4, owner="bob", purpose="mail", tools=["old"])}
    (item,) = Discovery(seen(daily(range(4))), stands).items(again=True)
    assert item.draft.made_from == 4
    assert (item.draft.entry.owner, item.draft.entry.purpose) == ("bob", "mail")
    assert item.draft.entry.tools == ("read_file",)


def test_more_targets_than_a_list_holds_are_said_and_not_listed() -> None:
    """An entry that nobody could read is no declaration."""
    words = [event(day, target=f"find {n} and {n}") for n in range(300) for day in range(3)]
    item = _item(words)
    assert item.draft.entry.targets is None
    assert any(note.startswith("targets: too many") for note in item.notes)


def test_hashes_of_tools_are_held_by_tool() -> None:
    """A definition that was seen once is not approved."""
    item = _item(daily(range(4), tool_hash="h1"), [event(2, tool_hash="h2")])
    assert item.draft.entry.approved.tool_hashes == {"read_file": ("h1",)}
    assert any("h2" in value for value in _rare(item, "approved.tool_hashes"))


def test_a_model_is_no_target() -> None:
    """It stands among what is approved; the host that serves it, named apart, is a target."""
    chat = daily(range(4), kind="llm_call", name="chat", target="gpt-mock")
    served = daily(range(4), kind="llm_call", name="chat", target="10.0.0.7", model="gpt-mock")
    item = _item(daily(range(4), target="/data/a"), chat, served)
    assert item.draft.entry.targets == ("/data/a", "10.0.0.7")
    assert item.draft.entry.approved.models == ("gpt-mock",)


def test_a_list_that_would_deny_much_of_what_was_done_says_so() -> None:
    """Of things that are each used once a tenth or more lies outside; of one slip nothing is said."""
    words = [event(day, target=f"find {day} and {n}") for day in range(4) for n in range(4)]
    loose = _item(daily(range(4), target="/data/a"), words)
    assert "targets: 16 of 20 acts lie outside of what is proposed: decide, or leave the list out" in loose.notes
    slip = _item(daily(range(30), target="/data/a"), [event(2, target="XX12")])
    assert not any("lie outside" in note for note in slip.notes)
