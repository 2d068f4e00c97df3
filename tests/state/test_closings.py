"""Cases that a SIEM closed, through the control path: each finding is answered, once, and as a person's verdict is."""

from __future__ import annotations

import pytest

from detector.pipeline import Pipeline
from detector.schema.alert import Alert
from detector.schema.control import Control
from tests.schema.cases import AT_MS, case
from tests.state.test_controls import ODD, alerted, verdict
from tests.streams import Script, feed, ordinary, quick

AT = {"at": AT_MS / 1_000}


def closing(alerts: list[Alert], verdict_id: int, **changes: object) -> Control:
    """Return a closed case about alerts."""
    return Control(0, case([alert.finding_uid for alert in alerts], verdict_id, **changes))


def two_alerts() -> tuple[Pipeline, list[Alert]]:
    """Return a pipeline with an open finding and a closed one, of two agents and of different causes."""
    script = Script()
    pipeline, first = alerted(script, ends=True)
    other = [{**act, "name": "other_tool", "target": f"{act['target']}.example"} for act in ODD]
    found = feed(pipeline, script.session("other", other, agent_id="a-2")[:-1]).alerts
    return pipeline, [first, found[-1]]


@pytest.mark.parametrize(("verdict_id", "said"), [(1, "dismiss"), (2, "confirm"), (3, "dismiss"), (5, "dismiss"),
                                                  (6, "dismiss"), (8, "confirm")])  # fmt: skip
def test_a_closed_case_does_what_the_verdict_does(verdict_id: int, said: str) -> None:
    """The same record on the incident and the same state after it, byte for byte."""
    (by_siem, (one, _)), (by_desk, _) = two_alerts(), two_alerts()
    told = by_siem.control([closing([one], verdict_id)])
    assert [alert.activity for alert in told.alerts] == ["verdict"]
    assert told.alerts == by_desk.control([verdict(one, said, **AT)]).alerts
    assert by_siem.snapshot(full=True) == by_desk.snapshot(full=True)
    assert by_siem.gauges()[f"verdicts_{said}"] == 1.0


def test_each_finding_of_a_case_is_answered() -> None:
    """Open or closed, of several agents; a finding that nobody remembers is counted."""
    pipeline, alerts = two_alerts()
    missing = alerts[0].model_copy(update={"finding_uid": "0" * 32})
    outcome = pipeline.control([closing([*alerts, missing], 2)])
    assert [one.finding_uid for one in outcome.alerts] == [one.finding_uid for one in alerts]
    assert (outcome.counts["verdicts"], outcome.counts["verdicts_unmatched"]) == (2, 1)
    known = [pipeline.state.threshold.cases.find(one.finding_uid) for one in alerts]
    assert [one.said for one in known if one is not None] == ["confirm", "confirm"]


def test_a_case_that_is_sent_again_says_nothing_again() -> None:
    """Whatever time the SIEM puts on it; another verdict, or another person's, is a new one."""
    pipeline, (one, _) = two_alerts()
    pipeline.control([closing([one], 1)])
    held = pipeline.snapshot(full=True)
    for time in (AT_MS, AT_MS + 60_000):
        outcome = pipeline.control([closing([one], 1, time=time)])
        assert (outcome.alerts, outcome.counts["closings_repeated"]) == ([], 1)
    assert pipeline.snapshot(full=True) == held
    (changed,) = pipeline.control([closing([one], 2, time=AT_MS + 1)]).alerts
    assert changed.verdict is not None
    assert changed.verdict.verdict == "confirm"


def test_what_a_person_said_later_outweighs_a_case_that_is_delivered_late() -> None:
    """A record that comes again from before an `undo` does not bring the verdict back."""
    pipeline, (one, _) = two_alerts()
    pipeline.control([closing([one], 1), verdict(one, "undo", at=AT["at"] + 5.0)])
    outcome = pipeline.control([closing([one], 1)])
    assert (outcome.alerts, outcome.counts["closings_repeated"]) == ([], 1)


def test_an_open_case_changes_nothing() -> None:
    """A status without a verdict is no verdict, and neither is a verdict before the case is closed."""
    pipeline, (one, _) = two_alerts()
    held = pipeline.snapshot(full=True)
    outcome = pipeline.control([closing([one], 2, status_id=2, activity_id=2)])
    assert (outcome.alerts, outcome.refusals, outcome.counts["closings_open"]) == ([], [], 1)
    assert pipeline.snapshot(full=True) == held


@pytest.mark.parametrize("verdict_id", [0, 4, 7, 9, 10, 99])
def test_a_closed_case_that_decides_nothing_is_a_dead_letter(verdict_id: int) -> None:
    """With its reason; nothing is said of the finding."""
    pipeline, (one, _) = two_alerts()
    held = pipeline.snapshot(full=True)
    outcome = pipeline.control([closing([one], verdict_id)])
    ((index, refusal),) = outcome.refusals
    assert (index, refusal.reason) == (0, "bad_feedback")
    assert f"got {verdict_id}" in refusal.detail
    assert (outcome.alerts, pipeline.snapshot(full=True)) == ([], held)


def test_a_case_of_another_tenant_reaches_nothing() -> None:
    """Who names a tenant speaks of that tenant's findings alone."""
    pipeline, (one, _) = two_alerts()
    outcome = pipeline.control([closing([one], 2, metadata={"version": "1.8.0", "tenant_uid": "elsewhere"})])
    assert (outcome.alerts, outcome.counts["verdicts_unmatched"]) == ([], 1)
    outcome = pipeline.control([closing([one], 2, metadata={"version": "1.8.0", "tenant_uid": one.tenant})])
    assert outcome.counts["verdicts"] == 1


def test_a_finding_of_which_only_the_case_is_left_is_answered_once() -> None:
    """Its alert has left; the verdict shows nothing and counts all the same, the second time not."""
    pipeline, (one, _) = two_alerts()
    del pipeline.state.incidents.recent[one.finding_uid]
    assert pipeline.control([closing([one], 2)]).counts["verdicts"] == 1
    again = pipeline.control([closing([one], 2)])
    assert (again.counts["verdicts"], again.counts["closings_repeated"]) == (0, 1)


def test_a_restored_pipeline_knows_that_a_case_was_answered() -> None:
    """The same bytes after the same case, and after the events that follow."""
    pipeline, alerts = two_alerts()
    pipeline.control([closing(alerts, 1)])
    again = Pipeline.restore(quick(), pipeline.snapshot(full=True))
    script = Script(start=alerts[-1].time + 600.0)
    values = ordinary(script, 4, first=900)
    for one in (pipeline, again):
        assert one.control([closing(alerts, 1)]).counts["closings_repeated"] == len(alerts)
        feed(one, values)
    assert pipeline.snapshot(full=True) == again.snapshot(full=True)
