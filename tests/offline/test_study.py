"""What notebooks begin with."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from detector.errors import SetupError
from detector.offline.labels import SessionLabel
from detector.offline.scored import Scored
from detector.offline.study import (
    Stream,
    events_of,
    gaps_of,
    made_up_stream,
    open_stream,
    recall_by_budget,
    sessions_of,
)

FIRST = b'{"event_id":"1","ts":"2026-03-02T08:00:00Z","agent_id":"a","kind":"tool_call","name":"read","session_id":"s"}'
SECOND = b'{"event_id":"2","ts":"2026-03-02T08:00:09Z","agent_id":"a","kind":"tool_call","name":"s","session_id":"s"}'
OTHER = b'{"event_id":"3","ts":"2026-03-02T08:01:00Z","agent_id":"b","kind":"tool_call","name":"a","session_id":"t"}'


def _label(*, is_attack: bool, is_live: bool = True) -> SessionLabel:
    return SessionLabel("a", "support", is_live, is_attack, "hijack" if is_attack else "")


STREAM = Stream("x", [FIRST, SECOND, OTHER], {"s": _label(is_attack=True), "t": _label(is_attack=False)}, 0.0)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder with one stream called ``tiny``."""
    (tmp_path / "events").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "events" / "tiny-dev.jsonl.gz").write_bytes(gzip.compress(FIRST + b"\n" + OTHER + b"\n"))
    origin = b'{"event_id": "1", "arg_origin": {"to": "tool"}}\n'
    (tmp_path / "events" / "tiny-dev-origin.jsonl.gz").write_bytes(gzip.compress(origin))
    (tmp_path / "labels" / "tiny-dev.meta.json").write_text('{"name": "tiny", "live_start": "2026-03-02T08:00:30Z"}')
    with gzip.open(tmp_path / "labels" / "tiny-dev-sessions.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows([["session_id", "label", "phase"], ["s", 0, "history"], ["t", 1, "live"]])
    monkeypatch.setenv("DETECTOR_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("data")
def test_a_recorded_stream_comes_with_labels_and_origins() -> None:
    """Events, labels, live start and origins are put together by the stream's name."""
    stream = open_stream("tiny")
    assert json.loads(stream.lines[0])["arg_origin"] == {"to": "tool"}
    assert "arg_origin" not in json.loads(stream.lines[1])
    assert stream.sessions["t"].is_attack
    assert not stream.sessions["s"].is_live
    assert stream.live_start == datetime(2026, 3, 2, 8, 0, 30, tzinfo=UTC).timestamp()


@pytest.mark.usefixtures("data")
def test_origins_stay_out_when_they_are_not_asked_for() -> None:
    """The same stream as agents without instrumentation would send it."""
    assert b"arg_origin" not in open_stream("tiny", has_origins=False).lines[0]


def test_a_simulated_stream_stands_in_where_there_is_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``DETECTOR_DATA`` the notebooks run all the same, and the name says on what."""
    monkeypatch.delenv("DETECTOR_DATA", raising=False)
    monkeypatch.delenv("REQUIRE_DATA", raising=False)
    assert open_stream("agentdyn").name == "simulated"


def test_required_data_that_is_absent_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that must use the recorded streams does not pass on simulated ones."""
    monkeypatch.setenv("DETECTOR_DATA", str(tmp_path))
    monkeypatch.setenv("REQUIRE_DATA", "1")
    with pytest.raises(SetupError, match="DETECTOR_DATA must name a folder with agentdyn-dev"):
        open_stream("agentdyn")


def test_a_made_up_stream_is_harmless_until_it_is_live() -> None:
    """No attack lies in the history; all five kinds lie after it; the same seed gives the same bytes."""
    stream = made_up_stream(agents=20, attacks_of_each=1)
    attacks = [label for label in stream.sessions.values() if label.is_attack]
    assert all(label.is_live for label in attacks)
    assert len({label.attack_type for label in attacks}) == 5
    assert stream.lines == made_up_stream(agents=20, attacks_of_each=1).lines


def test_the_events_of_an_agent_are_its_own() -> None:
    """Another agent whose event merely contains the name is left out."""
    assert [row["event_id"] for row in events_of(STREAM, "a")] == ["1", "2"]
    assert gaps_of(events_of(STREAM, "a")) == [9.0]


def test_a_session_scores_its_strangest_event() -> None:
    """One row per labelled session; an unscored event counts and does not score."""
    scored = Scored(
        ["1", "2", "3"], ["s", "s", "t"], ["a", "a", "b"], [1.0, 10.0, 61.0], np.array([2.0, 5.0, np.nan]), []
    )
    one, other = sessions_of(STREAM, scored)
    assert (one["session_id"], one["events"], one["evidence"], one["is_attack"]) == ("s", 2, 5.0, True)
    assert (other["evidence"], other["is_alerted"]) == (None, False)


def test_a_larger_budget_finds_more() -> None:
    """A hundred harmless sessions of evidence 0 to 99; attacks at 98.5 and 50.5."""
    rows = [{"evidence": float(score), "is_attack": False, "is_live": True} for score in range(100)]
    rows += [{"evidence": value, "is_attack": True, "is_live": True} for value in (98.5, 50.5)]
    rows += [{"evidence": 1e9, "is_attack": True, "is_live": False}]
    assert [row["recall"] for row in recall_by_budget(rows, [0.001, 0.01, 0.05, 0.5])] == [0.0, 0.5, 0.5, 1.0]


def test_a_stream_without_attacks_has_no_recall() -> None:
    """The reader is told, not shown a NaN."""
    with pytest.raises(SetupError, match="live sessions must be of both kinds"):
        recall_by_budget([{"evidence": 1.0, "is_attack": False, "is_live": True}], [0.01])
