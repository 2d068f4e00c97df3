"""From the kernels' rows to incidents: an odd act first hides nothing, a storm is one incident."""

from __future__ import annotations

import json
from typing import Any

from detector.alerts.storm import DETECTION
from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming
from detector.memory.layout import PLAIN
from detector.response.stage import ResponseStage
from detector.schema.alert import Alert
from detector.sinks.body import shorten, to_bytes
from detector.sinks.ocsf import encode
from detector.sinks.ocsf_read import decode
from detector.sinks.renderings import RENDERINGS
from tests.response.scenes import release_of, stage_of, told
from tests.streams import Script, feed, makers, ordinary, quick, records_of, trained

ODD: dict[str, Any] = {
    "name": "odd_tool", "target": "https://odd.example/zzzz", "attributes": {"query": "Zz!1@@", "mode": "{1}"},
}  # fmt: skip
HARM: dict[str, Any] = {"name": "exfiltrate", "target": "https://evil.example", "attributes": {"to": "Zz9!thief"}}
USUAL: dict[str, Any] = {"name": "search", "target": "index-1", "attributes": {"query": "q1"}}


def told_of(*events: dict[str, Any]) -> list[Alert]:
    """Return the alerts of one session of a clerk, after days of ordinary ones."""
    script = Script()
    pipeline = trained(script, budget={"alerts": 0.01, "quarantine": 0.003})
    feed(pipeline, ordinary(script, 20, first=400))
    return feed(pipeline, script.session("s", events, agent_id="a-1", tenant=None)).alerts


def named(alert: Alert) -> list[str]:
    """Return the tools of its evidence."""
    return [one.name for one in alert.evidence]


def test_how_many_sessions_a_score_was_held_against_is_told_whatever_the_batch_brings_later() -> None:
    """Closes behind the act in the same batch are taken off: one record at a time says the same as all at once."""
    said = []
    for is_single in (False, True):
        script = Script()
        pipeline = trained(script, budget={"alerts": 0.01, "quarantine": 0.003, "window": 1_000})
        before = int(pipeline.state.standing.rolling.used[PLAIN, 1])
        lines = [*script.session("s", [USUAL, ODD], agent_id="a-1", tenant=None), *ordinary(script, 20, first=900)]
        parts = [[line] for line in lines] if is_single else [lines]
        alerts = [alert for part in parts for alert in feed(pipeline, part).alerts]
        said.append([alert.recent_sessions for alert in alerts])
        assert before <= said[-1][0] < before + 3
        assert int(pipeline.state.standing.rolling.used[PLAIN, 1]) >= before + 20
    assert said[0] == said[1]


def test_a_harmful_act_after_an_odd_harmless_one_is_named_when_it_is_done() -> None:
    """The odd one opens the incident; the other is a cause of its own, at the latest evidence near the level."""
    alerts = told_of(ODD, USUAL, HARM, USUAL)
    assert named(alerts[0]) == ["odd_tool"]
    update = next(one for one in alerts if "exfiltrate" in named(one))
    assert update.activity == "update"
    assert update.finding_uid == alerts[0].finding_uid
    assert named(alerts[-1]) == ["odd_tool", "exfiltrate"]


def test_ordinary_acts_after_an_odd_one_are_not_named() -> None:
    """The harmless twin: one cause, one record and the close."""
    alerts = told_of(ODD, USUAL, USUAL, {"name": "read", "kind": "data_access", "target": "/docs/team/file-3"})
    assert [one.activity for one in alerts] == ["create", "close"]
    assert named(alerts[-1]) == ["odd_tool"]


def test_the_same_act_again_is_folded_and_another_place_is_another_cause() -> None:
    """One tool at one host is one act, however often; the tool's name and a digest of the place stand in the cause."""
    again = told_of(HARM, HARM, HARM)
    assert [one.activity for one in again] == ["create", "close"]
    other = told_of(HARM, {**HARM, "target": "https://worse.example", "attributes": {"to": "@@other{}"}})
    assert len(other[-1].evidence) == 2
    assert all("/exfiltrate/" in one.cause for one in other[-1].evidence)


