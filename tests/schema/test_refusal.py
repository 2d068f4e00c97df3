"""Every reason for a refusal has an event that is refused for it, beside one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import EventError
from detector.schema.decode import decode
from detector.schema.event import MAX_EVENT_BYTES, REASONS
from detector.schema.record import Record
from detector.schema.refusal import examine

PLAIN = b'{"event_id":"e1","ts":"2026-03-02T09:00:00Z","agent_id":"a1","kind":"auth","name":"n"'

POISON = [
    ("not_json", b"{"),
    ("not_json", b'"tokens_in":1}'),
    ("not_json", PLAIN + b"}}"),
    ("not_json", PLAIN + b',"zone":"\xff"}'),
    ("not_json", PLAIN + b',"colour":"\xff"}'),
    ("not_json", PLAIN + b',"zone":"\\ud800"}'),
    ("not_json", b"\xef\xbb\xbf" + PLAIN + b"}"),
    ("not_json", b"[NaN"),
    ("missing_field", b"{}"),
    ("missing_field", PLAIN.replace(b'"name":"n"', b'"outcome":"ok"') + b"}"),
    ("missing_field", PLAIN + b',"credential":{}}'),
    ("missing_field", PLAIN + b',"grant":{"temporary":true}}'),
    ("wrong_type", b"[]"),
    ("wrong_type", b"null"),
    ("wrong_type", b"3"),
    ("wrong_type", PLAIN + b',"tokens_in":"1"}'),
    ("wrong_type", PLAIN + b',"seq":1.5}'),
    ("wrong_type", PLAIN + b',"v":"1"}'),
    ("wrong_type", PLAIN + b',"agent_type":null}'),
    ("wrong_type", PLAIN + b',"attributes":{"a":[1]}}'),
    ("wrong_type", PLAIN + b',"attributes":null}'),
    ("wrong_type", PLAIN + b',"credential":"secret"}'),
    ("bool_as_number", PLAIN + b',"tokens_in":true}'),
    ("bool_as_number", PLAIN + b',"seq":false}'),
    ("bool_as_number", PLAIN + b',"v":true}'),
    ("non_finite", PLAIN + b',"tokens_in":NaN}'),
    ("non_finite", PLAIN + b',"tokens_in":-Infinity}'),
    ("non_finite", PLAIN + b',"tokens_in":1e999}'),
    ("non_finite", PLAIN + b',"attributes":{"a":' + b"9" * 400 + b"}}"),
    ("non_finite", PLAIN + b',"seq":' + b"9" * 400 + b"}"),
    ("non_finite", PLAIN + b',"colour":1e999}'),
    ("out_of_range", PLAIN + b',"duration_ms":-1}'),
    ("out_of_range", PLAIN + b',"bytes_out":1e16}'),
    ("out_of_range", PLAIN + b',"seq":-1}'),
    ("out_of_range", PLAIN + b',"seq":9223372036854775808}'),
    ("out_of_range", PLAIN + b',"outcome":"maybe"}'),
    ("out_of_range", PLAIN.replace(b"auth", b"magic") + b"}"),
    ("out_of_range", PLAIN + b',"arg_origin":{"to":"nobody"}}'),
    ("out_of_range", PLAIN + b',"attributes":{"a":1e31}}'),
    ("bad_time", PLAIN.replace(b"2026-03-02T09:00:00Z", b"2026-03-02T09:00:00") + b"}"),
    ("bad_time", PLAIN.replace(b"2026-03-02T09:00:00Z", b"2026-03-02") + b"}"),
    ("bad_time", PLAIN.replace(b"2026-03-02T09:00:00Z", b"9999-12-31T23:59:59-00:01") + b"}"),
    ("bad_time", PLAIN.replace(b"2026-03-02T09:00:00Z", b"0001-01-01T00:00:00+00:01") + b',"colour":1}'),
    ("bad_time", PLAIN + b',"credential":{"id":"c","issued_at":"9999-12-31T23:59:59-00:01"}}'),
    ("bad_time", PLAIN + b',"credential":{"id":"c","expires_at":"0001-01-01T00:00:00+00:01"}}'),
    ("bad_time", PLAIN + b',"grant":{"id":"g","granted_at":"0001-01-01T00:00:00+00:01"},"colour":1}'),
    ("bad_time", PLAIN + b',"grant":{"id":"g","expires_at":"9999-12-31T23:59:59-00:01"}}'),
    ("bad_time", PLAIN.replace(b"2026-03-02T09:00:00Z", b"2026-02-30T09:00:00Z") + b"}"),
    ("bad_time", PLAIN.replace(b'"2026-03-02T09:00:00Z"', b"1772442000") + b"}"),
    ("bad_time", PLAIN.replace(b'"2026-03-02T09:00:00Z"', b"true") + b"}"),
    ("bad_time", PLAIN + b',"grant":{"id":"g","expires_at":"soon"}}'),
    ("too_long", PLAIN + b',"target":"' + b"x" * 1_025 + b'"}'),
    ("too_long", PLAIN + b',"attributes":{"' + b"x" * 1_025 + b'":1}}'),
    ("too_long", PLAIN + b',"colour":"' + b"x" * 1_025 + b'"}'),
    ("too_deep", PLAIN + b',"colour":[[[[1]]]]}'),
    ("too_deep", PLAIN + b',"colour":' + b"[" * 9_000 + b"]" * 9_000 + b"}"),
    ("too_deep", PLAIN + b',"attributes":{"a":{"b":{"c":{}}}}}'),
    ("too_large", PLAIN + b" " * MAX_EVENT_BYTES + b"}"),
    ("unknown_version", PLAIN + b',"v":2}'),
    ("unknown_version", b'{"v":2,"id":"of another shape"}'),
    ("unknown_version", PLAIN + b',"v":0}'),
    ("empty", b""),
    ("empty", PLAIN.replace(b'"a1"', b'""') + b"}"),
    ("empty", PLAIN + b',"session_id":""}'),
]

HARMLESS = [
    PLAIN + b"}",
    PLAIN + b',"v":1}',
    PLAIN + b',"zone":null,"seq":0,"tokens_in":0,"duration_ms":1.5,"bytes_out":1e15}',
    PLAIN + b',"seq":9223372036854775807}',
    PLAIN + b',"attributes":{"a":true,"b":null,"c":-1e30,"d":"x","e":1e-400}}',
    PLAIN + b',"target":"' + "é".encode() * 1_024 + b'"}',
    PLAIN + b',"colour":[[[1]]]}',
    PLAIN + b',"zone":"\\ud83d\\ude00"}',
    PLAIN.replace(b"2026-03-02T09:00:00Z", b"2026-03-02T09:00:00.123456+05:30") + b"}",
    PLAIN + b',"credential":{"id":"c"},"grant":{"id":"g","temporary":true}}',
    PLAIN + b',"arg_origin":{"to":"tool","amount":"none"}}',
    PLAIN.replace(b"2026-03-02T09:00:00Z", b"9999-12-31T23:59:59+00:01") + b"}",
    PLAIN.replace(b"2026-03-02T09:00:00Z", b"0001-01-01T00:00:00-00:01") + b"}",
    PLAIN + b',"credential":{"id":"c","expires_at":"9999-12-31T23:59:59Z"}}',
]


@pytest.mark.parametrize(("reason", "raw"), POISON, ids=[f"{name}-{n}" for n, (name, _) in enumerate(POISON)])
def test_a_poison_event_is_refused_by_name(reason: str, raw: bytes) -> None:
    """Each kind of poison has its own stable name; an event it is only as far as it tells its agent."""
    decoded = decode([Record(raw)])
    assert [refusal.reason for _, refusal in decoded.refusals] == [reason]
    assert len(decoded.events) == decoded.refusals[0][1].is_scored
    assert {(event.agent_id, event.attributes["(unreadable)"]) for event in decoded.events} <= {("a1", reason)}


@pytest.mark.parametrize("raw", HARMLESS)
def test_its_harmless_twin_is_taken(raw: bytes) -> None:
    """Values at the limit are no poison."""
    decoded = decode([Record(raw)])
    assert (len(decoded.events), decoded.refusals) == (1, [])


def test_every_reason_of_one_event_has_its_poison() -> None:
    """The corpus is complete but for the reasons that need a record beside the event."""
    assert {reason for reason, _ in POISON} == set(REASONS) - {"key_mismatch", "time_out_of_tolerance"}


def test_every_reason_is_explained_to_operators() -> None:
    """The document names them all and no other."""
    text = (Path(__file__).parents[2] / "docs" / "schema" / "reasons.md").read_text(encoding="utf-8")
    told = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert told == set(REASONS)


def test_another_version_is_named_before_its_unknown_shape() -> None:
    """What a field means is for its version to say."""
    with pytest.raises(EventError, match="unknown_version"):
        examine(b'{"v":3,"agent_id":7}')


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=4, max_size=40))
def test_a_refusal_never_quotes_the_event(secret: str) -> None:
    """Its sentence goes into logs: wherever the value stands, it stays out of it."""
    value = f'"{secret}"'.encode()
    for field in (b"kind", b"ts", b"tokens_in", b"attributes", b"credential", b"v", b"arg_origin"):
        with pytest.raises(EventError) as error:
            examine(PLAIN + b',"' + field + b'":' + value + b"}")
        assert secret not in str(error.value)


def test_a_refusal_names_the_field_and_the_rule() -> None:
    """The sentence is what an operator reads first."""
    with pytest.raises(EventError, match=r"duration_ms of event must be `float` >= 0\.0"):
        examine(PLAIN + b',"duration_ms":-1}')
    with pytest.raises(EventError, match="agent_id of event must be given, got nothing"):
        examine(b'{"event_id":"e","ts":"2026-03-02T09:00:00Z","kind":"auth","name":"n"}')
