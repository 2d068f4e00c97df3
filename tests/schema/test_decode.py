"""Records become events in order; what is no event is refused alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.schema.decode import MAX_RAW_BYTES, MAX_UNKNOWN_NAMES, OTHER_NAMES, Decoded, decode
from detector.schema.event import MAX_EVENT_BYTES, MAX_RECORD_BYTES, REASONS
from detector.schema.past import Past
from detector.schema.record import Record


def event(**fields: Any) -> dict[str, Any]:
    """Return a minimal event with some fields changed."""
    plain = {"event_id": "e1", "ts": "2026-03-02T09:00:00Z", "agent_id": "a1", "kind": "tool_call", "name": "send"}
    return {**plain, **fields}


def raw(**fields: Any) -> bytes:
    """Return the bytes of a minimal event with some fields changed."""
    return json.dumps(event(**fields)).encode()


def reasons(decoded: Decoded) -> list[tuple[int, str, int | None]]:
    """Return record index, reason and line of every refusal."""
    return [(index, refusal.reason, refusal.line) for index, refusal in decoded.refusals]


def plain(decoded: Decoded) -> list[tuple[int, int]]:
    """Return record index and line of every event that was taken as it stood."""
    mended = {(index, refusal.line or 0) for index, refusal in decoded.refusals if refusal.is_scored}
    return [place for place in zip(decoded.source, decoded.line, strict=True) if place not in mended]


def test_a_record_with_one_event_becomes_that_event() -> None:
    """The plain case: one record, one event, nothing refused."""
    decoded = decode([Record(raw(target="crm", tokens_in=3))])
    assert [(one.event_id, one.target, one.tokens_in) for one in decoded.events] == [("e1", "crm", 3.0)]
    assert (decoded.source, decoded.line, decoded.refusals, decoded.unknown) == ([0], [0], [], Counter())


def test_no_records_give_no_events() -> None:
    """An empty batch is no error."""
    assert decode([]) == Decoded([], [], [], [], Counter())


def test_lines_of_a_record_become_events_with_their_line() -> None:
    """NDJSON keeps order; blank lines are passed over and counted in the index."""
    value = raw(event_id="e1") + b"\n\n" + raw(event_id="e2") + b"\r\n" + raw(event_id="e3") + b"\n"
    decoded = decode([Record(raw(event_id="e0")), Record(value)])
    assert [one.event_id for one in decoded.events] == ["e0", "e1", "e2", "e3"]
    assert decoded.source == [0, 1, 1, 1]
    assert decoded.line == [0, 0, 2, 3]
    assert decoded.refusals == []


def test_a_bad_line_is_refused_alone() -> None:
    """Its neighbours are events; the refusal holds the line's own bytes."""
    decoded = decode([Record(raw(event_id="e1") + b"\nnot json\n" + raw(event_id="e2"))])
    assert [one.event_id for one in decoded.events] == ["e1", "e2"]
    assert reasons(decoded) == [(0, "not_json", 1)]
    assert decoded.refusals[0][1].raw == b"not json"


def test_one_event_written_over_several_lines_is_one_event() -> None:
    """Pretty-printed JSON is no NDJSON, also with an unknown field."""
    for fields in ({}, {"from_the_future": 1}):
        value = json.dumps(event(**fields), indent=2).encode()
        decoded = decode([Record(value)])
        assert (len(decoded.events), decoded.line, decoded.refusals) == (1, [0], [])


def test_a_bad_event_written_over_several_lines_is_refused_once() -> None:
    """Not once a line."""
    decoded = decode([Record(json.dumps(event(kind="nonsense"), indent=2).encode())])
    assert reasons(decoded) == [(0, "out_of_range", None)]


def test_a_bad_record_leaves_its_neighbours_alone() -> None:
    """The hot path takes whole batches; a bad record in it costs time, not events."""
    decoded = decode([Record(raw(event_id="e0")), Record(b"{"), Record(raw(event_id="e2"))])
    assert [one.event_id for one in decoded.events] == ["e0", "e2"]
    assert decoded.source == [0, 2]
    assert reasons(decoded) == [(1, "not_json", None)]


@pytest.mark.parametrize("value", [b"", b"  \n ", b"\n\n"])
def test_a_record_without_an_event_is_refused_as_empty(value: bytes) -> None:
    """A tombstone or blank lines are told, not skipped silently."""
    assert reasons(decode([Record(value)])) == [(0, "empty", None)]


