"""The commands ``detector evaluate`` and ``detector replay``."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from detector.errors import ProfileError, SetupError
from detector.offline import replay
from detector.offline.commands import app
from detector.profile.model import Profile
from detector.schema.command import PolicyLogEntry, PolicyState
from tests.offline.stand_in import AnswerableStandIn, StandInPipeline, event

runner = CliRunner()


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Put a core into place whose scores stand in the events; return what cores were asked for."""
    asked: list[dict[str, object]] = []

    def make(profile: Profile, seed: int, trusted_until: float | None, secret: str | None) -> AnswerableStandIn:
        asked.append({"profile": profile.id, "seed": seed, "trusted_until": trusted_until, "secret": secret})
        return AnswerableStandIn()

    module = ModuleType("detector.offline.core")
    module.Core = make  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "detector.offline.core", module)
    return asked


@pytest.fixture
def stream(tmp_path: Path) -> list[str]:
    """Return the arguments of a small labelled stream: thirty sessions, two attacks, one of them alarmed."""
    lines = [
        event(n, session_id=f"s{n}", agent_id="ab"[n % 2], attributes={"score": {7: 3.0, 9: 1.5}.get(n, 0.1)})
        for n in range(30)
    ]
    (tmp_path / "events.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    rows = [f"s{n},{'ab'[n % 2]},live,{int(n in (7, 9))},{'theft' if n in (7, 9) else ''}" for n in range(30)]
    (tmp_path / "sessions.csv").write_text("\n".join(["session_id,agent_id,phase,label,attack_type", *rows]))
    (tmp_path / "marks.csv").write_text("\n".join(["event_id,label", *(f"e{n},{int(n in (7, 9))}" for n in range(30))]))
    (tmp_path / "meta.json").write_text('{"name": "small", "live_start": "2026-03-02T00:00:00Z"}')
    return [str(tmp_path / name) for name in ("events.gz", "sessions.csv", "meta.json")]


def test_evaluate_prints_json_with_the_promised_keys(cores: list[dict[str, object]], stream: list[str]) -> None:
    """What other harnesses read; nothing else is on standard output."""
    result = runner.invoke(app, ["evaluate", *stream, "--json", "--quiet", "--bootstrap", "10"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["session"]["roc_auc"] == 1.0
    assert (report["session"]["n"], report["session"]["positives"]) == (30, 2)
    assert report["session"]["promised_rate"] == 0.01
    assert report["session"]["live_recall"] == 0.5
    assert {"by_agent", "by_attack_kind", "events"} <= set(report)
    assert "event" not in report


def test_what_is_before_the_live_start_is_trusted_unless_told(
    cores: list[dict[str, object]], stream: list[str]
) -> None:
    """META says it; --trusted-until wins."""
    runner.invoke(app, ["evaluate", *stream, "--quiet", "--bootstrap", "0"])
    runner.invoke(app, ["evaluate", *stream, "--quiet", "--bootstrap", "0", "--trusted-until", "5", "--seed", "3"])
    assert [one["trusted_until"] for one in cores] == [1_772_409_600.0, 5.0]
    assert [one["seed"] for one in cores] == [0, 3]


@pytest.mark.parametrize(("value", "secret"), [("k33p", "k33p"), ("", None), (None, None)])
def test_hashes_are_keyed_by_the_secret_of_the_environment(
    cores: list[dict[str, object]],
    stream: list[str],
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    secret: str | None,
) -> None:
    """As the workers hash, of evaluate and of replay; neither shows it."""
    asked: list[replay.ReplaySettings] = []

    def make(_profile: object, settings: replay.ReplaySettings) -> StandInPipeline:
        asked.append(settings)
        return StandInPipeline()

    monkeypatch.setattr(replay, "_pipeline", make)
    said = [
        runner.invoke(app, args, env={"DETECTOR_STATE_KEY": value}).output
        for args in (["evaluate", *stream, "--quiet", "--bootstrap", "0"], ["replay", stream[0], "--quiet"])
    ]
    assert (cores[0]["secret"], asked[0].secret) == (secret, secret)
    assert not [text for text in (*said, repr(asked[0])) if "k33p" in text]


def test_evaluate_shows_a_table(cores: list[dict[str, object]], stream: list[str], tmp_path: Path) -> None:
    """Sessions, kinds and, with event labels, events, episodes and windows."""
    args = ["evaluate", *stream, "--event-labels", str(tmp_path / "marks.csv"), "--quiet", "--bootstrap", "10"]
    result = runner.invoke(app, args, env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    for word in ("small", "30 of 30 events", "theft", "AUC 1.000-1.000", "promised: 1.00%", "windows"):
        assert word in result.stdout


def test_the_table_tells_what_was_spent_found_and_answered(
    cores: list[dict[str, object]], stream: list[str], tmp_path: Path
) -> None:
    """Promise, peer groups, ranking at the same cost, time to the alert, the analyst."""
    args = ["evaluate", *stream, "--event-labels", str(tmp_path / "marks.csv"), "--quiet", "--bootstrap", "0"]
    result = runner.invoke(app, [*args, "--analyst", "answered=1,wrong=0,delay=0"], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    for words in (
        "n bad closed judged incidents found ranking", "default 30 2 0.00 0.00 0.00 0.500 1.000",
        "median 0 events and 0 s", "it names an attack act in 1.000",
        "analyst: 1 confirmed and 0 dismissed of 1 incidents, 0 wrongly; 0 closes late",
    ):  # fmt: skip
        assert words in told


def test_evaluate_runs_several_seeds(cores: list[dict[str, object]], stream: list[str]) -> None:
    """Detector, analyst and share of attacks each time with seeds one higher: means in place, ranges beside."""
    args = ["evaluate", *stream, "--json", "--quiet", "--bootstrap", "0", "--seed", "4", "--seeds", "3"]
    args += ["--analyst", "answered=.5,wrong=.2,delay=0,seed=7", "--attack-share", ".3"]
    result = runner.invoke(app, args)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert [one["seed"] for one in cores] == [4, 5, 6]
    assert (report["seeds"], report["session"]["positives"]) == (3, 12.0)
    low, high = report["ranges"]["session"]["live_recall"]
    assert low <= report["session"]["live_recall"] <= high
    assert report["ranges"]["analyst"]["seed"] == [7, 9]
    shown = runner.invoke(app, [*args[:4], *args[5:]], env={"COLUMNS": "80"})
    assert "means of 3 seeds" in shown.stdout


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--analyst", "answered=2", "answered of the analyst must be a share from 0 to 1"),
        ("--attack-share", "1", "attack-share must be at least 0 and below 1"),
    ],
)
def test_an_impossible_question_is_refused(
    cores: list[dict[str, object]], stream: list[str], option: str, value: str, said: str
) -> None:
    """In one sentence that names the option's part."""
    result = runner.invoke(app, ["evaluate", *stream, "--quiet", option, value])
    assert isinstance(result.exception, SetupError)
    assert said in str(result.exception)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_file_is_refused_by_name(cores: list[dict[str, object]], stream: list[str], missing: int) -> None:
    """One sentence, no traceback."""
    stream[missing] += ".gone"
    result = runner.invoke(app, ["evaluate", *stream, "--quiet"])
    assert isinstance(result.exception, SetupError)
    assert stream[missing] in str(result.exception)


def test_an_unknown_profile_is_refused(cores: list[dict[str, object]], stream: list[str]) -> None:
    """The message names those that exist."""
    result = runner.invoke(app, ["evaluate", *stream, "--profile", "mine/v9"])
    assert isinstance(result.exception, ProfileError)


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch) -> list[StandInPipeline]:
    """Put pipelines into place that alert on scores of 2 and more."""
    made: list[StandInPipeline] = []

    def make(_profile: object, _settings: object) -> StandInPipeline:
        made.append(StandInPipeline())
        return made[-1]

    monkeypatch.setattr(replay, "_pipeline", make)
    return made


def test_replay_writes_alerts_commands_and_log(
    pipelines: list[StandInPipeline], stream: list[str], tmp_path: Path
) -> None:
    """Alerts as findings, policy states and log entries as they stand on their topics, one JSON object a line."""
    files = {name: tmp_path / f"{name}.jsonl" for name in ("alerts", "commands", "log")}
    args = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    result = runner.invoke(app, ["replay", stream[0], *args, "--partitions", "3", "--quiet"])
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    findings = [json.loads(line) for line in files["alerts"].read_bytes().splitlines()]
    assert [finding["class_uid"] for finding in findings] == [2004]
    states = [PolicyState.model_validate_json(line) for line in files["commands"].read_bytes().splitlines()]
    assert [state.mode for state in states] == ["shadow"]
    entries = [PolicyLogEntry.model_validate_json(line) for line in files["log"].read_bytes().splitlines()]
    assert [entry.digest() for entry in entries] == [entry.hash for entry in entries]
    assert len(pipelines) == 3
    assert "alerts 1, closed 3, commands 1, events 30" in result.stderr


def test_replay_reads_standard_input_and_writes_alerts_to_standard_output(pipelines: list[StandInPipeline]) -> None:
    """In a pipe, between others."""
    text = b"\n".join(event(n, attributes={"score": 2.5 if n == 3 else 0.0}) for n in range(9))
    result = runner.invoke(app, ["replay", "--quiet"], input=text)
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["class_uid"] for line in result.stdout.splitlines()] == [2004]


def test_an_output_that_cannot_be_written_is_refused(pipelines: list[StandInPipeline], stream: list[str]) -> None:
    """Before anything is read."""
    result = runner.invoke(app, ["replay", stream[0], "--alerts", "/no/such/folder/a.jsonl"])
    assert isinstance(result.exception, SetupError)
    assert "path of the output must be a file that can be written" in str(result.exception)


def test_replay_counts_what_it_refused_by_reason(pipelines: list[StandInPipeline]) -> None:
    """Nothing is lost silently; what could be read is scored, and that is a success."""
    result = runner.invoke(app, ["replay", "--quiet"], input=b"junk\n" + event(1) + b"\njunk\n")
    assert result.exit_code == 0, result.output
    assert "events 1" in result.stderr
    assert "refused: not_json 2" in result.stderr


def test_replay_of_what_is_no_stream_fails(pipelines: list[StandInPipeline]) -> None:
    """A script must see that nothing was read; no lines at all are an empty stream, and no failure."""
    result = runner.invoke(app, ["replay", "--quiet"], input=b"junk\nmore junk\n")
    assert result.exit_code == 1
    assert "refused: not_json 2" in result.stderr
    assert "must hold events, got 2 lines and no event" in result.stderr
    assert runner.invoke(app, ["replay", "--quiet"], input=b"").exit_code == 0


def test_events_out_of_order_are_warned_of(
    pipelines: list[StandInPipeline], cores: list[dict[str, object]], stream: list[str], tmp_path: Path
) -> None:
    """Replay and evaluate alike, on standard error, with how many and how far; neighbours in disorder are no news."""
    lines = [event(n, session_id=f"s{n}") for n in (0, 7_200, 7_100, 60, 120)]
    (tmp_path / "events").write_bytes(b"\n".join(lines))
    warning = "warning: 2 events come more than 1800 s after younger ones, the largest step back is 7140 s: sort"
    assert warning in runner.invoke(app, ["replay", "--quiet", str(tmp_path / "events")]).stderr
    rows = [f"s{n},live,0" for n in (0, 7_200, 7_100, 60, 120)]
    (tmp_path / "sessions.csv").write_text("\n".join(["session_id,phase,label", *rows]))
    args = [str(tmp_path / "events"), *stream[1:]]
    result = runner.invoke(app, ["evaluate", *args, "--quiet", "--json", "--bootstrap", "0"])
    assert warning in result.stderr
    assert json.loads(result.stdout)["events"]["out_of_order"] == {"n": 2, "largest_step_back_s": 7_140.0}
    assert "warning" not in runner.invoke(app, ["replay", "--quiet", stream[0]]).stderr


@pytest.mark.parametrize("level", ["session", "event"])
def test_labels_of_another_stream_are_refused(
    cores: list[dict[str, object]], stream: list[str], tmp_path: Path, level: str
) -> None:
    """They would give an AUC of one half that means nothing."""
    name, key = ("sessions.csv", "session_id") if level == "session" else ("marks.csv", "event_id")
    (tmp_path / name).write_text(f"{key},label\n" + "".join(f"x{n},{n % 2}\n" for n in range(9)))
    args = ["evaluate", *stream, "--event-labels", str(tmp_path / "marks.csv"), "--quiet"]
    result = runner.invoke(app, args)
    assert isinstance(result.exception, SetupError)
    assert f"{name} must be labels of the stream that was scored, got 0 of 9 ids" in str(result.exception)


def test_labels_of_a_part_of_the_stream_are_taken(
    cores: list[dict[str, object]], stream: list[str], tmp_path: Path
) -> None:
    """The live phase only, or a stream cut short: what is there belongs together."""
    labels = (tmp_path / "sessions.csv").read_text().splitlines()
    (tmp_path / "sessions.csv").write_text("\n".join([*labels[:12], "unseen,a,live,0,"]))
    assert runner.invoke(app, ["evaluate", *stream, "--quiet", "--bootstrap", "0"]).exit_code == 0
