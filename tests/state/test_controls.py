"""The second input: a verdict shows on its incident, and the next decision changes as its verb says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from detector.channels.context import OF_TARGET
from detector.memory.layout import FUSED
from detector.pipeline import Pipeline
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.simulate.fleet import DAY_S
from detector.sinks.words import how_rare
from detector.sketches.rolling import log_rarity
from detector.state.report import Outcome
from detector.steps.account import ANSWER_CLOSES
from detector.steps.peers import HELD
from tests.streams import Script, feed, ordinary, quick, trained

ODD: list[dict[str, Any]] = [
    {"name": "exfiltrate", "target": f"https://d{n}.evil.example", "attributes": {"to": f"Zz{n}!", "via": "@@"}}
    for n in range(4)
]
ACT = {"agent_id": "a-1", "by": "kim", "reason": "seen it", "at": 1_772_442_000.0, "id": "f" * 32}


def act(**fields: Any) -> Control:
    """Return one record of feedback."""
    return Control(0, json.dumps({**ACT, **fields}).encode())


def verdict(alert: Alert, kind: str = "confirm", **fields: Any) -> Control:
    """Return a person's verdict on an alert."""
    return act(kind="verdict", finding_uid=alert.finding_uid, verdict=kind, **fields)


def alerted(script: Script, *, ends: bool) -> tuple[Pipeline, Alert]:
    """Return a pipeline and its last alert, of a session still open or closed."""
    pipeline = trained(script)
    feed(pipeline, ordinary(script, 20, first=400))
    values = script.session("odd", ODD, agent_id="a-1")
    return pipeline, feed(pipeline, values if ends else values[:-1]).alerts[-1]


@pytest.mark.parametrize("ends", [True, False])
def test_a_verdict_is_shown_on_its_incident_and_in_the_gauges(ends: bool) -> None:
    """Open or closed: one more record of the same finding, with who and why."""
    pipeline, alert = alerted(Script(), ends=ends)
    before = pipeline.gauges()
    outcome = pipeline.control([verdict(alert)])
    (shown,) = outcome.alerts
    assert shown.verdict is not None
    assert (shown.verdict.verdict, shown.verdict.by, shown.verdict.reason) == ("confirm", "kim", "seen it")
    assert (shown.finding_uid, shown.counter, shown.activity) == (alert.finding_uid, alert.counter + 1, "verdict")
    assert (outcome.counts["verdicts"], outcome.counts["alerts_verdict"]) == (1, 1)
    shown_in = ("balance", "false_share", "threshold", "threshold_evidence")
    changed = {name: value for name, value in pipeline.gauges().items() if before.get(name) != value}
    assert {name: value for name, value in changed.items() if name not in shown_in} == {"verdicts_confirm": 1.0}


@pytest.mark.parametrize("kind", [None, "dismiss", "confirm"])
def test_the_threshold_in_an_alert_is_the_gauge_of_that_name(kind: str | None) -> None:
    """Whatever verdicts made of it, in the first record and in one of an act near it; its evidence has its rarity."""
    script = Script()
    pipeline, alert = alerted(script, ends=True)
    if kind is not None:
        pipeline.control([verdict(alert, kind)])
    feed(pipeline, ordinary(script, 4, first=500))
    gauges, state = pipeline.gauges(), pipeline.state
    assert (gauges["threshold"] == pytest.approx(-math.log10(state.settings.threshold.alerts))) == (kind is None)
    other = [{**one, "name": "upload", "target": f"https://x{n}.worse.example"} for n, one in enumerate(ODD)]
    records = feed(pipeline, script.session("odder", other, agent_id="a-3")[:-1]).alerts
    assert records
    assert {one.threshold for one in records} == {round(gauges["threshold"], 6)}
    judge, rolling = state.settings.judge, state.standing.rolling
    rarity = log_rarity(rolling, FUSED, gauges["threshold_evidence"], judge.tail, judge.least)
    assert rarity == pytest.approx(gauges["threshold"], abs=0.05) or gauges["threshold_evidence"] == judge.floor


def test_an_alert_counts_the_sessions_that_were_as_strange() -> None:
    """None of those it was held against, then the one before it: it is the strangest no more, and not called so."""
    script = Script()
    pipeline, first = alerted(script, ends=True)
    assert (first.recent_as_strange, "the strangest of" in how_rare(first)) == (0, True)
    feed(pipeline, ordinary(script, 4, first=500))
    (again, *_) = feed(pipeline, script.session("odder", ODD[:1], agent_id="a-2")).alerts
    assert again.recent_as_strange == 1
    assert f"1 of {again.recent_sessions:,} recent sessions" in how_rare(again)


