"""What peers vouch for: a role's tools, marked, for those who work like them; never by newcomers or a few alone."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from detector.registry.pages import ReviewItem, page_of
from detector.registry.study.discover import Discovery
from detector.registry.study.peers import MOST_ROLE, Firmness
from detector.schema.event import Event
from detector.schema.registry import MOST_DECLARED, RegistryEntry
from tests.registry.inventory import daily, entry, event, seen

DAYS = range(12)


def _item(
    *events: Iterable[Event], firmness: Firmness | None = None, stands: Iterable[RegistryEntry] = (), again: bool = True
) -> ReviewItem:
    found = Discovery(seen(*events), {one.agent_id: one for one in stands}, firmness)
    return next(item for item in found.items(again=again) if item.draft.entry.agent_id == "a-1")


def _tools(item: ReviewItem) -> set[str]:
    return set(item.draft.entry.tools or ())


def _peers(number: int = 3, days: Iterable[int] = DAYS, name: str = "get_mail", **fields: object) -> list[Event]:
    """Return peers that read files like the agent, and also use another tool."""
    everyday = [one for n in range(number) for one in daily(days, f"p-{n}")]
    return [*everyday, *(one for n in range(number) for one in daily(days, f"p-{n}", name=name, **fields))]


def test_a_tool_of_its_role_is_proposed_and_marked() -> None:
    """What all peers use and the agent not yet; the mark and the note say so, and the page has both."""
    item = _item(daily(DAYS), _peers())
    assert item.draft.entry.tools == ("read_file", "get_mail")
    page = "\n".join(page_of([item], []))
    assert "- get_mail  # by its role: 3 of 3 peers, 12+ days; not yet by this one" in page
    assert "tools: 1 by its role alone" in page


def test_what_each_agent_did_itself_can_be_asked_for_alone() -> None:
    """By an option: nothing by role."""
    assert _tools(_item(daily(DAYS), _peers(), firmness=Firmness(by_role=False))) == {"read_file"}


def test_newcomers_do_not_widen_anybody_however_many_they_are() -> None:
    """Invented agents that are busy for the last days of the window vouch for nothing."""
    assert _tools(_item(daily(DAYS), _peers(9, range(8, 12)))) == {"read_file"}


def test_a_few_invented_agents_do_not_outvote_the_real_ones() -> None:
    """Old ones too: they must be half of the peers."""
    real = [one for n in range(5) for one in daily(DAYS, f"r-{n}")]
    assert _tools(_item(daily(DAYS), real, _peers(4))) == {"read_file"}
    assert _tools(_item(daily(DAYS), real, _peers(5))) == {"read_file", "get_mail"}


def test_a_tool_that_can_change_things_needs_most_of_the_peers() -> None:
    """Three of four; of one that reads half is enough."""
    real = [one for n in range(3) for one in daily(DAYS, f"r-{n}")]
    for name, tools in (("get_mail", {"read_file", "get_mail"}), ("send_money", {"read_file"})):
        assert _tools(_item(daily(DAYS), real, _peers(3, name=name))) == tools
    assert "send_money" in _tools(_item(daily(DAYS), real, _peers(9, name="send_money")))


def test_one_busy_session_of_each_peer_is_no_role() -> None:
    """Together they need twice the sessions of one, over three days."""
    real = [one for n in range(3) for one in daily(DAYS, f"p-{n}")]
    once = [event(day=3, agent=f"p-{n}", name="get_mail", event_id=f"{n}-{k}") for n in range(3) for k in range(50)]
    assert _tools(_item(daily(DAYS), real, once)) == {"read_file"}


def test_an_agent_that_works_otherwise_gets_nothing_by_the_type_it_claims() -> None:
    """Whoever calls itself a clerk is proposed what clerks use only if it works like them."""
    assert _tools(_item(daily(DAYS, name="run_shell"), _peers())) == {"run_shell"}
    two_types = [*daily(DAYS), event(3, agent_type="coder")]
    assert _tools(_item(two_types, _peers())) == {"read_file"}
    assert _tools(_item([event(11)], _peers())) == {"read_file"}  # seen once: its own, and no more


def test_what_an_agent_was_denied_is_not_its_role() -> None:
    """Somebody has decided already; what only failed says nothing."""
    for outcome, tools in (("denied", {"read_file"}), ("error", {"read_file", "get_mail"})):
        assert _tools(_item(daily(DAYS), [event(2, name="get_mail", outcome=outcome)], _peers())) == tools


def test_targets_are_not_proposed_by_role() -> None:
    """A target is where an attack leads: three agents sent to one account make it nobody's job."""
    item = _item(daily(DAYS), _peers(4, target="XX12"))
    assert item.draft.entry.targets == ()


