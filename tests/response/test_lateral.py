"""A chain of new calls towards a critical agent is one finding with its path; what resembles it is none."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import Any

import pytest

from detector.response.graph import KEPT_S, MOST_EDGES, MOST_LOOKS
from detector.response.joined import MOST_A_DAY
from detector.response.lateral import MOST_STEPS, WINDOW_S
from detector.schema.tiding import Tiding
from tests.response.hearings import heard, stage, tiding


def chain(*names: str, first: float = 1_000.0, lag: float = 60.0, **more: Any) -> list[Tiding]:
    """Return news of calls one behind the other."""
    return [tiding(one, other, first + lag * step, **more) for step, (one, other) in enumerate(pairwise(names))]


def test_a_chain_of_new_calls_to_a_critical_agent_is_one_finding_with_its_path() -> None:
    """It stands at the agent that made the last call, names all on the way, and links every act."""
    (found,) = heard(stage(), *chain("mail", "planner", "vault", on_behalf_of="eve"))
    assert (found.detection, found.agent_id, found.severity) == ("response.lateral_path", "planner", "high")
    assert "mail -> planner -> vault" in found.title
    assert "on behalf of eve" in found.contributions[0].observed
    assert [act.about["peer_agent_id"] for act in found.evidence] == ["planner", "vault"]
    assert [act.offset for act in found.evidence] == [1_000, 1_060]


def test_no_path_asks_for_a_response() -> None:
    """Whoever invents calls of others gets nobody contained: the finding has no score."""
    (found,) = heard(stage(), *chain("mail", "planner", "vault"))
    assert found.score is None


@pytest.mark.parametrize(
    "tidings",
    [
        chain("planner", "vault"),
        chain("mail", "planner", "desk"),
        chain("mail", "planner", "vault", is_new=False),
        chain("mail", "planner", "vault", established=False),
        chain("mail", "planner", "vault", lag=WINDOW_S + 1.0),
        [*chain("planner", "vault"), tiding("mail", "planner", 2_000.0)],
        chain("vault", "planner", "vault"),
    ],
    ids=[
        "one step",
        "nowhere critical",
        "known calls",
        "all new agents",
        "a day between",
        "the other way",
        "back home",
    ],
)
def test_what_resembles_a_path_is_none(tidings: list[Tiding]) -> None:
    """One call, a known one, a new team, two days, a call before the one that would lead to it, an answer."""
    assert heard(stage(), *tidings) == []


def test_the_first_agent_of_a_path_may_be_new() -> None:
    """An intruder is: only who is used on the way was there before."""
    first, last = chain("intruder", "planner", "vault")
    weak = tiding(first.agent_id, first.other, first.at, established=False)
    assert len(heard(stage(), weak, last)) == 1


def test_a_critical_agent_is_known_by_the_registry_or_by_the_profile() -> None:
    """A standing says so, as does the list of protected agents."""
    news = chain("mail", "planner", "ledger")
    assert heard(stage(), *news) == []
    said = tiding("ledger", "", 10.0, kind="standing", is_critical=True, is_new=False)
    assert len(heard(stage(), said, *news)) == 1
    assert len(heard(stage(protected=("ledger",)), *news)) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_path_is_the_same_finding_in_whatever_order_partitions_tell_it(order: tuple[int, ...]) -> None:
    """Partitions are read one before the other: the finding and its last act are the same."""
    news = chain("mail", "planner", "clerk", "vault")
    found = heard(stage(), *(news[place] for place in order))
    (straight,) = heard(stage(), *news)
    assert [one.finding_uid for one in found] == [straight.finding_uid]


def test_who_was_called_may_tell_of_the_call() -> None:
    """An event names the agent that had it done; the caller's own zone and session are not its."""
    first, _ = chain("mail", "planner", "vault")
    told = tiding("vault", "planner", 1_060.0, is_caller=False, zone="prod", session_id="s-9")
    own = tiding("planner", "mail", first.at, is_caller=False)
    (found,) = heard(stage(), own, told)
    assert (found.agent_id, found.zone, found.session_id) == ("planner", None, None)


def test_a_long_path_is_told_by_its_last_steps() -> None:
    """At most six calls, the last one among them."""
    found = heard(stage(), *chain("a", "b", "c", "d", "e", "f", "g", "h", "vault"))
    assert len(found[-1].evidence) == MOST_STEPS
    assert found[-1].evidence[-1].about["peer_agent_id"] == "vault"


def test_a_flood_of_newcomers_pushes_out_no_established_call() -> None:
    """Invented agents have places of their own, and what left is counted."""
    one = stage()
    first, last = chain("mail", "planner", "vault")
    heard(one, first)
    most = MOST_EDGES[False]
    heard(one, *(tiding(f"x{n}", f"y{n}", 1_001.0, established=False) for n in range(most + 10)))
    assert len(heard(one, last)) == 1
    assert one.take_counts()["graph_edges_evicted"] == 10


