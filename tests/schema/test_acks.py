"""Acknowledgements keep their form on the wire."""

from __future__ import annotations

import json

import jsonschema
import pytest
from pydantic import ValidationError

from detector.schema.acks import PolicyAck, ack_id
from detector.schema.publish import schemas
from detector.schema.reading import read


def _ack(**fields: object) -> PolicyAck:
    plain: dict[str, object] = {
        "ack_id": ack_id("a"),
        "command_id": "c",
        "revision": 1,
        "subject": "default/agent/a",
        "point": "edge/host",
        "status": "denied",
        "tier": "isolate",
        "first_at": 1.0,
        "last_at": 2.0,
        "tool": "Bash",
    }
    return PolicyAck.model_validate({**plain, **fields})


def test_what_is_written_is_read_back_and_fits_its_schema() -> None:
    """Under the names that stand on the wire."""
    raw = _ack().model_dump_json(by_alias=True).encode()
    assert read(PolicyAck, raw) == (_ack(), ())
    assert json.loads(raw)["schema"] == "agent.policy.acks/1"
    jsonschema.Draft202012Validator(schemas()["ack.json"]).validate(json.loads(raw))


@pytest.mark.parametrize(
    "fields",
    [{"status": "ignored"}, {"count": 0}, {"first_at": float("nan")}, {"tool": "x" * 257}, {"input": "rm -rf"}],
)
def test_what_is_no_acknowledgement_is_refused(fields: dict[str, object]) -> None:
    """No unknown status, no empty count, and no room for what a call was called with."""
    with pytest.raises(ValidationError):
        _ack(**fields)


def test_parts_of_an_id_do_not_run_together() -> None:
    """Neither do lone surrogates, which a hostile name may hold, break it."""
    assert ack_id("ab", "c") != ack_id("a", "bc")
    assert ack_id("\ud800")
