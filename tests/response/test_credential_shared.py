"""One credential in the hands of two agents is one finding, however many follow."""

from __future__ import annotations

from typing import Any

from detector.response.graph import MOST_CREDENTIALS, MOST_USERS
from detector.response.joined import MOST_A_DAY
from detector.schema.tiding import Tiding
from tests.response.hearings import heard, stage, tiding


def use(agent: str, at: float, credential: str = "0a1b", **more: Any) -> Tiding:
    """Return the news that an agent used a credential."""
    return tiding(agent, credential, at, kind="credential", **more)


def test_a_credential_that_another_agent_uses_is_found() -> None:
    """About the one that came last; who had it before is named."""
    (found,) = heard(stage(), use("a", 10.0), use("b", 20.0))
    assert (found.detection, found.agent_id, found.severity) == ("response.credential_shared", "b", "medium")
    assert found.title == "b uses a credential of a"
    assert all(not act.about for act in found.evidence)


def test_whoever_takes_a_credential_does_not_come_before_its_owner() -> None:
    """Neither by a time of its own choice, nor where the owner is told again after a restart."""
    (found,) = heard(stage(), use("a", 5_000.0, clock=5_000.0), use("b", 1_500.0, clock=5_100.0))
    assert found.agent_id == "b"
    (found,) = heard(stage(), use("a", 5_000.0, clock=5_000.0, is_new=False), use("b", 4_000.0, clock=4_000.0))
    assert found.agent_id == "b"


def test_agents_with_a_credential_each_are_silent() -> None:
    """And so is one agent that uses its own again."""
    assert heard(stage(), use("a", 10.0), use("b", 20.0, "2c3d"), use("a", 90_000.0, is_new=False)) == []


def test_a_sharing_that_was_there_in_trusted_history_is_known() -> None:
    """Also where a third agent joins it later: it is meant for several."""
    known = [use("a", 10.0, is_new=False), use("b", 20.0, is_new=False)]
    assert heard(stage(), *known, use("c", 30.0)) == []


def test_many_agents_with_one_credential_are_one_finding() -> None:
    """Said again when their number has doubled: a key of the whole fleet is a few records."""
    found = heard(stage(), *(use(f"a{n}", 10.0 + n) for n in range(16)))
    assert [(one.counter, one.contributions[0].n) for one in found] == [(1, 2), (2, 4), (3, 8), (4, 16)]
    assert len({one.finding_uid for one in found}) == 1


def test_the_finding_is_the_same_whoever_is_heard_first() -> None:
    """Partitions are read one before the other."""
    (one,) = heard(stage(), use("a", 10.0), use("b", 20.0))
    (other,) = heard(stage(), use("b", 20.0), use("a", 10.0))
    assert one == other


def test_a_flood_of_invented_credentials_pushes_out_none_of_an_established_agent() -> None:
    """Newcomers' credentials have places of their own, and what left is counted."""
    one = stage()
    heard(one, use("a", 10.0))
    most = MOST_CREDENTIALS[True]
    heard(one, *(use(f"x{n}", 11.0, f"c{n}", established=False) for n in range(most)))
    assert len(heard(one, use("b", 20.0))) == 1
    assert one.take_counts()["graph_credentials_evicted"] == most - MOST_CREDENTIALS[False]


def test_a_credential_of_newcomers_remembers_a_few_of_them_until_an_established_agent_uses_it() -> None:
    """Invented users fill no memory, and keep nobody out of a finding."""
    one = stage()
    heard(one, *(use(f"x{n}", 10.0, established=False) for n in range(20)))
    (users,) = one._tenants["acme"].graph.credentials[False].values()
    assert len(users) == MOST_USERS[False]
    heard(one, use("a", 20.0))
    (users,) = one._tenants["acme"].graph.credentials[True].values()
    assert "a" in users


def test_invented_agents_that_share_credentials_take_no_place_of_an_honest_finding() -> None:
    """What newcomers have among themselves is counted apart."""
    one = stage()
    flood = [use(f"x{n}", 11.0, f"c{n // 2}", established=False) for n in range(2 * MOST_A_DAY + 10)]
    assert len(heard(one, *flood)) == MOST_A_DAY
    assert len(heard(one, use("a", 10.0), use("b", 20.0, established=False))) == 1
    assert one.take_counts()["joint_findings_over_credential_shared"] == 5
