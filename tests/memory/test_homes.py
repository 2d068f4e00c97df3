"""Homes: an agent that names a new tenant is held against the peers it is known by, until its own know enough."""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.memory.homes import YOUNG_GROUP
from detector.memory.layout import OLDEST, STRANGERS, TAUGHT, USED_GROUPS
from detector.memory.sessions import groups_in_use, move_sessions
from detector.pipeline import Pipeline
from detector.sketches.index import find_row
from tests.streams import Look, Script, feed, makers, ordinary, quick, quiet, trained

ODD: dict[str, Any] = {"name": "write", "target": "https://drop.evil.example/x", "attributes": {"to": "Zz9!"}}
KNOWN: dict[str, Any] = {"name": "write", "target": "/docs/team/file-3"}


def level_and_bits(pipeline: Pipeline, script: Script, act: dict[str, Any], **who: Any) -> tuple[int, float]:
    """Return the level of the act's target and how surprising that is, in a session of its own."""
    look = Look(pipeline, [script.event(**{"session_id": f"live-{script.now}", **who, **act})])
    return int(look.level[0, 0]), float(look.bits["novelty"][0])


def taught_sessions(pipeline: Pipeline) -> list[int]:
    """Return how many sessions taught each group that is no row of ours."""
    memory = pipeline.state.memory
    taught: list[int] = memory.groups["totals"][2 : int(memory.used[USED_GROUPS]), TAUGHT].tolist()
    return taught


def test_a_fresh_tenant_buys_no_silence() -> None:
    """What nobody knows is as surprising as at home; what peers use is the peers', no longer the agent's own."""
    script = Script()
    pipeline = trained(script)
    odd = level_and_bits(pipeline, script, ODD, agent_id="a-1")
    assert level_and_bits(pipeline, script, ODD, agent_id="a-1", tenant="fresh") == odd
    assert level_and_bits(pipeline, script, KNOWN, agent_id="a-1")[0] == 0
    assert level_and_bits(pipeline, script, KNOWN, agent_id="a-1", tenant="fresh")[0] == 1


def test_an_agent_nobody_knows_has_no_home_to_be_held_against() -> None:
    """The harmless twin: a new agent of a new tenant is judged by what that tenant knows, which is nothing."""
    script = Script()
    pipeline = trained(script)
    assert level_and_bits(pipeline, script, KNOWN, agent_id="new", tenant="fresh")[0] == 5


def test_a_tenant_is_taught_by_its_own_sessions_from_the_first_on_and_its_home_is_not() -> None:
    """Nobody teaches another tenant's peers; once its own know enough a tenant is held against them."""
    script = Script()
    pipeline = trained(script)
    rules = pipeline.state.settings.rules._replace(trusted_until=float("inf"))
    pipeline.state.settings = pipeline.state.settings._replace(rules=rules)
    home, fresh = taught_sessions(pipeline)[0], {"agent_id": "a-2", "tenant": "fresh"}
    read: dict[str, Any] = {"name": "read", "target": "/docs/team/file-3"}
    assert level_and_bits(pipeline, script, read, **fresh)[0] <= 1
    for number in range(YOUNG_GROUP):
        feed(pipeline, script.session(f"own-{number}", [{"name": "file", "target": f"case-{number % 3}"}], **fresh))
    assert taught_sessions(pipeline)[0] == home
    assert taught_sessions(pipeline)[-1] >= YOUNG_GROUP
    assert level_and_bits(pipeline, script, {**read, "target": "/docs/team/file-4"}, **fresh)[0] > 1


def bare_ids(pipeline: Pipeline) -> dict[int, int]:
    """Return which row stands for each bare id, as the index and as the rows say, which must agree."""
    memory = pipeline.state.memory
    live = np.flatnonzero((memory.agents["name"] != 0) & (memory.agents["is_home"] != 0))
    found = {int(memory.agents["bare"][row]): int(row) for row in live}
    assert len(found) == len(live) == np.count_nonzero(memory.home_index.key)
    for bare, row in found.items():
        with np.errstate(over="ignore"):
            assert find_row(memory.home_index, np.uint64(bare)) == row
    return found


def test_whoever_came_first_makes_way_for_the_first_that_is_established() -> None:
    """A squatter under an invented tenant does not stand for an honest agent's id."""
    script = Script()
    pipeline = Pipeline(quick())
    feed(pipeline, [script.event("read", agent_id="a-1", tenant="squat", session_id="q")])
    (squatter,) = bare_ids(pipeline).values()
    for day in range(4):
        feed(pipeline, [*ordinary(script, 6, first=6 * day), *quiet(script, 1.0)])
    feed(pipeline, ordinary(script, 3, first=24))
    homes = bare_ids(pipeline)
    assert len(homes) == 4
    assert squatter not in homes.values()


def test_an_agent_that_leaves_frees_its_id_for_the_next() -> None:
    """Rows and index agree through evictions, and through a snapshot."""
    profile = quick(memory={"agents": 6})
    make, restore = makers(profile)
    pipeline, script = make(), Script()
    for number in range(1_500):
        tenant = f"t-{number % 7}"
        feed(pipeline, script.session(f"s-{number}", [{"name": "read"}], agent_id=f"a-{number % 11}", tenant=tenant))
        if number % 500 == 499:
            assert bare_ids(restore(pipeline.snapshot(full=True))) == bare_ids(pipeline)
    assert pipeline.gauges()["agents_evicted"] > 0
    assert 0 < len(bare_ids(pipeline)) <= 6


def test_peers_that_somebody_is_held_against_are_in_use() -> None:
    """So they do not leave; a group that leaves though somebody is held against it, as its own, leaves strangers."""
    script = Script()
    pipeline = trained(script)
    memory = pipeline.state.memory
    home = int(memory.agents["group"][0])
    assert not groups_in_use(memory)[home]
    feed(pipeline, [script.event(**KNOWN, agent_id="a-1", tenant="fresh", session_id="held")])
    memory = pipeline.state.memory
    slot = int(memory.ends[OLDEST])
    own = int(memory.sessions["group"][slot])
    assert memory.sessions["peers"][slot] == home != own
    assert np.flatnonzero(groups_in_use(memory)).tolist() == sorted([home, own])
    move_sessions(memory, np.arange(len(memory.groups)) == own)
    assert (memory.sessions["group"][slot], memory.sessions["peers"][slot]) == (STRANGERS, home)
    move_sessions(memory, np.arange(len(memory.groups)) == home)
    assert memory.sessions["peers"][slot] == STRANGERS
