"""What is refused counts all the same: the event that is made of it, whose it is, and what it says was mended."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.intake.columns import allocate_columns, ignored_names, keyed_by
from detector.intake.fill import Reading, fill_columns
from detector.intake.pieces import pieces_of
from detector.schema.amends import MAX_NOTE, MAX_NOTES
from detector.schema.claims import agent_in
from detector.schema.decode import decode
from detector.schema.event import MAX_EVENT_BYTES, MAX_RECORD_BYTES, MAX_STRING, Event, StrictEvent
from detector.schema.mend import AMOUNTS, CHOICES, PARTS, SENDERS, TEXTS, UNREADABLE, WHO_AND_WHAT
from detector.schema.past import Past
from detector.schema.record import Record
from detector.sketches.hashing import hash_text

AT_MS = 1_772_442_000_123
KEYED = Record(b"", b"a1", "events", 3, 41, AT_MS)


def body(**fields: Any) -> dict[str, Any]:
    """Return a minimal event with some fields changed; one that is ... is left out."""
    plain = {"event_id": "e1", "ts": "2026-03-02T09:00:00Z", "agent_id": "a1", "kind": "auth", "name": "send"}
    return {name: value for name, value in {**plain, **fields}.items() if value is not ...}


def mended(value: bytes | None = None, record: Record = KEYED, **fields: Any) -> Event:
    """Return the one event that is made of a refused record."""
    raw = json.dumps(body(**fields)).encode() if value is None else value
    decoded = decode([record._replace(value=raw)])
    ((_, refusal),) = decoded.refusals
    (event,) = decoded.events
    assert refusal.is_scored
    return event


def noted(event: Event) -> dict[str, Any]:
    """Return what an event says of its mending, by field; the reason under the empty name."""
    return {
        name.removeprefix(UNREADABLE).strip(): value
        for name, value in event.attributes.items()
        if name.startswith(UNREADABLE)
    }


def test_every_field_of_an_event_is_mended_somewhere() -> None:
    """A field that the schema gets later must be given its place here too."""
    named = {*WHO_AND_WHAT, *TEXTS, *AMOUNTS, *CHOICES, *PARTS}
    rest = {"event_id", "ts", "agent_id", "v", "seq", "attributes", "arg_origin"}
    assert named | rest == set(Event.__struct_fields__)
    assert not named & rest


@pytest.mark.parametrize(
    ("field", "value", "kept", "note"),
    [
        ("kind", "magic", "tool_call", "magic"),
        ("kind", ["auth"], "tool_call", '["auth"]'),
        ("kind", None, "tool_call", "missing"),
        ("outcome", "maybe", "ok", "maybe"),
        ("outcome", True, "ok", "true"),
        ("name", "", UNREADABLE, "missing"),
        ("name", 17, "17", "number"),
        ("name", {"b": 1, "a": [2]}, '{"a":[2],"b":1}', "object"),
        ("session_id", "", None, None),
        ("agent_type", None, "default", None),
        ("target", ["b@x", "a@x", 3], "b@x,a@x,3", "list"),
        ("zone", "\ud800!", "\\ud800!", "not text"),
        ("tokens_in", True, None, "true"),
        ("tokens_in", math.nan, None, "NaN"),
        ("tokens_out", -math.inf, None, "-Infinity"),
        ("bytes_out", -1, None, "-1"),
        ("bytes_in", 1e16, None, "1e+16"),
        ("bytes_in", int("9" * 400), None, "Infinity"),
        ("cost_usd", "1.5", 1.5, "text"),
        ("cost_usd", "nan", None, "nan"),
        ("duration_ms", [3], None, "[3]"),
        ("seq", -1, None, "-1"),
        ("seq", 1.5, None, "1.5"),
        ("seq", True, None, "true"),
        ("v", 2, 1, "2"),
        ("v", True, 1, "true"),
        ("credential", {"issued_at": "2026-01-01T00:00:00Z"}, None, "object #68a2eb4e903f02a6"),
        ("arg_origin", [], {}, "[]"),
    ],
)
def test_a_field_that_does_not_fit_is_mended_and_noted(
    field: str, value: object, kept: object, note: str | None
) -> None:
    """What the schema can hold stays; what it cannot is told in the note; what is absent needs no note."""
    fields: dict[str, Any] = {field: value, "colour": ["x" * 2_000]}
    event = mended(**fields)
    assert getattr(event, field) == kept
    said = noted(event)
    assert said.pop("")
    assert said == ({} if note is None else {field: note})


def test_what_nobody_mended_stays_as_it_was() -> None:
    """The rest of the event is judged as ever."""
    fields: dict[str, Any] = {
        "target": "crm", "outcome": "denied", "agent_type": "clerk", "tenant": "acme", "session_id": "s", "seq": 3,
        "bytes_out": 7, "attributes": {"to": "x", "n": 2, "b": True, "z": None}, "arg_origin": {"to": "tool"},
        "grant": {"id": "g", "temporary": True, "granted_at": "2026-01-01T00:00:00Z"},
    }  # fmt: skip
    plain = decode([Record(json.dumps(body(**fields)).encode())]).events[0]
    event = mended(**fields, zone="x" * 2_000)
    assert noted(event) == {"": "too_long", "zone": "too long"}
    attributes = {name: value for name, value in event.attributes.items() if not name.startswith(UNREADABLE)}
    assert msgspec.structs.replace(event, attributes=attributes, zone=None) == plain


def test_a_long_text_is_cut_with_a_digest_of_the_whole() -> None:
    """Two that differ only behind the cut differ, the same one repeats, and what fits is left alone."""
    texts = ["x" * 2_000 + "a", "x" * 2_000 + "b", "x" * 2_000 + "a"]
    one, other, again = (mended(attributes={"body": text}).attributes["body"] for text in texts)
    assert one == again != other
    assert isinstance(one, str)
    assert (len(one), one[:900]) == (MAX_STRING, "x" * 900)
    assert not decode([Record(json.dumps(body(attributes={"body": "x" * MAX_STRING})).encode())]).refusals


def test_lists_and_objects_in_attributes_become_text() -> None:
    """Plain items as a list is written in an argument, so that they meet what was used before; the rest as JSON."""
    event = mended(
        attributes={"to": ["a@x", "b@x"], "deep": {"b": [1], "a": None}, "n": math.nan, "big": 1e31, "one": 1}
    )
    own = {name: value for name, value in event.attributes.items() if not name.startswith(UNREADABLE)}
    assert own == {"to": "a@x,b@x", "deep": '{"a":null,"b":[1]}', "n": "NaN", "big": "1e+31", "one": 1.0}
    assert noted(event) == {
        "": "non_finite", "attributes.to": "list", "attributes.deep": "object", "attributes.n": "number",
        "attributes.big": "number",
    }  # fmt: skip


@pytest.mark.parametrize("value", [["evil"], "evil", 3])
def test_attributes_that_are_no_object_are_one_attribute(value: object) -> None:
    """Nothing that was said gets lost."""
    event = mended(attributes=value)
    assert event.attributes["attributes"] in {"evil", 3.0}
    assert noted(event)["attributes"] in {"list", "text", "number"}


def test_what_may_be_a_secret_is_told_as_a_digest() -> None:
    """A credential field with the secret in it must not stand in an alert."""
    event = mended(credential="hunter2", grant={"id": "g", "expires_at": "hunter2", "temporary": "hunter2"})
    assert event.grant is not None
    assert (event.credential, event.grant.id) == (None, "g")
    assert "hunter2" not in msgspec.json.encode(event).decode()
    assert {"credential", "grant.expires_at", "grant.temporary"} < set(noted(event))


def test_notes_are_few_and_short_and_are_one_item_each() -> None:
    """A comma would part a note, and fill up the cap on what is looked at."""
    fields: dict[str, Any] = {name: f"{k}, {'y' * 200}" for k, name in enumerate(AMOUNTS)}
    event = mended(**fields, kind="a,b", outcome="c,d", seq="e,f", attributes={"own": "1", "x" * 200: [1]})
    names = list(event.attributes)
    assert len(noted(event)) == MAX_NOTES + 1
    assert all("," not in value and 0 < len(value) <= MAX_NOTE for value in noted(event).values())
    assert all(len(name) <= MAX_NOTE for name in names if name.startswith(UNREADABLE))
    assert noted(event)["more"] == "3 fields"
    assert event.attributes["own"] == "1"


@pytest.mark.parametrize("value", ["x", "a,b", "a,b,c,d,e,f", True])
def test_no_number_of_arguments_pushes_the_notes_out_of_sight(value: object) -> None:
    """What is looked at of an event is capped from behind: the notes stand within, the first arguments before them."""
    fields: dict[str, Any] = dict.fromkeys(AMOUNTS, "bad") | {"kind": "bad", "outcome": "bad", "seq": "bad"}
    event = mended(target="a,b,c,d,e,f", attributes={f"a{k}": value for k in range(60)}, **fields)
    reading = Reading(ignored_names(()), keyed_by(None), pieces_of(()))
    columns = fill_columns([event], reading, allocate_columns(1), np.zeros(1, np.uint64))
    names = columns.part[: columns.parts_end[1], 0].tolist()
    assert len(noted(event)) == MAX_NOTES + 1
    assert all(names.count(hash_text(name)) == 1 for name in event.attributes if name.startswith(UNREADABLE))
    assert next(iter(event.attributes)) == "a0"


@pytest.mark.parametrize("seq", ["wrong_type", " wrong_type ", "\x01wrong_type"])
def test_no_target_makes_a_note_pass_for_its_repetition(seq: str) -> None:
    """An argument that repeats the target is left out of scoring: a note must never be one."""
    event = mended(target="wrong_type", attributes={"a": []}, seq=seq)
    assert event.target == "wrong_type"
    assert noted(event)[""] == noted(event)["seq"] == "wrong_type~"


def test_a_sender_s_own_notes_are_kept_under_another_name_and_gain_nothing() -> None:
    """He neither overwrites ours nor says where their values come from."""
    own = {UNREADABLE: "all is well", f"{UNREADABLE} kind": "auth", f"{SENDERS}{UNREADABLE}": "mine"}
    event = mended(kind="magic", attributes=own, arg_origin={UNREADABLE: "user", f"{UNREADABLE} kind": "user"})
    assert noted(event)[""] == "out_of_range"
    assert noted(event)["kind"] == "magic"
    kept = {value for name, value in event.attributes.items() if name.startswith(SENDERS)}
    assert kept == {"all is well", "auth", "mine"}
    assert not any(name.startswith(UNREADABLE) for name in event.arg_origin)
    assert event.arg_origin[f"{SENDERS}{UNREADABLE} kind"] == "user"


def test_a_well_formed_event_with_such_attributes_is_what_it_says() -> None:
    """To write notes oneself is as odd as to earn them, and no cheaper way to make them known."""
    event = mended(attributes={"a": [1]})
    decoded = decode([Record(msgspec.json.encode(event), b"a1")])
    assert (decoded.events, decoded.refusals) == ([event], [])


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"", "empty"), (b"\n", "empty"), (b"{", "not_json"), (b"\xff", "not_json"), (b"[]", "wrong_type"),
     (b"[" * 5_000, "too_deep"), (b"\x00" * (MAX_RECORD_BYTES + 1), "too_large")],
)  # fmt: skip
def test_what_cannot_be_read_at_all_is_an_act_of_the_key_s_agent(value: bytes, reason: str) -> None:
    """Its size and that it came are all that is known of it; that nothing else is known is what makes it odd."""
    event = mended(value)
    assert (event.agent_id, event.kind, event.name, event.target) == ("a1", "tool_call", UNREADABLE, None)
    missing = dict.fromkeys(("event_id", "agent_id", "ts", "kind", "name"), "missing")
    assert (noted(event), event.bytes_in) == ({"": reason, **missing}, float(len(value)))
    assert len(event.attributes) == 6
    assert event.ts == datetime(2026, 3, 2, 9, 0, 0, 123_000, tzinfo=UTC)


def test_two_unreadable_records_are_two_and_one_read_again_is_itself() -> None:
    """The id is of bytes and place: nothing passes for a repeat but the same record."""
    places = [KEYED, KEYED._replace(offset=42), KEYED._replace(partition=4), KEYED._replace(topic="t")]
    ids = {mended(b"{", record).event_id for record in places} | {mended(b"[", KEYED).event_id}
    assert len(ids) == 5
    assert mended(b"{").event_id in ids
    lines = decode([KEYED._replace(value=b"{\n{")]).events
    assert len({event.event_id for event in lines}) == 2


@pytest.mark.parametrize(
    "value",
    [
        b'{"agent_id": "a1", "agent_type": "clerk", "tenant": "acme", "session_id": "s", "x',
        b'{"session_id":"s","tenant":"acme","agent_type":"clerk","agent_id":"a1"}}',
    ],
)
def test_who_stands_before_the_break_acts_also_without_a_key(value: bytes) -> None:
    """Lines of files have no key; without a record's time the event before gives one."""
    before = Record(json.dumps(body()).encode())
    decoded = decode([before, Record(value)])
    event = decoded.events[1]
    assert (event.agent_id, event.agent_type, event.tenant, event.session_id) == ("a1", "clerk", "acme", "s")
    assert event.ts == decoded.events[0].ts
    assert agent_in(value) == "a1"