def test_what_was_decided_in_an_entry_is_not_proposed_again() -> None:
    """Struck once it stands beside; allowed once by role it stays."""
    peers = [entry(f"p-{n}") for n in range(3)]
    struck = _item(daily(DAYS), _peers(), stands=[entry(tools=["read_file"]), *peers])
    assert _tools(struck) == {"read_file"}
    assert "not in the entry that stands" in dict(struck.aside["tools"])["get_mail"]
    kept = _item(daily(DAYS), _peers(), stands=[entry(tools=["read_file", "get_mail"]), *peers])
    assert _tools(kept) == {"read_file", "get_mail"}


def test_where_an_inventory_stands_only_registered_agents_vouch() -> None:
    """Invented ones have no entry; nor does a retired one vouch, nor one of another tenant's inventory matter."""
    for stands, tools in (
        ([entry("x-1")], {"read_file"}),
        ([entry(f"p-{n}") for n in range(3)], {"read_file", "get_mail"}),
        ([entry(f"p-{n}", lifecycle="retired") for n in range(3)] + [entry("x-1")], {"read_file"}),
        ([entry("x-1", tenant="acme")], {"read_file", "get_mail"}),
    ):
        assert _tools(_item(daily(DAYS), _peers(), stands=stands)) == tools


def test_two_peers_make_up_for_sessions_of_ones_own() -> None:
    """Once is enough where the role has a tool in common; what an attack tried once on each of them is none."""
    everyday = [one for n in range(3) for one in daily(DAYS, f"p-{n}")]
    once = [event(3, name="export")]
    twice = [(n, k) for n in range(3) for k in (0, 1)]
    now_and_then = [event(4 + n + 3 * k, f"p-{n}", name="export", event_id=f"{n}-{k}") for n, k in twice]
    assert "export" in _tools(_item(daily(DAYS), everyday, once, now_and_then))
    assert "export" not in _tools(_item(daily(DAYS), everyday, once, now_and_then[:2]))
    assert "export" not in _tools(_item(daily(DAYS), everyday, once, now_and_then[::2]))
    same_day = [event(3, f"p-{n}", name="export", event_id=f"{n}-{k}") for n, k in twice]
    assert "export" not in _tools(_item(daily(DAYS), everyday, once, same_day))


def test_one_peer_that_uses_a_tool_firmly_makes_up_for_a_session() -> None:
    """Two sessions on two days then are enough; one is not."""
    peer = [*daily(DAYS, "p-0"), *daily(DAYS, "p-0", name="export"), *daily(DAYS, "p-1")]
    assert "export" in _tools(_item(daily(DAYS), daily([3, 4], name="export"), peer))
    assert "export" not in _tools(_item(daily(DAYS), daily([3], name="export"), peer))


@pytest.mark.parametrize("name", ["send_money", "read_file"])
def test_of_a_window_that_somebody_knows_once_is_enough(name: str) -> None:
    """What went through, its target too; what was denied is not."""
    events = [event(2, name=name, target="XX12"), event(3, name="rm", outcome="denied")]
    item = _item(daily(DAYS), events, firmness=Firmness(is_trusted=True))
    assert _tools(item) == {"read_file", name}
    assert item.draft.entry.targets == ("XX12",)


def test_what_peers_do_crowds_nothing_out() -> None:
    """Invented peers with many tools, or long ones, take neither an agent's own list nor the room of its targets."""
    own = [one for n in range(MOST_DECLARED - 2) for one in daily(range(0, 12, 5), name=f"read_{n:03}")]
    many = [
        one
        for p in range(3)
        for n in range(90)
        for one in daily(range(0, 12, 5), f"p-{p}", name=f"get_{n:03}{'x' * p}")
    ]
    same = [one for p in range(3) for n in range(90) for one in daily(range(0, 12, 5), f"p-{p}", name=f"get_{n:03}")]
    like = [one for p in range(3) for one in daily(DAYS, f"p-{p}")]
    assert len(_tools(_item(daily(DAYS), like, same, many))) == 1 + MOST_ROLE
    liker = [
        one
        for p in range(3)
        for n in range(MOST_DECLARED)
        for one in daily(range(0, 12, 5), f"p-{p}", name=f"read_{n:03}")
    ]
    full = _item(daily(DAYS), own, liker, like, same)
    assert len(_tools(full)) == MOST_DECLARED
    long = [one for p in range(3) for one in daily(DAYS, f"p-{p}", name="get_" + "x" * 200)]
    assert _tools(_item(daily(DAYS), like, long)) == {"read_file"}
