"""Texts of usual values: the same however the input is cut, stopped and taken up; bounded; forgotten when unlearned."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from detector.checks.determinism import faults_of_cuts, faults_of_increments, faults_of_resuming, outcome_of
from detector.pipeline import Pipeline
from detector.schema.control import Control
from detector.state import texts
from tests.streams import Script, feed, makers, ordinary, quick, quiet, records_of, trained

PROFILE = quick()
ODD: list[dict[str, Any]] = [
    {"name": "send", "target": "eve@drop.example", "attributes": {"lines": 90_000}},
    {"name": "search", "target": "index-1", "attributes": {"query": "payroll"}},
]


def stream() -> tuple[list[bytes], float]:
    """Return ordinary sessions, among which odd ones alert while others close, and when they are trusted no more."""
    script = Script()
    values = [*ordinary(script, 40), *quiet(script, 1.5), *ordinary(script, 60, first=40)]
    until = script.now
    for number in range(6):
        calm = ordinary(script, 10, first=200 + 10 * number)
        odd = script.session(f"odd-{number}", ODD, agent_id=("a-0", "a-1", "new")[number % 3])
        values += [*calm, *(odd if number % 2 else odd[:-1])]
    return values, until


VALUES, UNTIL = stream()
STREAM = records_of(VALUES)
make, restore = makers(PROFILE, trusted_until=UNTIL)


def test_the_stream_these_tests_run_on_names_usual_values_of_agents_and_of_peers() -> None:
    """Otherwise the laws below would say nothing."""
    told = [json.loads(alert)["contributions"] for alert in outcome_of(make(), STREAM).alerts]
    assert {one["usual_of"] for one in itertools.chain(*told)} >= {"own", "peers"}


@pytest.mark.parametrize("size", [1, 13, 300])
def test_what_is_usual_does_not_depend_on_cuts(size: int) -> None:
    """Counts and texts are those that the event found, not those of the end of its batch."""
    assert faults_of_cuts(make, STREAM, [range(size, len(STREAM), size)]) == []


def test_a_restored_pipeline_names_the_same_values() -> None:
    """Stopped anywhere: before a text was there, after, between an alert and the next."""
    assert faults_of_resuming(make, restore, STREAM, [30, 190, 430, 470, 555, len(STREAM) - 2]) == []


def test_what_changed_is_all_that_is_written_down() -> None:
    """Shards written piece by piece add up to the whole table."""
    assert faults_of_increments(make, restore, STREAM, [30, 190, 430, 470, 555]) == []


def test_texts_that_nobody_shows_are_dropped_and_nothing_that_is_said_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within the batch that still shows them."""
    expected = outcome_of(make(), STREAM)
    monkeypatch.setattr(texts, "FEW", 0)
    pipeline = make()
    found = outcome_of(pipeline, STREAM, range(50, len(STREAM), 50))
    assert found.alerts == expected.alerts
    assert found.final == expected.final
    rows = pipeline.state.memory.usual.rows
    assert len(pipeline.state.texts.known) <= 2 * len(np.unique(rows["value"][rows["told"] != 0]))


def test_a_snapshot_from_before_the_table_is_read() -> None:
    """Such a partition names values once it has met them again."""
    pipeline = make()
    pipeline.process(STREAM[:400])
    held = {name: shard for name, shard in pipeline.snapshot(full=True).items() if not name.startswith("usual/")}
    again = restore(held)
    assert again.process(STREAM[400:]).alerts
    assert again.gauges()["usual_places"] > 0


def test_a_value_that_a_person_calls_an_attack_is_usual_no_more() -> None:
    """It was taught as safe; the second verdict takes it out of the words, too."""
    script = Script()
    pipeline = trained(script)
    first = feed(pipeline, script.session("odd", ODD[:1], agent_id="a-1")).alerts[-1]
    verdict = {
        "agent_id": "a-1", "by": "kim", "reason": "seen it", "at": 1_772_442_000.0, "id": "f" * 32, "kind": "verdict",
        "finding_uid": first.finding_uid,
    }  # fmt: skip
    pipeline.control([Control(0, json.dumps({**verdict, "verdict": "safe"}).encode())])
    for number in range(40):
        feed(pipeline, script.session(f"eve-{number}", ODD[:1], agent_id="a-1"))
    assert "eve@drop.example" in usual_beside(pipeline, script, "mallory@sink.example")
    pipeline.control([Control(1, json.dumps({**verdict, "id": "e" * 32, "verdict": "confirm"}).encode())])
    assert "eve@drop.example" not in usual_beside(pipeline, script, "trudy@sink.example")


def usual_beside(pipeline: Pipeline, script: Script, target: str) -> list[str]:
    """Return the values that are told as usual when an agent writes to somebody new."""
    acts = [{**ODD[0], "target": target, "attributes": {"lines": 4}}]
    alerts = feed(pipeline, script.session(target, acts, agent_id="a-1")).alerts
    return [one.value for alert in alerts for why in alert.contributions for one in why.usual]