WHOLE = json.dumps(body(target="x@y.example", attributes={"n": "v"}, arg_origin={"n": "user"}))


@pytest.mark.parametrize(
    ("behind", "missing"),
    [
        ('"name": "send",', {"target", "attributes", "arg_origin"}),
        ('"x@y.example",', {"attributes", "arg_origin"}),
        ('{"n": "v"},', {"arg_origin"}),
        ('{"n": "user"}', set()),
    ],
)
def test_an_act_that_breaks_off_is_one_apart_and_what_may_stand_behind_the_break_is_noted(
    behind: str, missing: set[str]
) -> None:
    """Else an event cut off behind an ordinary name would be that name's most ordinary act."""
    event = mended(WHOLE[: WHOLE.index(behind) + len(behind)].encode())
    assert event.name == f"{UNREADABLE} send"
    assert {field for field, what in noted(event).items() if what == "missing"} == missing


def test_the_name_of_an_act_that_is_whole_stays() -> None:
    """However it is mended; and what has no name has no longer one for breaking off."""
    assert mended(kind="magic").name == "send"
    assert mended(WHOLE.encode() + b"}").name == "send"
    assert mended(b'{"agent_id": "a1", "x').name == UNREADABLE


def test_type_tenant_and_session_that_cannot_be_read_are_those_of_the_agent_s_last_event() -> None:
    """Unreadable must not be a way out of one's peer group; who never told one belongs to the default."""
    told = Record(json.dumps(body(agent_type="clerk", tenant="acme", session_id="s")).encode(), b"a1")
    other = Record(json.dumps(body(agent_id="a2", agent_type="cook")).encode(), b"a2")
    for value, expected in (
        (b"{", ("clerk", "acme", "s")),
        (b'{"agent_type": "chef", "x', ("chef", "acme", "s")),
        (json.dumps(body(kind="x", agent_type="", tenant=None)).encode(), ("clerk", "acme", None)),
        (json.dumps(body(kind="x", session_id="")).encode(), ("default", None, "s")),
        (json.dumps(body(kind="x")).encode(), ("default", None, None)),
        (json.dumps(body(kind="x", agent_type="chef", tenant="acme2")).encode(), ("chef", "acme2", None)),
    ):
        event = decode([told, other, KEYED._replace(value=value)]).events[-1]
        assert (event.agent_type, event.tenant, event.session_id) == expected, value
    event = decode([told, KEYED._replace(value=b"{", key=b"a3")]).events[-1]
    assert (event.agent_type, event.tenant, event.session_id) == ("default", None, None)


