"""Evaluation: what is joined, what is counted, and that labels never reach the scoring side."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from detector.offline.analyst import Analyst
from detector.offline.evaluate import Inputs, Question, evaluate, judge_sessions
from detector.offline.labels import SessionLabel
from detector.offline.metrics import Resampling
from detector.offline.scored import score_stream
from tests.offline.stand_in import AnswerableStandIn, StandInCore, event

SESSION_KEYS = {
    "roc_auc", "average_precision", "recall_at_0_5pct", "recall_at_1pct", "recall_at_5pct", "benign_alarm_rate",
    "promised_rate", "n", "positives", "intervals", "benign_alarm_rate_judged", "benign_incident_rate", "live_recall",
    "ranking_recall_at_same_rate", "of_promise", "judged",
}  # fmt: skip
QUICK = Question(0.01, Resampling(20), 60.0)


def _scored(number: int, session: str, score: float | None, agent: str = "a") -> bytes:
    attributes = {} if score is None else {"score": score}
    return event(number, session_id=session, agent_id=agent, attributes=attributes)


@pytest.fixture
def stream(tmp_path: Path) -> Inputs:
    """Return a stream of 40 live sessions of two agents, four of them attacks of two kinds, and some history."""
    lines, labels, marks = (
        [],
        ["session_id,agent_id,phase,label,attack_type"],
        ["event_id,session_id,label,attack_type"],
    )
    for number in range(50):
        phase, agent = ("history" if number < 10 else "live"), "ab"[number % 2]
        kind = {20: "scan", 30: "scan", 41: "theft", 45: "theft"}.get(number, "")
        labels.append(f"s{number},{agent},{phase},{int(bool(kind))},{kind}")
        for step in range(3):
            score = (3.0 if kind != "theft" else 1.5) if kind and step == 1 else number % 7 / 10
            lines.append(_scored(number * 10 + step, f"s{number}", score, agent))
            marks.append(f"e{number * 10 + step},s{number},{int(bool(kind) and step == 1)},{kind}")
    lines.insert(7, b"no event")
    (tmp_path / "events").write_bytes(b"\n".join(lines))
    (tmp_path / "sessions.csv").write_text("\n".join(labels))
    (tmp_path / "marks.csv").write_text("\n".join(marks))
    return Inputs(tmp_path / "events", tmp_path / "sessions.csv", tmp_path / "marks.csv")


def test_the_report_has_the_promised_keys_and_is_json(stream: Inputs) -> None:
    """Sessions as a whole, by agent and by kind of attack: the same keys everywhere."""
    report = evaluate(StandInCore(), stream, QUICK)
    parts = (report[name].values() for name in ("by_agent", "by_peer_group", "by_attack_kind"))
    for row in (report["session"], *chain.from_iterable(parts)):
        assert set(row) >= SESSION_KEYS
    assert set(report["by_agent"]) == {"a", "b"}
    assert set(report["by_attack_kind"]) == {"scan", "theft"}
    json.dumps(report, allow_nan=False)


def test_only_live_sessions_count(stream: Inputs) -> None:
    """Forty of fifty sessions, four attacks, all of them on top: two alarmed, none of the harmless."""
    report = evaluate(StandInCore(), stream, QUICK)["session"]
    assert (report["n"], report["positives"]) == (40, 4)
    assert report["roc_auc"] == report["average_precision"] == report["recall_at_1pct"] == 1.0
    assert (report["live_recall"], report["benign_alarm_rate"], report["alarm_rate"]) == (0.5, 0.0, 0.05)
    assert report["promised_rate"] == 0.01
    assert report["intervals"]["roc_auc"] == (1.0, 1.0)


def test_kinds_are_held_against_all_that_is_harmless(stream: Inputs) -> None:
    """A kind that is never alarmed shows as such."""
    kinds = evaluate(StandInCore(), stream, QUICK)["by_attack_kind"]
    assert [kinds[kind]["live_recall"] for kind in ("scan", "theft")] == [1.0, 0.0]
    assert [kinds[kind]["n"] for kind in ("scan", "theft")] == [38, 38]


def test_refused_lines_are_counted_with_their_reason(stream: Inputs) -> None:
    """One line is no event; the rest is scored."""
    found = evaluate(StandInCore(), stream, QUICK)["events"]
    assert (found["n"], found["scored"], found["refused"], found["refused_scored"]) == (151, 150, {"not_json": 1}, 0)


def test_event_labels_add_events_episodes_and_windows(stream: Inputs) -> None:
    """Labelled events rank on top; two alarms, a hundred seconds apart, hit two of the four windows."""
    found = evaluate(StandInCore(), stream, QUICK)["event"]
    assert (found["n"], found["positives"]) == (120, 4)
    assert found["roc_auc"] == 1.0
    assert found["windows"] == {"n": 4, "hit": 2}
    assert found["episodes"] == {"gap_s": 60.0, "n": 2, "right": 2, "false": 0}


def test_a_part_is_promised_what_its_classes_are(stream: Inputs) -> None:
    """Each class by its own share, and everything else by its mix; without classes there is no such chapter."""
    core = StandInCore()
    core.classes = {f"s{number}": "crown" for number in range(0, 50, 2)}  # type: ignore[attr-defined]
    report = evaluate(core, stream, replace(QUICK, classes={"crown": 0.05}))
    assert {name: part["promised_rate"] for name, part in report["by_class"].items()} == {
        "crown": pytest.approx(0.05), "profile": pytest.approx(0.01),
    }  # fmt: skip
    assert [part["n"] for part in report["by_class"].values()] == [20, 20]
    assert report["session"]["promised_rate"] == pytest.approx(0.03)
    assert report["by_agent"]["a"]["promised_rate"] == pytest.approx(0.05)
    assert "by_class" not in evaluate(StandInCore(), stream, QUICK)


def test_events_without_session_count_under_their_agent() -> None:
    """Some streams have no sessions: the agent stands for one."""
    lines = [event(1, agent_id="x", attributes={"score": 3.0}), event(2, agent_id="y", attributes={"score": 1.0})]
    labels = {name: SessionLabel("", "", True, name == "x", "k") for name in "xy"}
    report = judge_sessions(score_stream(StandInCore(), lines), labels, QUICK)
    assert report["session"]["roc_auc"] == 1.0
    assert report["session"]["live_recall"] == 1.0
    assert set(report["by_agent"]) == {"x", "y"}


def test_a_session_without_a_score_ranks_last() -> None:
    """Not scored is not strange, and not an error."""
    lines = [_scored(1, "s1", 0.2), _scored(2, "s2", None), _scored(3, "s3", 0.5)]
    labels = {name: SessionLabel("a", "", True, name == "s2", "k") for name in ("s1", "s2", "s3")}
    assert judge_sessions(score_stream(StandInCore(), lines), labels, QUICK)["session"]["roc_auc"] == 0.25


def test_the_core_is_finished_and_never_sees_a_label(stream: Inputs) -> None:
    """The label files may change everything but the scores."""
    core = StandInCore()
    before = evaluate(core, stream, QUICK)["session"]
    assert core.is_finished
    text = stream.sessions.read_text()
    stream.sessions.write_text(text.replace(",1,", ",0,"))
    after = evaluate(StandInCore(), stream, QUICK)["session"]
    assert before["alarm_rate"] == after["alarm_rate"]
    assert after["roc_auc"] is None


def test_origins_reach_the_scoring_side(stream: Inputs, tmp_path: Path) -> None:
    """Joined to the events before they are scored."""
    seen: list[bytes] = []

    class Listening(StandInCore):
        def process(self, records: list[bytes]) -> np.ndarray:
            seen.extend(records)
            return super().process(records)

    origin = tmp_path / "origin.jsonl"
    origin.write_text('{"event_id": "e100", "arg_origin": {"target": "tool"}}\n')
    evaluate(Listening(), Inputs(stream.events, stream.sessions, None, origin), QUICK)
    assert [json.loads(line)["event_id"] for line in seen if b"arg_origin" in line] == ["e100"]


def test_sessions_of_context_alone_are_not_judged() -> None:
    """Of four harmless ones one has no score and one a score of nothing; the alarm is one of two judged ones."""
    lines = [_scored(1, "s1", 0.0), _scored(2, "s2", None), _scored(3, "s3", 0.5), _scored(4, "s4", 3.0)]
    labels = {f"s{n}": SessionLabel("a", "", True, False, "") for n in (1, 2, 3, 4)}
    found = judge_sessions(score_stream(StandInCore(), lines), labels, QUICK)["session"]
    assert (found["n"], found["judged"]) == (4, 2)
    assert (found["benign_alarm_rate"], found["benign_alarm_rate_judged"]) == (0.25, 0.5)
    assert {name: part["value"] for name, part in found["of_promise"].items()} == {
        "closed": 25.0, "judged": 50.0, "incidents": 50.0,
    }  # fmt: skip
    assert found["of_promise"]["judged"]["interval"][0] < 50.0 < found["of_promise"]["judged"]["interval"][1]
    assert found["intervals"]["benign_alarm_rate"][1] > 0.25


def test_a_promise_of_nothing_has_no_share() -> None:
    """And an agent with attacks only has no harmless sessions to speak of."""
    labels = {"s1": SessionLabel("a", "", True, True, "k")}
    scored = score_stream(StandInCore(), [_scored(1, "s1", 3.0)])
    assert judge_sessions(scored, labels, QUICK)["session"]["of_promise"]["judged"] is None
    assert judge_sessions(scored, labels, Question(0.0))["session"]["of_promise"]["closed"] is None


def test_peer_groups_are_told_apart_by_tenant() -> None:
    """The same type of two tenants is two groups; without events the label says the type."""
    lines = [
        event(n, session_id=f"s{n}", agent_type="x", tenant=tenant, attributes={"score": 3.0 if n == 1 else 0.1})
        for n, tenant in enumerate(("default", "one", "two"))
    ]
    labels = {f"s{n}": SessionLabel("a", "y", True, False, "") for n in range(4)}
    found = judge_sessions(score_stream(StandInCore(), lines), labels, QUICK)["by_peer_group"]
    assert {name: row["benign_alarm_rate"] for name, row in found.items()} == {
        "x": 0.0, "one/x": 1.0, "two/x": 0.0, "y": 0.0,
    }  # fmt: skip


def test_joined_sessions_alarm_and_open_nothing() -> None:
    """Whether the session was found, and what it cost as a new item, are two things."""
    scored = score_stream(StandInCore(), [_scored(1, "s1", 3.0), _scored(2, "s2", 3.0), _scored(3, "s3", 0.1)])
    first = scored.alerts[0]
    scored.alerts[1] = first.model_copy(update={"session_id": "s2", "activity": "update", "counter": 2})
    labels = {f"s{n}": SessionLabel("a", "", True, False, "") for n in (1, 2, 3)}
    found = judge_sessions(scored, labels, QUICK)["session"]
    assert [found[f"benign_{what}_rate"] * 3 for what in ("alarm", "incident", "join")] == [2.0, 1.0, 1.0]
    assert [found["of_promise"][what]["alarmed"] for what in ("closed", "judged", "incidents")] == [2, 2, 1]


def test_labels_reach_the_scoring_side_as_verdicts_only(stream: Inputs) -> None:
    """The lines are the same to the byte; what differs is what the analyst says."""
    seen: list[list[bytes]] = [[], []]

    class Listening(AnswerableStandIn):
        into = 0

        def process(self, records: list[bytes]) -> np.ndarray:
            seen[self.into].extend(records)
            return super().process(records)

    question = Question(0.01, Resampling(0), 60.0, analyst=Analyst(1.0, 0.0, 0))
    core = Listening()
    report = evaluate(core, stream, question)
    assert [json.loads(one.value)["verdict"] for _, one in core.controls] == ["confirm", "confirm"]
    assert (report["analyst"]["confirm"], report["analyst"]["incidents"]) == (2, 2)
    stream.sessions.write_text(stream.sessions.read_text().replace(",1,", ",0,"))
    flipped = Listening()
    flipped.into = 1
    evaluate(flipped, stream, question)
    assert [json.loads(one.value)["verdict"] for _, one in flipped.controls] == ["dismiss", "dismiss"]
    assert seen[0] == seen[1]


def test_another_share_of_attacks_is_measured_as_one_stream(stream: Inputs) -> None:
    """Labels of sessions and events go with the events; the time to the alert is told beside it."""
    question = Question(0.01, Resampling(0), 60.0, attack_share=0.25)
    report = evaluate(StandInCore(), stream, question)
    assert (report["session"]["n"], report["session"]["positives"]) == (48, 12)
    assert report["event"]["positives"] == 12
    assert report["time_to_alert"]["n"] == round(report["session"]["live_recall"] * 12) > 2
    assert report["time_to_alert"]["named_attack_act"] == 1.0
    none = evaluate(StandInCore(), stream, Question(0.01, Resampling(0), 60.0, attack_share=0.0))["session"]
    assert (none["n"], none["positives"], none["live_recall"], none["ranking_recall_at_same_rate"]) == (
        36, 0, None, None,
    )  # fmt: skip