def after(kinds: Sequence[str], odd: Sequence[Mapping[str, Any]] = ODD, agent: str = "a-2") -> tuple[Pipeline, Outcome]:
    """Return a pipeline that was given verdicts on an odd session of a-1, and what it makes of another one."""
    script = Script()
    pipeline, alert = alerted(script, ends=True)
    for kind in kinds:
        more = {"until": script.now + 3 * DAY_S} if kind == "disable" else {}
        assert pipeline.control([verdict(alert, kind, **more)]).counts["verdicts"] == 1
    feed(pipeline, ordinary(script, 4, first=500))
    return pipeline, feed(pipeline, script.session("odder", list(odd), agent_id=agent))


@pytest.mark.parametrize("kind", ["dismiss", "safe"])
def test_what_a_person_called_harmless_is_quiet_for_every_agent(kind: str) -> None:
    """The same act of another agent does not alert any more; without the verdict it does, and joins the incident."""
    _, told = after([])
    assert [one.activity for one in told.alerts][:1] == ["create"]
    assert told.alerts[0].incident_uid not in ("", told.alerts[0].finding_uid)
    assert told.alerts[0].incident_sessions == 2
    (before,) = told.alerts[0].incident_earlier
    assert (before.finding_uid, before.agent_id, before.session_id) == (told.alerts[0].incident_uid, "a-1", "odd")
    assert {one.incident_earlier for one in told.alerts} == {(before,)}
    pipeline, quiet = after([kind])
    assert quiet.alerts == []
    assert pipeline.gauges()["causes_quieted"] == len(ODD)


def test_only_what_is_safe_is_learned() -> None:
    """A safe value is known to its peers, of another tool too; a dismissed or confirmed one is as new as it was."""
    act = [{"name": "send", "target": ODD[0]["target"]}]
    levels = {}
    for kind in ("confirm", "dismiss", "safe"):
        pipeline, _ = after([kind], act, "a-1")
        levels[kind] = int(pipeline.state.work.context.level[0, OF_TARGET])
    assert levels == {"confirm": 5, "dismiss": 5, "safe": 2}


def test_what_is_disabled_is_quiet_for_whom_it_says_and_until_when_it_says() -> None:
    """The agent's own are not told, another agent's are."""
    pipeline, own = after(["disable"], agent="a-1")
    assert own.alerts == []
    assert (pipeline.gauges()["causes_disabled"], pipeline.gauges()["causes_quieted"]) == (len(ODD), len(ODD))
    assert after(["disable"], agent="a-2")[1].alerts != []


@pytest.mark.parametrize("kind", ["confirm", "dismiss", "safe", "disable"])
def test_a_verdict_that_is_taken_back_leaves_scores_and_alerts_as_they_were(kind: str) -> None:
    """The act after it is judged as if nobody had spoken; only what an answer costs remains in the account."""
    _, plain = after([])
    _, back = after([kind, "undo"])
    assert back.scores.tolist() == plain.scores.tolist()
    assert [one.activity for one in back.alerts] == [one.activity for one in plain.alerts]


def test_a_confirmed_attack_leaves_the_reference_and_a_dismissed_one_returns() -> None:
    """Closed before the verdict or after it: attacks do not raise the level for the next one."""
    for ends in (True, False):
        script = Script()
        pipeline, alert = alerted(script, ends=ends)
        used = pipeline.state.standing.rolling.used
        before = int(used[FUSED, 0])
        pipeline.control([verdict(alert, "confirm")])
        pipeline.finish()
        assert int(used[FUSED, 0]) == before - ends
        pipeline.control([verdict(alert, "dismiss")])
        assert int(used[FUSED, 0]) == before - ends + ends