@pytest.mark.parametrize("record", [Record(b"{"), Record(b"{", b""), Record(b"{", b"\xff"), Record(b'{"agent_id":""}')])
def test_nobody_s_act_is_only_refused(record: Record) -> None:
    """Without key and agent there is nobody to hold it against."""
    decoded = decode([record._replace(timestamp_ms=AT_MS)])
    assert decoded.events == []
    assert [refusal.is_scored for _, refusal in decoded.refusals] == [False]


def test_without_any_known_time_an_act_is_only_refused() -> None:
    """The harmless twin: where a time is known, of its own, its record's or of the event before, it is an event."""
    for stamp in (None, -1, 10**18):
        record = Record(b"{", b"a1", timestamp_ms=stamp)
        assert decode([record]).events == []
        assert len(decode([record], past=Past(datetime(2026, 1, 1, tzinfo=UTC))).events) == 1
    assert len(decode([Record(b'{"ts":"2026-03-02T09:00:00Z",', b"a1")]).events) == 1


def test_the_record_s_key_owns_the_event() -> None:
    """Nobody moves his evidence to somebody else by naming him, nor by naming nobody."""
    for claimed in ("victim", ["victim"], 17):
        event = mended(agent_id=claimed)
        assert event.agent_id == "a1"
        assert noted(event)["agent_id"] in {"victim", '["victim"]', "17"}
    assert noted(mended(agent_id=..., kind="x"))["agent_id"] == "missing"
    assert "agent_id" not in noted(mended(kind="x"))