def test_a_record_over_one_mebibyte_is_refused_whole_and_its_bytes_are_cut() -> None:
    """Its lines are not told apart: one act, of the agent that stands first. The dead letter stays small."""
    line = raw() + b"\n"
    decoded = decode([Record(line * (MAX_RECORD_BYTES // len(line) + 1))])
    assert [(event.agent_id, event.name) for event in decoded.events] == [("a1", "send")]
    assert reasons(decoded) == [(0, "too_large", None)]
    assert decoded.refusals[0][1].is_scored
    assert len(decoded.refusals[0][1].raw) == MAX_RAW_BYTES


def test_a_record_of_many_lines_just_below_one_mebibyte_is_taken() -> None:
    """The harmless twin."""
    line = raw() + b"\n"
    count = MAX_RECORD_BYTES // len(line)
    assert len(decode([Record(line * count)]).events) == count


def test_an_event_over_64_kibibytes_is_refused_even_if_every_field_is_fine() -> None:
    """Padding is no way around the limit, alone or as a line."""
    padded = raw()[:-1] + b" " * MAX_EVENT_BYTES + b"}"
    decoded = decode([Record(padded), Record(raw() + b"\n" + padded)])
    assert reasons(decoded) == [(0, "too_large", None), (1, "too_large", 1)]
    assert plain(decoded) == [(1, 0)]
    assert [(index, event.attributes) for index, event in zip(decoded.source, decoded.events, strict=True)] == [
        (0, {"(unreadable)": "too_large"}),
        (1, {}),
        (1, {"(unreadable)": "too_large"}),
    ]


def test_an_event_of_64_kibibytes_is_taken() -> None:
    """The harmless twin: the limit itself is allowed."""
    plain = raw()
    padded = plain[:-1] + b" " * (MAX_EVENT_BYTES - len(plain)) + b"}"
    assert len(padded) == MAX_EVENT_BYTES
    assert len(decode([Record(padded)]).events) == 1


def test_an_event_of_another_agent_than_its_key_is_refused() -> None:
    """Nobody writes another agent's history, his own is what he writes; in NDJSON each line is asked."""
    value = raw(agent_id="a1") + b"\n" + raw(agent_id="a2")
    decoded = decode([Record(raw(agent_id="a2"), key=b"a1"), Record(value, key=b"a1")])
    assert reasons(decoded) == [(0, "key_mismatch", None), (1, "key_mismatch", 1)]
    assert plain(decoded) == [(1, 0)]
    assert [one.agent_id for one in decoded.events] == ["a1", "a1", "a1"]


@pytest.mark.parametrize("agent_id", ["a1", "Zoë", "a\nb", "😀"])
def test_an_event_with_its_own_key_or_none_is_taken(agent_id: str) -> None:
    """Keys are compared as UTF-8; a record without key is not compared."""
    value = raw(agent_id=agent_id)
    decoded = decode([Record(value, key=agent_id.encode()), Record(value)])
    assert (len(decoded.events), decoded.refusals) == (2, [])


def test_an_empty_key_is_a_key() -> None:
    """It names no agent, so it fits none."""
    assert reasons(decode([Record(raw(), key=b"")])) == [(0, "key_mismatch", None)]


def test_an_event_far_from_its_record_s_time_is_refused_only_where_a_tolerance_is_set() -> None:
    """The worker sets one; replay does not."""
    record = Record(raw(ts="2099-01-01T00:00:00Z"), timestamp_ms=1_772_442_000_000)
    assert reasons(decode([record], tolerance_s=3_600.0)) == [(0, "time_out_of_tolerance", None)]
    assert len(decode([record]).events) == 1


def test_an_event_near_its_record_s_time_is_taken() -> None:
    """The harmless twin, and a record without timestamp has nothing to be compared with."""
    near = Record(raw(ts="2026-03-02T09:00:00+00:00"), timestamp_ms=1_772_442_000_000 + 5_000)
    assert len(decode([near, Record(raw(ts="2099-01-01T00:00:00Z"))], tolerance_s=10.0).events) == 2


def test_unknown_fields_are_ignored_and_counted() -> None:
    """A newer producer is no poison."""
    decoded = decode([Record(raw(colour="red", credential={"id": "c", "pin": 1})), Record(raw(colour="blue"))])
    assert len(decoded.events) == 2
    assert decoded.unknown == Counter({"colour": 2, "credential.pin": 1})


def test_an_event_with_unknown_fields_equals_the_one_without() -> None:
    """The long way round gives the same event, of the same type."""
    fields = {"credential": {"id": "c", "issued_at": "2026-01-01T00:00:00Z"}, "attributes": {"a": 1, "b": True}}
    [short] = decode([Record(raw(**fields))]).events
    [long] = decode([Record(raw(**fields, colour="red"))]).events
    assert (long, type(long)) == (short, type(short))


def test_a_flood_of_unknown_names_fills_no_memory() -> None:
    """Names beyond the cap are counted together."""
    fields = {f"field_{number}": 1 for number in range(MAX_UNKNOWN_NAMES + 44)}
    unknown = decode([Record(raw(**fields)), Record(raw(field_0=1))]).unknown
    assert len(unknown) == MAX_UNKNOWN_NAMES + 1
    assert (unknown[OTHER_NAMES], unknown["field_0"]) == (44, 2)


def test_of_a_name_that_stands_twice_the_last_one_counts() -> None:
    """Documented, so that enforcement points can agree with it."""
    value = raw()[:-1] + b', "name": "delete"}'
    assert decode([Record(value)]).events[0].name == "delete"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_whatever_is_written_is_an_event_or_refused_by_name(values: list[bytes]) -> None:
    """Arbitrary bytes and arbitrary JSON never raise, and every refusal has a known reason and bounded bytes."""
    decoded = decode([Record(value, key=b"k", timestamp_ms=0) for value in values])
    assert {refusal.reason for _, refusal in decoded.refusals} <= set(REASONS)
    assert {index for index, _ in decoded.refusals} | set(decoded.source) == set(range(len(values)))
    assert all(refusal.detail and len(refusal.raw) <= MAX_RAW_BYTES for _, refusal in decoded.refusals)


@given(st.sampled_from(sorted(event(v=1, seq=1, attributes={}, grant={}, arg_origin={}, tokens_in=1))), json_values)
def test_whatever_stands_in_a_field_is_an_event_or_refused_by_name(field: str, value: object) -> None:
    """One field at a time is replaced by any JSON value, NaN and Infinity among them."""
    decoded = decode([Record(raw(**{field: value}))])
    assert len(plain(decoded)) + len(decoded.refusals) == 1
    assert {refusal.reason for _, refusal in decoded.refusals} <= set(REASONS)


poison = st.sampled_from([b"{", b"", raw(v=2), raw(agent_id="other"), raw(colour=1), raw() + b"\n" + raw(seq=True)])


@given(st.lists(poison | st.just(raw()), max_size=12), st.integers(1, 12))
def test_a_batch_cut_anywhere_gives_the_same_events_and_refusals(values: list[bytes], size: int) -> None:
    """The hot path takes whole batches; what comes out does not depend on how they are cut."""
    records = [Record(value, key=b"a1") for value in values]
    whole, past = decode(records), Past()
    events, source, refusals = [], [], []
    for start in range(0, len(records), size):
        part = decode(records[start : start + size], past=past)
        events += part.events
        source += [start + index for index in part.source]
        refusals += [(start + index, refusal) for index, refusal in part.refusals]
    assert (events, source, refusals) == (whole.events, whole.source, whole.refusals)


@pytest.mark.parametrize("ts", ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"])
@pytest.mark.parametrize("tolerance_s", [None, 1e12])
def test_a_time_beyond_utc_is_refused_and_what_is_left_can_be_packed(ts: str, tolerance_s: float | None) -> None:
    """Alone, among others with a key, and as a line: what the kernels get is packed in UTC and must not break."""
    bad = raw(ts=ts)
    records = [
        Record(raw(), b"a1"),
        Record(bad, b"a1"),
        Record(raw() + b"\n" + bad, b"a1"),
        Record(raw(ts="9999-12-31T23:59:59Z")),
    ]
    decoded = decode(records, tolerance_s)
    assert reasons(decoded) == [(1, "bad_time", None), (2, "bad_time", 1)]
    assert msgspec.msgpack.encode(decoded.events)
