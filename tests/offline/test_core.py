"""The detector as one object: scores in input order, refusals by place, and the quality that was promised."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from detector.offline.core import Core
from detector.offline.evaluate import Inputs, Question, evaluate
from detector.pipeline import Pipeline
from tests.streams import Script, fleet_stream, ordinary, quick, records_of

# AUC, average precision, recall at 1 %: floors of the issue
FLOORS = {
    "oas": (0.73, 0.0, 0.0),
    "asb": (0.995, 0.95, 0.9),
    "agentdyn_noisy": (0.960, 0.55, 0.25),
    "agentdyn_noisy with origins": (0.988, 0.84, 0.62),
}


def test_there_is_one_score_an_event_in_input_order_over_many_calls() -> None:
    """The same as the pipeline gives."""
    values = list(fleet_stream())[:900]
    core = Core(quick())
    found = np.concatenate([core.process(values[at : at + 250]) for at in range(0, len(values), 250)])
    outcome = Pipeline(quick()).process(records_of(values))
    assert np.array_equal(found, outcome.scores)
    assert [alert.finding_uid for alert in core.alerts] == [alert.finding_uid for alert in outcome.alerts]


def test_a_refused_record_is_nan_and_its_reason_is_kept_with_its_place() -> None:
    """Places count over all calls."""
    script = Script()
    core = Core(quick())
    core.process([script.event(), script.event()])
    scores = core.process([script.event(), b"{", script.event()])
    assert np.isnan(scores).tolist() == [False, True, False]
    assert [(place, refusal.reason) for place, refusal in core.refusals] == [(3, "not_json")]


def test_finish_closes_what_is_open_and_adds_its_alerts() -> None:
    """Nothing is left behind."""
    script = Script()
    core = Core(quick())
    core.process([*ordinary(script, 30), script.event(session_id="open")])
    assert core.finish().counts["sessions_closed"] == 1
    assert core.pipeline.gauges()["sessions_open"] == 0


def test_a_profile_may_be_named_and_history_trusted() -> None:
    """As harnesses do."""
    core = Core("default/v1", seed=3, trusted_until=4e9)
    assert not np.isnan(core.process(list(fleet_stream())[:300])).any()
    assert core.alerts == []


def stream(name: str) -> Inputs | None:
    """Return the files of a real stream, None where there is no data folder (REQUIRE_DATA=1: a failure)."""
    folder = os.environ.get("DETECTOR_DATA")
    if not folder:
        assert os.environ.get("REQUIRE_DATA") != "1", "DETECTOR_DATA must name the real streams where REQUIRE_DATA=1"
        return None
    name, _, told = name.partition(" ")
    events, labels = Path(folder) / "events" / f"{name}-dev", Path(folder) / "labels" / f"{name}-dev"
    return Inputs(
        events=events.with_name(f"{events.name}.jsonl.gz"),
        sessions=labels.with_name(f"{labels.name}-sessions.csv.gz"),
        origin=events.with_name(f"{events.name}-origin.jsonl.gz") if told else None,
    )


def live_start(inputs: Inputs) -> str:
    """Return where the live part of a stream begins, as its META says."""
    name = inputs.sessions.name.removesuffix("-sessions.csv.gz")
    return str(json.loads(inputs.sessions.with_name(f"{name}.meta.json").read_text())["live_start"])


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", FLOORS)
def test_the_quality_promised_on_real_agents_is_kept(name: str) -> None:
    """ROC-AUC, average precision and recall at 1 % of benign sessions, one configuration."""
    from datetime import datetime

    inputs = stream(name)
    if inputs is None:
        print("DETECTOR_DATA names no real streams: a made-up fleet is scored instead")  # noqa: T201 - said aloud
        core = Core(quick())
        assert np.isfinite(core.process(list(fleet_stream()))).all()
        return
    core = Core(trusted_until=datetime.fromisoformat(live_start(inputs)).timestamp())
    session = evaluate(core, inputs, Question())["session"]
    found = (session["roc_auc"], session["average_precision"], session["recall_at_1pct"])
    assert all(have >= least for have, least in zip(found, FLOORS[name], strict=True)), found
