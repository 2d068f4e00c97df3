"""The real pipeline behind evaluate and replay, on a simulated fleet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.demo.simulating import app as simulating
from detector.offline.commands import app
from detector.offline.replay import Replay, Replayed, ReplaySettings
from detector.profile.load import load_profile

runner = CliRunner()
KINDS = {"hijack", "credential_misuse", "lateral_movement", "runaway_loop", "slow_drift"}


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a fleet of fifty with five days of history and two attacks of each kind; return its files."""
    folder = tmp_path_factory.mktemp("stream")
    files = {name: folder / name for name in ("labels.csv", "sessions.csv", "meta.json")}
    args = ["--agents", "50", "--history-days", "5", "--days", "3", "--seed", "7", "--sessions-per-day", "5",
            "--attacks", "--attacks-of-each", "2", "--labels", str(files["labels.csv"]),
            "--session-labels", str(files["sessions.csv"]), "--meta", str(files["meta.json"])]  # fmt: skip
    result = runner.invoke(simulating, args)
    assert result.exit_code == 0, result.output
    files["events"] = folder / "events.jsonl"
    files["events"].write_bytes(result.stdout_bytes)
    return files


def _evaluate(stream: dict[str, Path], *args: str) -> dict[str, object]:
    names = ("events", "sessions.csv", "meta.json")
    result = runner.invoke(app, ["evaluate", *(str(stream[name]) for name in names), "--json", "--quiet", *args])
    assert result.exit_code == 0, result.output
    report: dict[str, object] = json.loads(result.stdout)
    return report


@pytest.mark.slow
def test_attacks_of_a_simulated_fleet_stand_out(stream: dict[str, Path]) -> None:
    """Ranking far above chance, every kind above its harmless company, alarms near what was promised."""
    report = _evaluate(stream, "--event-labels", str(stream["labels.csv"]), "--bootstrap", "20")
    session, kinds = report["session"], report["by_attack_kind"]
    assert set(kinds) == KINDS  # type: ignore[call-overload]
    assert session["roc_auc"] > 0.85  # type: ignore[index]
    assert session["recall_at_5pct"] > 0.5  # type: ignore[index]
    assert session["benign_alarm_rate"] < 0.04  # type: ignore[index]
    assert kinds["hijack"]["roc_auc"] > 0.95  # type: ignore[index]
    assert report["event"]["windows"]["hit"] > 0  # type: ignore[index]
    assert report["events"]["refused"] == {}  # type: ignore[index]


@pytest.mark.slow
def test_verdicts_of_the_analyst_reach_the_incidents_of_a_simulated_fleet(stream: dict[str, Path]) -> None:
    """Through the controls as they stand on their topic: every verdict finds its finding, and is told on it again."""
    report = _evaluate(
        stream, "--event-labels", str(stream["labels.csv"]), "--bootstrap", "0", "--analyst",
        "answered=1,wrong=0,delay=5,seed=1", "--attack-share", "0.05",
    )  # fmt: skip
    session, analyst, met = (report[name] for name in ("session", "analyst", "time_to_alert"))
    assert abs(session["positives"] / session["n"] - 0.05) < 0.005  # type: ignore[index]
    assert analyst["confirm"] > 0  # type: ignore[index]
    assert analyst["unmatched"] == analyst["refused"] == analyst["wrong"] == 0  # type: ignore[index]
    answered = analyst["confirm"] + analyst["dismiss"] + analyst["late"]  # type: ignore[index]
    assert answered == analyst["incidents"]  # type: ignore[index]
    assert 0 < met["n"] <= met["attacks"] == session["positives"]  # type: ignore[index]
    assert met["seconds"]["median"] >= 0.0  # type: ignore[index]
    assert met["evidence_has_attack_act"] > 0.5  # type: ignore[index]
    groups = report["by_peer_group"]
    assert groups
    for row in groups.values():  # type: ignore[attr-defined]
        assert row["benign_incident_rate"] <= row["benign_alarm_rate"]


def _replay(lines: list[bytes], partitions: int, size: int) -> Replayed:
    run, whole = Replay(load_profile(), ReplaySettings(partitions, trusted_until=1_772_866_800.0)), Replayed()
    for start in range(0, len(lines), size):
        out = run.feed(lines[start : start + size])
        whole.alerts += out.alerts
    whole.alerts += run.finish().alerts
    return whole


@pytest.mark.slow
def test_a_replay_does_not_depend_on_how_it_is_cut(stream: dict[str, Path]) -> None:
    """The same alerts of two partitions, number for number, in batches of 512 and of 100."""
    lines = stream["events"].read_bytes().splitlines()
    one, other = (_replay(lines, 2, size) for size in (512, 100))
    first, again = (
        {(alert.finding_uid, alert.counter): alert for alert in run.alerts if alert.detection != "response.breaker"}
        for run in (one, other)
    )
    assert first
    assert first == again