def test_after_a_release_another_cause_of_the_session_contains_again_and_the_same_one_does_not() -> None:
    """From the events to the command: a release covers the causes it names."""
    alerts = told_of(HARM, USUAL, {**ODD, "name": "drop_table", "target": "db://prod/all", "outcome": "ok"})
    first, second = alerts[0], next(one for one in alerts if len(one.causes) > 1)
    stage: ResponseStage = stage_of(fleet_share=1.0)
    assert told(stage.on_alert(first, first.time))[-1] == ("a-1", "issued")
    release = release_of(first.time + 0.5, "a-1", tenant=first.tenant)
    assert stage.on_release(release, first.time + 0.5).command is not None
    repeat = first.model_copy(update={"counter": 2, "activity": "update", "time": first.time + 1.0})
    assert stage.on_alert(repeat, first.time + 1.0).command is None
    again = stage.on_alert(second, first.time + 2.0)
    assert again.command is not None
    assert again.command.state == "quarantined"


TIGHT = quick(budget={"hourly_incidents": 3, "agent_incidents": 2, "newcomer_incidents": 3, "reserve_incidents": 1})


def _fleet() -> tuple[list[bytes], int]:
    """Return ordinary sessions, forty odd ones opened at once, and ordinary ones for hours; where the storm begins."""
    script = Script()
    values = ordinary(script, 80)
    begin = len(values)
    for k in range(40):
        script.now -= 0.9
        odd = {**ODD, "name": f"noise_{k}", "target": f"https://noise-{k}.example/", "attributes": {"a": f"Qq!{k}"}}
        values.append(script.event(**odd, agent_id=f"x-{k}", session_id=f"odd-{k}"))
    return [*values, *ordinary(script, 30, first=80)], begin


make, restore = makers(TIGHT)


def test_sessions_opened_at_once_are_few_incidents_and_one_storm_that_is_closed() -> None:
    """What is opened and what is folded is all that would have alerted; gauges and counts say so."""
    values, begin = _fleet()
    pipeline = make()
    feed(pipeline, values[:begin])
    flood = feed(pipeline, values[begin : begin + 40])
    gauges = pipeline.gauges()
    created = [one for one in flood.alerts if one.activity == "create" and one.detection != DETECTION]
    assert 0 < len(created) <= gauges["incidents_ceiling"] == 7
    assert gauges["incidents_opened"] >= len(created)
    assert gauges["incidents_folded"] > 8
    assert flood.counts["findings_folded"] >= gauges["incidents_folded"]
    rest = feed(pipeline, values[begin + 40 :])
    storm = [one for one in [*flood.alerts, *rest.alerts] if one.detection == DETECTION]
    assert [one.activity for one in storm] == ["create", *["update"] * (len(storm) - 2), "close"]
    assert storm[-1].events >= gauges["incidents_folded"]
    assert pipeline.gauges()["incidents_folded"] == 0.0


def test_nobody_is_contained_for_a_storm_and_every_sink_can_show_it() -> None:
    """It is nobody's; as a document it holds the whole alert, and a receiver with little room gets its title."""
    values, begin = _fleet()
    pipeline = make()
    feed(pipeline, values[:begin])
    flood = feed(pipeline, values[begin : begin + 40]).alerts
    storm = next(one for one in flood if one.detection == DETECTION)
    decision = stage_of().on_alert(storm, storm.time)
    assert (decision.command, decision.entry.decision) == (None, "skipped")
    assert decode(encode(storm)) == storm
    for rendering in RENDERINGS.values():
        body = rendering.render(storm)
        assert storm.title in json.dumps(body)
        assert len(to_bytes(shorten(body, rendering, 3_000))) <= 3_000


def test_a_storm_that_is_still_open_is_closed_by_finish() -> None:
    """The end of a replay ends it, as it ends sessions."""
    values, begin = _fleet()
    pipeline = make()
    feed(pipeline, values[: begin + 40])
    final = pipeline.finish().alerts
    assert [(one.detection, one.activity) for one in final if one.detection == DETECTION] == [(DETECTION, "close")]
    assert pipeline.finish().alerts == []


def test_a_storm_gives_the_same_however_it_is_cut_and_wherever_it_stops() -> None:
    """Scores, alerts, state: batches, snapshots in its middle, snapshots piece by piece."""
    values, begin = _fleet()
    records = records_of(values)
    places = [begin + 5, begin + 21, begin + 39]
    assert faults_of_cuts(make, records, [places, range(begin - 3, begin + 60, 7)]) == []
    assert faults_of_resuming(make, restore, records, places) == []
    assert faults_of_increments(make, restore, records, places) == []