@pytest.mark.parametrize("established", [True, False], ids=["established", "newcomer"])
def test_an_agent_from_another_century_makes_nobody_forget(established: bool) -> None:
    """Two agents must tell of two days later before a call is forgotten, and newcomers tell only their own time."""
    late = [tiding("x", f"y{n}", 4e9 + n, established=established) for n in range(3)]
    assert len(heard(stage(), *late, *chain("mail", "planner", "vault"))) == 1
    first, last = chain("mail", "planner", "vault")
    assert len(heard(stage(), first, *late, last)) == 1


def test_a_call_is_forgotten_when_the_tenant_is_two_days_further() -> None:
    """It was not told again on either of them."""
    one = stage()
    later = 2_000.0 + KEPT_S
    heard(one, tiding("mail", "planner", 1_000.0), tiding("a", "b", later), tiding("c", "d", later))
    assert set(one._tenants["acme"].graph.edges[True]) == {("a", "b"), ("c", "d")}


def test_a_crowd_of_callers_hides_no_path() -> None:
    """Of an agent the calls told last are looked through: the path is found, whoever of them begins it."""
    one = stage()
    crowd = [tiding(f"x{n}", "planner", 1_000.0, established=False) for n in range(2 * MOST_LOOKS)]
    (found,) = heard(one, *crowd, tiding("planner", "vault", 1_060.0))
    assert (found.agent_id, found.evidence[-1].about["peer_agent_id"]) == ("planner", "vault")


def test_callers_that_are_told_again_hide_no_new_one() -> None:
    """A call told every day keeps its place among those looked through: it was first told long ago."""
    one, later = stage(), 100_000.0
    crowd = [f"x{n}" for n in range(MOST_LOOKS)]
    heard(one, *(tiding(each, "planner", 1_000.0, established=False) for each in crowd))
    heard(one, tiding("mail", "planner", later))
    heard(one, *(tiding(each, "planner", later + 1.0, established=False, is_new=False) for each in crowd))
    assert len(heard(one, tiding("planner", "vault", later + 60.0))) == 1


def test_a_backdated_call_is_part_of_a_path_all_the_same() -> None:
    """An event that says it came before what led to it counts by its partition's clock."""
    first, last = tiding("mail", "planner", 5_000.0, clock=5_000.0), tiding("planner", "vault", 1_500.0, clock=5_100.0)
    (found,) = heard(stage(), first, last)
    assert found.agent_id == "planner"
    assert "within 3,500 s" in found.contributions[0].observed
    assert heard(stage(), first, tiding("planner", "vault", 1_500.0, clock=1_500.0)) == []


def test_what_led_to_a_path_a_day_before_hides_it_in_no_order() -> None:
    """The calls of a day are the path, also where the one in the middle is heard last."""
    news = [tiding("desk", "mail", 0.0), tiding("mail", "planner", 70_000.0), tiding("planner", "vault", 100_000.0)]
    (straight,) = heard(stage(), *news)
    (turned,) = heard(stage(), news[2], news[0], news[1])
    assert turned == straight


def test_an_agent_that_says_later_that_it_is_critical_ends_a_path() -> None:
    """It is heard of when it acts, which may be because it was called; it is found once."""
    said = tiding("ledger", "", 1_070.0, kind="standing", is_critical=True, is_new=False)
    one = stage()
    (found,) = heard(one, *chain("mail", "planner", "ledger"), said, said)
    assert (found.agent_id, found.evidence[-1].about["peer_agent_id"]) == ("planner", "ledger")
    late = tiding("ledger", "", 1_070.0 + WINDOW_S, kind="standing", is_critical=True, is_new=False)
    assert heard(stage(), *chain("mail", "planner", "ledger"), late) == []
    assert heard(stage(graph=("cascade",)), *chain("mail", "planner", "ledger"), said) == []


def test_a_tenant_has_at_most_so_many_paths_a_day() -> None:
    """What follows is counted; another tenant is not touched by it, nor is the next day."""
    one = stage()
    flood = [each for n in range(MOST_A_DAY + 5) for each in chain(f"a{n}", f"b{n}", "vault")]
    assert len(heard(one, *flood)) == MOST_A_DAY
    assert one.take_counts()["joint_findings_over_lateral_path"] == 5
    assert len(heard(one, *chain("c", "d", "vault", tenant="other"))) == 1
    assert len(heard(one, *chain("e", "f", "vault", first=100_000.0))) == 1


def test_tenants_do_not_meet() -> None:
    """A call in one tenant leads nowhere in another."""
    first, last = chain("mail", "planner", "vault")
    assert heard(stage(), first, tiding("planner", "vault", last.at, tenant="other")) == []


def test_nothing_is_found_that_the_profile_does_not_ask_for() -> None:
    """Each of the joint findings can be switched off."""
    assert heard(stage(graph=("cascade",)), *chain("mail", "planner", "vault")) == []


def test_hearing_again_goes_on_as_if_nothing_had_stopped() -> None:
    """What was answered is not answered again; the next call completes the same finding."""
    news = chain("mail", "planner", "clerk", "vault")
    whole = heard(stage(), *news)
    again = stage()
    for each in news[:2]:
        again.hear_again(each)
    assert heard(again, *news[2:]) == whole