def test_what_is_written_of_changes_alone_adds_up_to_the_whole() -> None:
    """Also where an alert that nobody answered is charged long after, among sessions that are all quiet."""
    script = Script()
    pipeline = trained(script, budget={"alerts": 0.01, "quarantine": 0.003})
    feed(pipeline, ordinary(script, 20, first=400))
    alert = feed(pipeline, script.session("odd", ODD, agent_id="a-1")).alerts[-1]
    other = [{**act, "name": "other_tool", "target": f"{act['target']}.example"} for act in ODD]
    assert feed(pipeline, script.session("unanswered", other, agent_id="a-2")).alerts
    pipeline.control([verdict(alert, "confirm")])
    held = pipeline.snapshot(full=True)
    for first in range(1_000, 1_000 + ANSWER_CLOSES + 20, 10):
        feed(pipeline, ordinary(script, 10, first=first))
        held |= pipeline.snapshot()
    assert sum(case.charged > 0.0 for case in pipeline.state.threshold.cases.cases.values()) == 1
    whole = pipeline.snapshot(full=True)
    assert {name for name, shard in whole.items() if shard != held.get(name, b"")} == set()


def test_who_names_another_group_is_not_covered_by_what_is_disabled_for_it() -> None:
    """A session is told as one of the peers it is held against, whatever type its sender gives the act."""
    script = Script()
    pipeline, alert = alerted(script, ends=True)
    feed(pipeline, [script.event(agent_id="a-9", agent_type="other", session_id="new")])
    pipeline.control([verdict(alert, "disable", until=script.now + DAY_S, scope="group")])
    known = pipeline.state.threshold.cases.cases
    hidden = pipeline.gauges()["causes_quieted"]
    assert feed(pipeline, script.session("mine", ODD, agent_id="a-2")).alerts == []
    assert pipeline.gauges()["causes_quieted"] > hidden
    moved = script.session("theirs", [{**act, "agent_type": "other"} for act in ODD], agent_id="a-2")
    assert feed(pipeline, moved).alerts == []
    assert {case.group for case in known.values()} == {int(pipeline.state.memory.groups["name"][2])}


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("kinds", [("undo",), ("disable", "undo"), ("confirm", "undo"), ("confirm", "dismiss", "undo")])
def test_undo_leaves_the_reference_as_it_was(kinds: tuple[str, ...], ends: bool) -> None:
    """Value by value, whatever was said before it, of an open session and of a closed one."""
    windows = []
    for said in ((), kinds):
        script = Script()
        pipeline, alert = alerted(script, ends=ends)
        for kind in said:
            more = {"until": script.now + DAY_S} if kind == "disable" else {}
            pipeline.control([verdict(alert, kind, **more)])
        pipeline.finish()
        rolling, groups = pipeline.state.standing.rolling, pipeline.state.memory.groups
        peers = [sorted(row["ordered"][: int(row["filled"][HELD])].tolist()) for row in groups]
        windows.append((sorted(rolling.ordered[FUSED, : int(rolling.used[FUSED, 0])].tolist()), peers))
    assert windows[0] == windows[1]


def test_a_confirmed_attack_leaves_its_peers_too() -> None:
    """Of the reference and of its group's sessions one is gone, and it was the strangest."""
    script = Script()
    pipeline, alert = alerted(script, ends=True)
    case = next(one for one in pipeline.state.threshold.cases.cases.values() if one.uid == alert.finding_uid)
    row = int(np.flatnonzero(pipeline.state.memory.groups["name"] == case.group)[0])
    group = pipeline.state.memory.groups[row]
    before = group["ordered"][: group["filled"][HELD]].tolist()
    pipeline.control([verdict(alert, "confirm")])
    after_it = group["ordered"][: group["filled"][HELD]].tolist()
    assert after_it == [x for x in before if x != case.score]
    assert len(after_it) == len(before) - 1


def test_verdicts_take_effect_at_their_place_however_the_rest_is_cut_and_after_a_restart() -> None:
    """The same alerts and the same state, in batches of one and of all, and with a stop behind the verdict."""
    shards = []
    for size, stops in ((1, False), (500, False), (7, True)):
        script = Script()
        pipeline, alert = alerted(script, ends=True)
        pipeline.control([verdict(alert, "dismiss")])
        if stops:
            pipeline = Pipeline.restore(quick(), pipeline.snapshot(full=True))
        values = [*ordinary(script, 30, first=600), *script.session("odder", ODD, agent_id="a-2")]
        values += ordinary(script, 30, first=700)
        for at in range(0, len(values), size):
            feed(pipeline, values[at : at + size])
        # where evidence stands is numbered anew for every batch here
        kept = pipeline.snapshot(full=True).items()
        shards.append({name: shard for name, shard in kept if not name.startswith("closed/")})
    assert shards[0] == shards[1] == shards[2]