@pytest.mark.parametrize("key", [b"", b"\xff"])
def test_a_key_that_is_no_name_is_no_way_out(key: bytes) -> None:
    """Then the agent that is named acts, as it does without a key."""
    event = mended(record=KEYED._replace(key=key))
    assert event.agent_id == "a1"
    assert set(noted(event)) == {"", "key"}


def test_a_long_id_is_cut_the_same_way_whatever_stands_beside_it() -> None:
    """Padding must not make another agent, session or tool of the same name."""
    fields: dict[str, Any] = dict.fromkeys(
        ("agent_id", "session_id", "tenant", "agent_type", "name", "target"), "n" * 3_000
    )
    record = KEYED._replace(key=None)
    short = mended(record=record, **fields)
    padded = mended(record=record, **fields, attributes={f"a{k}": "\x01" * 900 for k in range(40)})
    for field in fields:
        assert getattr(short, field) == getattr(padded, field)
        assert len(getattr(short, field)) == MAX_STRING
    assert mended(record=KEYED._replace(key=b"n" * 3_000)).agent_id == short.agent_id


@pytest.mark.parametrize("ts", [..., None, "", "2026-03-02", "9999-12-31T23:59:59-00:01", 1_772_442_000, ["x"]])
def test_a_time_that_is_none_is_the_record_s(ts: object) -> None:
    """And what stood there is noted."""
    event = mended(ts=ts)
    assert event.ts == datetime(2026, 3, 2, 9, 0, 0, 123_000, tzinfo=UTC)
    assert (noted(event)["ts"] == "missing") == (ts is ... or ts is None)


