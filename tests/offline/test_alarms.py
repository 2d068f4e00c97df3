"""Who opened an incident and who joined one, how long attacks ran, and whether an alert names the act."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detector.offline.alarms import alarms_of, time_to_alert
from detector.offline.labels import EventLabel, SessionLabel
from detector.offline.scored import Scored
from detector.schema.alert import Alert, Evidence
from tests.offline.stand_in import alert

BAD, GOOD = SessionLabel("a", "", True, True, "k"), SessionLabel("a", "", True, False, "")


def _scored(rows: list[tuple[str, str, float]], alerts: list[Alert], agent: str = "a") -> Scored:
    """Return a scored stream of rows of event, session and time."""
    return Scored(
        [event for event, _, _ in rows], [session for _, session, _ in rows], [agent] * len(rows),
        [at for _, _, at in rows], np.zeros(len(rows)), alerts,
    )  # fmt: skip


def _alert(event: str, session: str | None, at: float, **more: Any) -> Alert:
    return alert({"event_id": event, "agent_id": "a", "session_id": session}, at).model_copy(update=more)


def _act(event: str) -> Evidence:
    return Evidence(topic="t", partition=0, offset=0, line=0, event_id=event, ts=0.0, kind="k", name="n", target=None,
                    outcome="ok")  # fmt: skip


def test_the_first_record_of_a_finding_is_whose_incident_it_is() -> None:
    """Records of other sessions under the same finding joined it, whatever they call themselves."""
    first = _alert("e1", "s1", 1.0)
    joined = first.model_copy(update={"session_id": "s2", "activity": "update", "counter": 2})
    called_new = first.model_copy(update={"session_id": "s3", "counter": 3})
    found = alarms_of(_scored([], [first, joined, called_new]))
    assert (found.opened, found.joined) == ({"s1"}, {"s2", "s3"})
    assert found.alarmed == {"s1", "s2", "s3"}


def test_who_joins_and_opens_has_opened() -> None:
    """In either order, once."""
    other, own = _alert("e1", "s1", 1.0), _alert("e2", "s2", 2.0)
    joined = other.model_copy(update={"session_id": "s2"})
    for alerts in ([other, joined, own], [other, own, joined]):
        assert alarms_of(_scored([], alerts)).joined == set()


def test_updates_of_ones_own_incident_are_no_joins() -> None:
    """Further causes, the close and a verdict are the same session's."""
    first = _alert("e1", "s1", 1.0)
    more = [first.model_copy(update={"activity": name, "counter": k}) for k, name in enumerate(("update", "close"), 2)]
    found = alarms_of(_scored([], [first, *more]))
    assert (found.opened, found.joined) == ({"s1"}, set())


def test_what_a_storm_folded_alarmed_and_opened_nothing() -> None:
    """It is counted among the alarmed, as before, and not among the incidents."""
    scored = _scored([], [_alert("e1", "s1", 1.0)])
    scored.unheard = frozenset({"s1", "s9"})
    found = alarms_of(scored)
    assert (found.opened, found.joined) == ({"s1"}, {"s9"})


def test_time_runs_from_the_first_attack_act_to_the_alert() -> None:
    """Two events of the session, three of the agent and 40 seconds later."""
    rows = [("e0", "s", 0.0), ("e1", "s", 10.0), ("x", "other", 20.0), ("e2", "s", 30.0), ("e3", "s", 50.0)]
    events = {"e1": EventLabel(True, "k"), "e2": EventLabel(False, ""), "e3": EventLabel(True, "k")}
    scored = _scored(rows, [_alert("e3", "s", 50.0)])
    found = time_to_alert(scored, alarms_of(scored), {"s": BAD, "other": GOOD}, events)
    assert (found["attacks"], found["n"], found["before"], found["labelled"]) == (1, 1, 0, 1)
    assert [found[name]["median"] for name in ("events", "agent_events", "seconds")] == [2.0, 3.0, 40.0]
    assert found["named_attack_act"] == 1.0


