"""Whose sessions teach what everybody is held against: newcomers' do not, once enough agents are established."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.memory.eviction import QUORUM
from detector.pipeline import Pipeline
from detector.schema.record import Record
from detector.simulate.fleet import MONDAY
from tests.streams import Script, feed, makers, ordinary, quick, records_of

STEPS = [{"name": "read", "target": "/docs/team/file-1"}]
SESSIONS = 60
_AFTER = Script()
ordinary(_AFTER, SESSIONS, agents=QUORUM)
TRUSTED = _AFTER.now


def invented(script: Script, count: int) -> list[bytes]:
    """Return dull sessions of as many ids that nobody saw before."""
    return [value for n in range(count) for value in script.session(f"i-{n}", STEPS, agent_id=f"i-{n}")]


def crowd(agents: int) -> tuple[Pipeline, Script]:
    """Return a pipeline that trusts ordinary sessions of some agents, and the script that goes on."""
    script = Script()
    values = ordinary(script, SESSIONS, agents=agents)
    pipeline = Pipeline(quick(), trusted_until=script.now)
    feed(pipeline, values)
    assert pipeline.gauges()["agents_established"] == agents
    return pipeline, script


def held_against(pipeline: Pipeline) -> list[np.ndarray]:
    """Return what sessions teach for everybody: histograms, the forest's sample and how much went into it."""
    state, memory = pipeline.state, pipeline.state.memory
    kept = (memory.survival, state.models.survival, memory.sample, memory.sampled)
    return [array.copy() for array in kept]


def test_invented_ids_have_no_vote_once_enough_agents_are_established() -> None:
    """A hundred sessions of theirs move no histogram; each is scored, and counts in the windows."""
    pipeline, script = crowd(QUORUM)
    voted = int(pipeline.state.memory.survival.sum())
    feed(pipeline, ordinary(script, 4, first=SESSIONS, agents=QUORUM))
    assert pipeline.state.memory.survival.sum() > voted
    before, windowed = held_against(pipeline), int(pipeline.state.standing.rolling.used[0, 1])
    outcome = feed(pipeline, invented(script, 100))
    assert outcome.counts["events_scored"] == outcome.counts["sessions_closed"] == 100
    assert np.count_nonzero(outcome.scores > 0.0) > 0
    for one, other in zip(before, held_against(pipeline), strict=True):
        np.testing.assert_array_equal(one, other)
    assert pipeline.state.standing.rolling.used[0, 1] == windowed + 100


def test_everybody_has_a_vote_while_few_agents_are_established() -> None:
    """One fewer than the quorum: else a young fleet would have no histograms."""
    pipeline, script = crowd(QUORUM - 1)
    before = int(pipeline.state.memory.survival.sum())
    feed(pipeline, invented(script, 20))
    assert pipeline.state.memory.survival.sum() > before


def test_a_newcomer_without_a_vote_alerts() -> None:
    """It is held against the others like anybody."""
    pipeline, script = crowd(QUORUM)
    feed(pipeline, invented(script, 20))
    odd = {"name": "wire", "target": "https://paste.example/x", "attributes": {"account": "DE02", "amount": 9e9}}
    alerts = feed(pipeline, script.session("odd", [odd], agent_id="thief")).alerts
    assert [(one.agent_id, one.established, one.activity) for one in alerts] == [
        ("thief", False, "create"),
        ("thief", False, "close"),
    ]


make, restore = makers(quick(), trusted_until=TRUSTED)


def mixed() -> list[Record]:
    """Return trusted history, then honest sessions and invented ids in turn."""
    script = Script(MONDAY)
    values = ordinary(script, SESSIONS, agents=QUORUM)
    for n in range(10):
        values += invented_at(script, n)
        values += ordinary(script, 2, first=SESSIONS + 2 * n, agents=QUORUM)
    return records_of(values)


def invented_at(script: Script, turn: int) -> Sequence[bytes]:
    """Return a few sessions of ids that only this turn has."""
    return [value for n in range(5) for value in script.session(f"i-{turn}-{n}", STEPS, agent_id=f"i-{turn}-{n}")]


def test_who_has_a_vote_is_the_same_however_the_input_is_cut_stopped_and_written() -> None:
    """The quorum is reached in the midst of it: a vote is decided where a session closes, not where a batch ends."""
    records = mixed()
    cuts = range(7, len(records), 31)
    assert faults_of_cuts(make, records, [cuts]) == []
    assert faults_of_resuming(make, restore, records, [40, 200, len(records) - 30]) == []
    assert faults_of_increments(make, restore, records, list(cuts)) == []