def test_a_time_out_of_tolerance_is_not_believed_of_what_cannot_be_read() -> None:
    """A readable event of that kind is refused and no more."""
    away = KEYED._replace(value=json.dumps(body(ts="2020-01-01T00:00:00Z", kind="magic")).encode())
    (event,) = decode([away], tolerance_s=60.0).events
    assert event.ts == datetime(2026, 3, 2, 9, 0, 0, 123_000, tzinfo=UTC)
    assert noted(event)["ts"] == "2020-01-01T00:00:00Z"
    plain = decode([away._replace(value=json.dumps(body(ts="2020-01-01T00:00:00Z")).encode())], tolerance_s=60.0)
    assert (plain.events, [one.is_scored for _, one in plain.refusals]) == ([], [False])


def unescaped(fields: dict[str, Any]) -> bytes:
    """Return an event with control characters as they are, which take six times the room once they are escaped."""
    return json.dumps(body(**fields)).replace("\\u0001", "\x01").encode()


def test_the_largest_event_still_fits() -> None:
    """Every text at its longest, of what takes most bytes on the wire, and far too many attributes."""
    longest = "\x01" * 1_100
    fields: dict[str, Any] = dict.fromkeys((*WHO_AND_WHAT, *TEXTS, *AMOUNTS, *CHOICES, "event_id", "seq", "v"), longest)
    fields |= {"credential": {"id": longest}, "grant": {"id": longest}}
    fields["attributes"] = {f"{k}{longest}": longest for k in range(20)}
    fields["arg_origin"] = {f"{k}{longest}": "user" for k in range(20)}
    event = mended(unescaped(fields), KEYED._replace(key=("\x01" * 2_000).encode()))
    assert len(msgspec.json.encode(event)) <= MAX_EVENT_BYTES
    assert len(noted(event)) == MAX_NOTES + 1
    assert len([name for name in event.attributes if not name.startswith(UNREADABLE)]) == 8