def test_without_labelled_acts_the_session_is_an_attack_from_its_first_event() -> None:
    """And nothing can be said of what the alert names."""
    scored = _scored([("e0", "s", 5.0), ("e1", "s", 7.0)], [_alert("e1", "s", 7.0)])
    found = time_to_alert(scored, alarms_of(scored), {"s": BAD})
    assert found["seconds"] == {"median": 2.0, "p90": 2.0}
    assert (found["labelled"], found["named_attack_act"], found["evidence_has_attack_act"]) == (0, None, None)


def test_an_alert_before_the_attack_counts_as_none_and_is_told() -> None:
    """The session was looked at already; what was named is not the attack."""
    rows = [("e0", "s", 0.0), ("e1", "s", 9.0)]
    scored = _scored(rows, [_alert("e0", "s", 0.0)])
    found = time_to_alert(scored, alarms_of(scored), {"s": BAD}, {"e1": EventLabel(True, "k")})
    assert (found["before"], found["seconds"]["median"], found["events"]["median"]) == (1, 0.0, 0.0)
    assert found["named_attack_act"] == 0.0


def test_evidence_of_a_later_record_may_name_the_act() -> None:
    """First the odd call that was harmless, then the attack."""
    first = _alert("e0", "s", 0.0, evidence=(_act("e0"),))
    later = first.model_copy(update={"counter": 2, "activity": "update", "evidence": (_act("e0"), _act("e1"))})
    scored = _scored([("e0", "s", 0.0), ("e1", "s", 9.0)], [first, later])
    found = time_to_alert(scored, alarms_of(scored), {"s": BAD}, {"e1": EventLabel(True, "k")})
    assert (found["named_attack_act"], found["evidence_has_attack_act"]) == (0.0, 1.0)


def test_a_joined_record_is_placed_by_its_time() -> None:
    """The incident may name the first opener's act, which is none of this session."""
    rows = [("e0", "s1", 0.0), ("e1", "s2", 10.0), ("e2", "s2", 20.0)]
    first = _alert("e0", "s1", 0.0)
    joined = first.model_copy(update={"session_id": "s2", "time": 20.0, "activity": "update", "counter": 2})
    scored = _scored(rows, [first, joined])
    found = time_to_alert(scored, alarms_of(scored), {"s2": BAD}, {"e1": EventLabel(True, "k")})
    assert (found["events"]["median"], found["seconds"]["median"]) == (1.0, 10.0)


def test_medians_and_tails_are_over_the_attacks_that_alerted() -> None:
    """Ten attacks, after 0, 1 ... 9 seconds; one more was missed, history and harmless sessions do not count."""
    rows, alerts, labels = [], [], {"h": BAD._replace(is_live=False), "g": GOOD, "missed": BAD}
    for k in range(10):
        rows += [(f"e{k}-0", f"s{k}", 100.0 * k), (f"e{k}-1", f"s{k}", 100.0 * k + k)]
        alerts.append(_alert(f"e{k}-1", f"s{k}", 100.0 * k + k))
        labels[f"s{k}"] = BAD
    rows += [("h0", "h", 0.0), ("g0", "g", 0.0), ("m0", "missed", 0.0)]
    alerts += [_alert("h0", "h", 0.0), _alert("g0", "g", 0.0)]
    scored = _scored(rows, alerts)
    found = time_to_alert(scored, alarms_of(scored), labels)
    assert (found["attacks"], found["n"]) == (11, 10)
    assert found["seconds"] == {"median": pytest.approx(4.5), "p90": pytest.approx(8.1)}


def test_nothing_found_is_no_time() -> None:
    """Not zero seconds."""
    found = time_to_alert(_scored([("e", "s", 0.0)], []), alarms_of(_scored([], [])), {"s": BAD})
    assert (found["n"], found["seconds"]) == (0, {"median": None, "p90": None})
