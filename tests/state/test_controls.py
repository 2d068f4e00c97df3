"""The second input: a verdict shows on its incident and in the gauges, and no score is any different for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.state.report import Outcome
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
    assert pipeline.gauges() == {**before, "verdicts_confirm": 1.0}


def test_scores_and_alerts_after_a_verdict_are_those_of_a_pipeline_without_it() -> None:
    """Whatever the verdict: it is shown, and that is all; even the state differs only where it is kept."""
    plain_script, script = Script(), Script()
    (plain, _), (judged, alert) = alerted(plain_script, ends=True), alerted(script, ends=True)
    judged.control([verdict(alert, kind) for kind in ("confirm", "dismiss", "confirm_safe")])
    values = [*ordinary(script, 20, first=500), *script.session("odder", ODD, agent_id="a-1")]
    one, other = feed(plain, values), feed(judged, values)
    assert one.scores.tolist() == other.scores.tolist()
    assert [alert.model_dump() for alert in one.alerts] == [alert.model_dump() for alert in other.alerts]
    shards, others = plain.snapshot(full=True), judged.snapshot(full=True)
    assert {name for name in {*shards, *others} if shards.get(name) != others.get(name)} == {"core", "closed/00000"}


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