def test_attributes_beyond_the_room_are_told_by_their_number_and_a_digest() -> None:
    """Two events that differ only in those differ in the note."""
    events = [mended(unescaped({"attributes": {f"{k}": "\x01" * 900 + last for k in range(100)}})) for last in "aba"]
    notes = [noted(event)["attributes"] for event in events]
    assert notes[0] == notes[2] != notes[1]
    assert notes[0].startswith("76 more object #")


# ── arbitrary mutations ──────────────────────────────────────────────────────

FIELDS = sorted(Event.__struct_fields__)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([UNREADABLE, "x" * 1_500]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
fields_of = st.dictionaries(st.sampled_from([*FIELDS, "colour"]), json_values, max_size=6)


def _raw(fields: dict[str, Any]) -> bytes:
    return json.dumps({**body(), **fields}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _nested(raw: bytes, depth: int) -> bytes:
    return raw[:-1] + b', "attributes": {"x": ' + b"[" * depth + b"]" * depth + b"}}"


mutants = st.one_of(
    fields_of.map(_raw),
    st.tuples(fields_of.map(_raw), st.integers(0, 200)).map(lambda both: both[0][: -both[1] or None]),
    st.tuples(fields_of.map(_raw), st.integers(0, 200), st.binary(max_size=5)).map(
        lambda all_: all_[0][: all_[1]] + all_[2] + all_[0][all_[1] :]
    ),
    st.tuples(fields_of.map(_raw), st.integers(1, 300)).map(lambda both: _nested(*both)),
    st.integers(1_000, 90_000).map(lambda n: _raw({"attributes": {"x": "y" * n}})),
    st.binary(max_size=50),
)


@given(mutants, st.booleans())
@example(b"", False)
@example(_nested(_raw({}), 20_000), True)
def test_every_mutation_of_an_event_is_one_event_of_the_key_s_agent(raw: bytes, has_tolerance: bool) -> None:
    """Whatever is replaced, cut off, put in between, padded or nested: never none, never two, never somebody else's.

    The event passes the strict decoder as it stands, so that it can be replayed, and is told from one that was not
    refused by an attribute.
    """
    record = KEYED._replace(value=raw.replace(b"\n", b" "))
    decoded = decode([record], 1e12 if has_tolerance else None)
    (event,) = decoded.events
    assert event.agent_id == "a1"
    assert (decoded.source, decoded.line) == ([0], [0])
    assert type(event) is StrictEvent
    assert len(decoded.refusals) == (UNREADABLE in event.attributes) or UNREADABLE in raw.decode(errors="replace")
    again = decode([Record(msgspec.json.encode(event), b"a1")])
    assert (again.events, again.refusals) == ([event], [])


written = st.sampled_from(
    [b"{", b"", b'{"agent_id":"a2",', b"junk", _raw({"kind": 1, "ts": None}), _raw({"agent_type": "b"}), _raw({})]
)


@given(st.lists(written, min_size=1, max_size=12), st.integers(1, 12), st.booleans())
def test_however_lines_without_a_time_are_cut_they_get_the_same_one(
    values: list[bytes], size: int, keyed: bool
) -> None:
    """The time of the event before is handed on from batch to batch, and where its agent stood."""
    key = b"a1" if keyed else None
    records = [Record(value, key, offset=k) for k, value in enumerate(values)]
    whole, past, events, refusals = decode(records), Past(), [], []
    for start in range(0, len(records), size):
        part = decode(records[start : start + size], past=past)
        events += part.events
        refusals += [refusal for _, refusal in part.refusals]
    assert (events, refusals) == (whole.events, [refusal for _, refusal in whole.refusals])
