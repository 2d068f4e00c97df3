"""What an alert shows of an act: sizes, recipients, amounts, what stood out; capped and escaped."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detector.alerts.act import MOST_ARGUMENTS, MOST_NAME, MOST_VALUE, shown_of
from detector.alerts.explain import standing_out
from detector.alerts.findings import Policy, Spot, evidence_of, found_by_score
from detector.intake.names import parts_of
from detector.schema.alert import Evidence
from detector.schema.event import Event
from detector.schema.record import Record
from tests.alerts.test_explain import seen

ESCAPED = 10
"""Letters that one letter takes at most once it is escaped."""
DIGEST = 9
VALUE = st.text(max_size=300) | st.booleans() | st.floats(-1e30, 1e30) | st.none()


def act(**fields: Any) -> Event:
    """Return a call."""
    raw = {"event_id": "e", "ts": "2026-03-02T09:00:00Z", "agent_id": "a-1", "kind": "tool_call", "name": "pay"}
    return msgspec.convert({**raw, **fields}, Event)


def test_an_export_shows_its_size_and_a_payment_its_amount_and_its_payee() -> None:
    """The two things an analyst asks first."""
    export = shown_of(act(name="export", bytes_out=8_388_608.0, on_behalf_of="ada@corp.example"))
    assert export["sizes"] == {"bytes_out": 8_388_608.0}
    assert export["about"] == {"on_behalf_of": "ada@corp.example"}
    payment = shown_of(act(attributes={"note": "rent", "amount": 9_500.0, "payee": "eve@drop.example", "fast": True}))
    assert [(one.name, one.value) for one in payment["arguments"]] == [
        ("payee", "eve@drop.example"), ("amount", "9500"), ("note", "rent"), ("fast", "true"),
    ]  # fmt: skip


def test_what_stood_out_is_shown_however_many_addresses_are_put_before_it() -> None:
    """Forty decoys; the one that the channels named is first, and how many are not shown is told."""
    many = {f"cc{k}": f"m{k}@corp.example" for k in range(40)}
    told = shown_of(act(attributes={**many, "memo": "thief"}), first=("memo",))
    assert told["arguments"][0].value == "thief"
    assert (len(told["arguments"]), told["arguments_left"]) == (MOST_ARGUMENTS, 33)


def test_the_finding_of_a_score_shows_the_argument_its_reasons_name() -> None:
    """Named by the channels, at the index the kernels gave."""
    decoys = {f"cc{k}": f"m{k}@corp.example" for k in range(20)}
    event = act(attributes={**decoys, "memo": "thief", "sum": 7.0})
    place = [part.name for part in parts_of(event, ())].index("memo")
    look = seen({"arguments": 3.0}, event=event, part=(-1, place), number=(-1, 0))
    assert standing_out(look, ()) == ("memo", "sum")
    spot = Spot(event, Record(b"", topic="agent.events"), 0)
    evidence = evidence_of(spot, "c", 2.5)
    assert "thief" not in {one.value for one in evidence.arguments}
    finding = found_by_score(spot, look, Policy("p/v1", 0.01, 0.001, ()), ("c", 2.5), 1)
    assert [one.value for one in finding.evidence.arguments[:2]] == ["thief", "7"]
    assert evidence.model_copy(update={"arguments": finding.evidence.arguments}) == finding.evidence


@given(st.dictionaries(st.text(max_size=100), VALUE, max_size=20))
def test_names_and_values_are_capped_and_obey_no_terminal(attributes: dict[str, Any]) -> None:
    """Whatever they are: printable, bounded, at most eight, and the rest counted."""
    told = shown_of(act(attributes=attributes))
    held = sum(value is not None for value in attributes.values())
    assert len(told["arguments"]) + told["arguments_left"] == held
    assert len(told["arguments"]) <= MOST_ARGUMENTS
    for one in told["arguments"]:
        assert one.name.isprintable()
        assert one.value.isprintable()
        assert len(one.name) <= MOST_NAME * ESCAPED + DIGEST
        assert len(one.value) <= MOST_VALUE * ESCAPED + DIGEST


def test_long_values_that_differ_at_their_end_are_told_apart() -> None:
    """A digest says which one it was."""
    one, other = (shown_of(act(attributes={"to": "a" * 500 + end}))["arguments"][0].value for end in "xy")
    assert one != other
    assert one.startswith("a" * MOST_VALUE + "~")


def test_evidence_from_before_the_fields_is_read() -> None:
    """Records and states that do not tell what an act was about stay readable."""
    old = {
        "topic": "t", "partition": 0, "offset": 1, "line": 0, "event_id": "e", "ts": 1.0, "kind": "tool_call",
        "name": "pay", "target": None, "outcome": "ok",
    }  # fmt: skip
    read = Evidence.model_validate(old)
    assert (read.sizes, read.about, read.arguments, read.arguments_left) == ({}, {}, (), 0)
