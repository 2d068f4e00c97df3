"""The published schemas are what the code says, and say what the code does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from detector.schema.decode import decode
from detector.schema.event import Event
from detector.schema.publish import drift, main, publish, schemas
from detector.schema.record import Record
from detector.sinks.ocsf import render
from tests.schema.test_alert import alert
from tests.schema.test_command import entry, state

EVENT = {"event_id": "e1", "ts": "2026-03-02T09:00:00Z", "agent_id": "a1", "kind": "auth", "name": "n"}


def test_the_published_schemas_have_not_drifted() -> None:
    """Mend with ``python -m detector.schema.publish``."""
    assert drift() == []


def test_a_changed_file_is_drift_and_publishing_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check writes nothing and fails; publishing writes what changed and only that."""
    assert publish(tmp_path) == sorted(schemas())
    (tmp_path / "event.json").write_text("{}\n", encoding="utf-8")
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert "event.json differs" in capsys.readouterr().out
    assert main(["--folder", str(tmp_path)]) == 0
    assert drift(tmp_path) == []
    assert main(["--check", "--folder", str(tmp_path)]) == 0


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_schema_is_a_schema(name: str) -> None:
    """In the dialect that it names."""
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


def test_the_event_schema_describes_every_field() -> None:
    """It is made from the struct that decodes."""
    assert set(schemas()["event.json"]["properties"]) == set(Event.__struct_fields__)


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({}, True),
        ({"colour": "red"}, True),
        ({"tokens_in": 3, "attributes": {"a": True, "b": None}, "arg_origin": {"to": "tool"}}, True),
        ({"v": 2}, False),
        ({"tokens_in": True}, False),
        ({"duration_ms": -1}, False),
        ({"kind": "magic"}, False),
        ({"target": "x" * 1_025}, False),
        ({"attributes": {"a": [1]}}, False),
        ({"credential": {}}, False),
    ],
)
def test_the_event_schema_agrees_with_the_decoder(fields: dict[str, Any], fits: bool) -> None:
    """A producer that validates against it is not refused, for everything a schema can say; the rest is mended."""
    validator = jsonschema.Draft202012Validator(schemas()["event.json"])
    assert validator.is_valid({**EVENT, **fields}) == fits
    decoded = decode([Record(json.dumps({**EVENT, **fields}).encode())])
    assert (len(decoded.events), len(decoded.refusals)) == ((1, 0) if fits else (1, 1))


def test_what_is_sent_fits_its_schema() -> None:
    """Alert, OCSF rendering, command and log entry, each against its own."""
    sent = {
        "alert.json": json.loads(alert().model_dump_json()),
        "finding.json": render(alert()),
        "command.json": json.loads(state().model_dump_json(by_alias=True)),
        "policy-log.json": json.loads(entry().sealed().model_dump_json(by_alias=True)),
    }
    for name, body in sent.items():
        jsonschema.Draft202012Validator(schemas()[name]).validate(body)