def test_a_verdict_on_nothing_that_is_remembered_is_counted_and_shown_nowhere() -> None:
    """An unknown finding, or one of another agent."""
    pipeline, alert = alerted(Script(), ends=True)
    outcome = pipeline.control(
        [act(kind="verdict", finding_uid="unknown", verdict="confirm"), verdict(alert, agent_id="a-2")]
    )
    assert (outcome.alerts, outcome.counts["verdicts_unmatched"], outcome.counts["verdicts"]) == ([], 2, 0)
    assert "verdicts_confirm" not in pipeline.gauges()


@pytest.mark.parametrize(
    "value",
    [b"", b"no json", b"[]", json.dumps({**ACT, "kind": "verdict"}).encode(),
     json.dumps({**ACT, "kind": "verdict", "finding_uid": "x", "verdict": "perhaps"}).encode(),
     json.dumps({**ACT, "kind": "oracle"}).encode()],
)  # fmt: skip
def test_feedback_that_cannot_be_read_is_refused_by_its_place_and_the_next_one_counts(value: bytes) -> None:
    """With the bytes, for the dead letters."""
    pipeline = Pipeline(quick())
    outcome = pipeline.control([act(kind="release"), Control(1, value), act(kind="release")])
    ((place, refusal),) = outcome.refusals
    assert (place, refusal.reason, refusal.raw) == (1, "bad_feedback", value)
    assert outcome.counts["controls_ignored"] == 2


def test_a_release_is_for_the_response_stage_and_only_counted_here() -> None:
    """No alert, no gauge."""
    pipeline, _ = alerted(Script(), ends=True)
    before = pipeline.gauges()
    outcome = pipeline.control([act(kind="release")])
    assert (outcome.alerts, outcome.refusals, dict(outcome.counts)) == ([], [], {"controls_ignored": 1})
    assert pipeline.gauges() == before


def test_a_restored_pipeline_remembers_incidents_verdicts_and_what_was_folded() -> None:
    """A verdict on what closed before the stop still reaches it; its note stays through the close."""
    script = Script()
    pipeline, first = alerted(script, ends=True)
    open_one = feed(pipeline, [script.event(**{**one, "agent_id": "a-2", "session_id": "two"}) for one in ODD]).alerts
    pipeline.control([verdict(open_one[-1], agent_id="a-2")])
    again = Pipeline.restore(quick(), pipeline.snapshot(full=True))
    assert again.state.incidents.open == pipeline.state.incidents.open != {}
    assert list(again.state.incidents.recent.items()) == list(pipeline.state.incidents.recent.items())
    assert again.state.incidents.folded == pipeline.state.incidents.folded
    assert again.gauges()["verdicts_confirm"] == 1.0
    (shown,) = again.control([verdict(first, "dismiss")]).alerts
    assert (shown.finding_uid, shown.counter) == (first.finding_uid, first.counter + 1)
    assert again.gauges()["verdicts_dismiss"] == 1.0
    closed: Outcome = again.finish()
    assert [one.verdict and one.verdict.by for one in closed.alerts] == ["kim"]


def waves(tenants: Sequence[str]) -> list[Alert]:
    """Return the first alerts of sessions that do the same odd things, one a tenant named, each of another agent."""
    script = Script()
    pipeline = trained(script)
    feed(pipeline, ordinary(script, 20, first=400))
    found: list[Alert] = []
    for number, tenant in enumerate(tenants):
        common = {
            "agent_id": f"a-{number}",
            "tenant": tenant,
            "agent_type": "clerk" if tenant == "default" else "other",
        }
        found += feed(pipeline, script.session(f"odd-{number}", ODD, **common)).alerts[:1]
    return found


def test_an_incident_names_its_newest_sessions_and_counts_the_rest() -> None:
    """Eight at most, the newest first; their number is all of them."""
    last = waves(["default"] * 11)[-1]
    assert [one.session_id for one in last.incident_earlier] == [f"odd-{number}" for number in range(9, 1, -1)]
    assert last.incident_sessions == 11


def test_an_incident_names_no_session_of_another_tenant() -> None:
    """It counts them: an incident is whoever's its cause is."""
    first, other, last = waves(["default", "other", "default"])
    assert {first.incident_uid} == {other.incident_uid, last.incident_uid}
    assert (other.incident_sessions, other.incident_earlier) == (2, ())
    assert [one.session_id for one in last.incident_earlier] == ["odd-0"]
    assert last.incident_sessions == 3
