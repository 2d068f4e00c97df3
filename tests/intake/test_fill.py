"""Events as columns, against a plain reading of the same events."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.intake import columns as col
from detector.intake.columns import Columns, Keyed, allocate_columns, ignored_names, keyed_by
from detector.intake.fill import Reading, fill_columns
from detector.intake.names import numbers_of, parts_of
from detector.intake.pieces import pieces_of
from detector.profile.load import load_profile
from detector.schema.decode import decode
from detector.schema.event import Event
from detector.schema.marks import OF_FIELD, OF_KIND, OF_OUTCOME, WATCHED
from detector.schema.record import Record
from detector.sketches.hashing import hash_text

IGNORED = load_profile().features.ignored_attributes
ROOM = allocate_columns()
MARKS = np.zeros(len(ROOM.ts), np.uint64)
KEYED = keyed_by(None)
EXTRA = {"(more)": col.MORE, "(unread)": col.UNREAD, "(standing)": col.STANDING, "(dealing)": col.DEALING}
ORIGINS = {None: col.UNKNOWN, "user": col.USER, "tool": col.TOOL, "none": col.NONE}
BASE = {"event_id": "e", "ts": "2026-03-02T07:00:00.250Z", "agent_id": "a", "kind": "tool_call", "name": "read"}


def events_of(*bodies: dict[str, Any]) -> list[Event]:
    """Return events as they come off the wire."""
    decoded = decode([Record(json.dumps({**BASE, **body}).encode()) for body in bodies])
    assert not decoded.refusals
    return decoded.events


def reading_by(keyed: Keyed) -> Reading:
    """Return how events are read under a key; one piece of text is watched."""
    return Reading(ignored_names(IGNORED), keyed, pieces_of(["watched.txt"]))


def filled(*bodies: dict[str, Any]) -> Columns:
    """Return the columns of events."""
    return fill_columns(events_of(*bodies), reading_by(KEYED), ROOM, MARKS)


texts = st.text(alphabet="abAB01 ,/.@-_ü日", max_size=30)
long_texts = st.text(alphabet="ab,ü", min_size=70, max_size=200)
names = st.sampled_from(["to", "body", "amount", "error_class", "src_ip", "src_", "n_tool_calls", "n_tool_calls2", "ü"])
scalars = st.one_of(texts, long_texts, st.floats(-1e30, 1e30), st.integers(-5, 5), st.booleans(), st.none())
bodies = st.fixed_dictionaries(
    {},
    optional={
        "target": st.one_of(texts, long_texts),
        "agent_type": st.sampled_from(["default", "clerk"]),
        "tenant": st.sampled_from(["default", "other"]),
        "session_id": st.sampled_from(["s-1", "s-2"]),
        "outcome": st.sampled_from(["ok", "error", "denied"]),
        "kind": st.sampled_from(col.KINDS),
        "duration_ms": st.floats(0, 1e15),
        "tokens_in": st.integers(0, 10**6),
        "bytes_out": st.floats(0, 1e15),
        "cost_usd": st.floats(0, 10),
        "trace_id": texts,
        "seq": st.integers(0, 2**40),
        "credential": st.just({"id": "c", "issued_at": "2026-01-01T00:00:00Z"}),
        "attributes": st.dictionaries(names, scalars, max_size=7),
        "arg_origin": st.dictionaries(
            st.one_of(names, st.just("target")), st.sampled_from(["user", "tool", "none"]), max_size=4
        ),
    },
)


@given(batch=st.lists(bodies, min_size=1, max_size=20), keyed=st.sampled_from([KEYED, keyed_by("a secret")]))
def test_parts_and_numbers_of_a_batch_are_those_an_explanation_names(batch: list[dict[str, Any]], keyed: Keyed) -> None:
    """Same parts, same order, same origins, same numbers, under any key: an alert points at what was scored."""
    events = events_of(*batch)
    columns = fill_columns(events, reading_by(keyed), ROOM, MARKS)
    for i, event in enumerate(events):
        span = range(columns.parts_end[i], columns.parts_end[i + 1])
        found = [(columns.part[m, 0], columns.origin[m], bool(columns.is_target[m])) for m in span]
        parts = parts_of(event, IGNORED)
        named = [EXTRA[p.name] if p.name in EXTRA else hash_text(p.name, keyed.key) for p in parts]
        assert found == [(name, ORIGINS[p.origin], p.name == "target") for name, p in zip(named, parts, strict=True)]
        for m, part in zip(span, parts, strict=True):
            if (
                not part.name.startswith("(")
                and isinstance(event.attributes.get(part.name, ""), str)
                and len(part.value) < col.MAX_VALUE
            ):
                assert columns.part[m, 1] == hash_text(part.value, keyed.key)
        span = range(columns.numbers_end[i], columns.numbers_end[i + 1])
        numbers = numbers_of(event, IGNORED)
        assert [columns.field[k] for k in span] == [hash_text(name, keyed.key) for name, _ in numbers]
        expected = [math.copysign(math.log2(1.0 + abs(value)), value) for _, value in numbers]
        assert np.allclose([columns.amount[k] for k in span], expected, rtol=1e-9)


@given(batch=st.lists(bodies, min_size=2, max_size=20))
def test_an_event_has_the_same_columns_alone_and_in_a_batch(batch: list[dict[str, Any]]) -> None:
    """Nothing of one event leaks into the next."""
    together = filled(*batch)
    span = slice(together.parts_end[len(batch) - 1], together.parts_end[len(batch)])
    last = (together.ident[len(batch) - 1].tolist(), together.part[span].tolist(), together.origin[span].tolist())
    alone = filled(batch[-1])
    span = slice(0, alone.parts_end[1])
    assert last == (alone.ident[0].tolist(), alone.part[span].tolist(), alone.origin[span].tolist())


@given(body=bodies)
def test_who_and_what_are_hashes_of_what_the_event_says(body: dict[str, Any]) -> None:
    """Kind, outcome, time, tool; a default that is written out is the same as one left out."""
    event = events_of(body)[0]
    columns = filled(body)
    assert columns.ts[0] == event.ts.timestamp()
    assert col.KINDS[columns.kind[0]] == event.kind
    assert columns.outcome[0] == {"ok": col.FINE, "error": col.FAILED, "denied": col.DENIED}[event.outcome]
    assert columns.ident[0, col.EVENT_ID] >> np.uint64(32) == hash_text("e") >> np.uint64(32)
    tool = "llm_call" if event.kind == "llm_call" else "read"
    assert columns.ident[0, col.TOOL_NAME] == hash_text(tool)
    written = filled({"outcome": "ok", "agent_type": "default", "tenant": "default", **body}).ident[0].tolist()
    assert written[col.AGENT :] == filled(body).ident[0].tolist()[col.AGENT :]


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ({}, {"tenant": "other"}, {col.AGENT, col.GROUP, col.SESSION}),
        ({}, {"agent_id": "b"}, {col.AGENT, col.SESSION, col.BARE}),
        ({}, {"agent_type": "clerk"}, {col.GROUP}),
        ({"session_id": "s-1"}, {"session_id": "s-2"}, {col.SESSION}),
        ({"session_id": "s-1"}, {}, {col.SESSION}),
        ({}, {"name": "write"}, {col.TOOL_NAME, col.CALL}),
        ({"target": "x"}, {"target": "y"}, {col.WHOLE_TARGET}),
        ({}, {"zone": "eu", "model": "m", "trace_id": "t", "peer_agent_id": "p"}, set()),
    ],
)
def test_identities_differ_where_they_must_and_nowhere_else(
    one: dict[str, Any], other: dict[str, Any], differs: set[int]
) -> None:
    """A tenant's agent is nobody else's, also when the names are equal."""
    first, second = filled(one).ident[0].copy(), filled(other).ident[0]
    assert set(np.flatnonzero(first != second).tolist()) == differs | {col.EVENT_ID}  # another content
    assert first[col.EVENT_ID] >> np.uint64(32) == second[col.EVENT_ID] >> np.uint64(32)


def test_what_senders_say_is_held_against_our_words_under_the_same_key() -> None:
    """A session's end, a call of a model, a size reported as an argument, the origin of a target: one name each."""
    key = KEYED.key
    ends = filled({"kind": "lifecycle", "name": "session_end"}, {"name": "session_end"}, {"name": "session_en"})
    assert (ends.ident[:3, col.TOOL_NAME] == col.SESSION_END).tolist() == [True, True, False]
    calls = filled({"kind": "llm_call", "name": "gpt"}, {"name": "llm_call"})
    assert calls.ident[0, col.TOOL_NAME] == calls.ident[1, col.TOOL_NAME] == hash_text("llm_call", key)
    sizes = filled({"duration_ms": 1.0, "attributes": {"duration_ms": 2.0}})
    assert sizes.field[0] == sizes.field[1] == hash_text("duration_ms", key)
    told = filled({"target": "x", "attributes": {"target": "y"}, "arg_origin": {"target": "tool"}})
    assert told.part[0, 0] == told.part[1, 0] == hash_text("target", key)
    assert told.origin[:2].tolist() == [col.TOOL, col.TOOL]


@pytest.mark.parametrize("secret", [None, "a secret"])
def test_no_argument_can_be_called_what_is_ours_alone(secret: str | None) -> None:
    """Who acts, with whom, and arguments beyond the cap have names that are the hash of no text."""
    body = {"zone": "eu", "peer_agent_id": "p", "attributes": dict.fromkeys(EXTRA, "x")}
    columns = fill_columns(events_of(body), reading_by(keyed_by(secret)), ROOM, MARKS)
    found = columns.part[: columns.parts_end[1], 0].tolist()
    assert found[4:] == [col.STANDING, col.DEALING]
    assert not set(found[:4]) & {*EXTRA.values(), col.SESSION_END}


@pytest.mark.parametrize("target", ["ann@b.example", "10.0.0.1", "/a/b/c", "https://www.a.example/x", "INV-1, x1"])
def test_every_hash_of_an_event_is_another_one_under_another_key(target: str) -> None:
    """Names, values, places, quantities: nothing that a sender chooses is hashed without the key."""
    body = {
        "agent_type": "clerk", "tenant": "t", "session_id": "s", "target": target,
        "zone": "eu", "data_class": "d", "peer_zone": "us", "peer_agent_id": "p", "on_behalf_of": "u", "tokens_in": 4.0,
        "credential": {"id": "c", "issued_at": "2026-01-01T00:00:00Z"},
        "attributes": {"to": "x", "account": 12_345_678.0, "lines": 3.0, "src_x": "y",
                       **{f"t{n}": "a,b,c,d" for n in range(9)}},
    }  # fmt: skip
    tables: list[set[int]] = []
    for secret in (None, "a secret"):
        columns = fill_columns(events_of(body), reading_by(keyed_by(secret)), allocate_columns(1), MARKS)
        parts, numbers = columns.parts_end[1], columns.numbers_end[1]
        assert (parts > 20, numbers) == (True, 3)
        tables.append({*columns.ident[0].tolist(), *columns.part[:parts].ravel().tolist(), *columns.field[:3].tolist()})
    assert tables[0] & tables[1] == {col.MORE, col.UNREAD, col.STANDING, col.DEALING}


def test_an_attribute_the_profile_ignores_is_left_out_and_its_longer_namesake_is_not() -> None:
    """Names and prefixes."""
    given_ = {"error_class": "x", "src_ip": "y", "n_tool_calls": 3.0, "error_classes": "z", "n_tool_calls2": 4.0}
    columns = filled({"attributes": given_, "outcome": "error"})
    assert [int(columns.part[m, 0]) for m in range(columns.parts_end[1])] == [int(hash_text("error_classes"))]
    assert [int(columns.field[k]) for k in range(columns.numbers_end[1])] == [int(hash_text("n_tool_calls2"))]


def test_an_argument_that_repeats_the_target_is_not_counted_twice() -> None:
    """The target has a channel of its own; another value of the same argument stays."""
    columns = filled({"target": "x@a.example", "attributes": {"to": "x@a.example", "cc": "y@a.example"}})
    assert columns.is_target[: columns.parts_end[1]].tolist() == [True, False]


@pytest.mark.parametrize(("target", "parts"), [("a, b ,c", 3), ("a,b/c", 1), ("a,b,c,d,e,f,g,h", 6), ("", 1)])
def test_a_list_of_targets_is_looked_at_one_by_one(target: str, parts: int) -> None:
    """At most six; a path is one target whatever its commas."""
    assert filled({"target": target}).parts_end[1] == parts


def test_what_goes_beyond_the_caps_is_counted_and_left_out() -> None:
    """Parts, numbers, items of a list."""
    columns = filled({"attributes": {f"t{n}": "a,b,c,d,e,f" for n in range(30)} | {f"n{n}": 1.0 for n in range(50)}})
    assert columns.parts_end[1] <= col.MAX_PARTS
    assert columns.numbers_end[1] == col.MAX_NUMBERS
    assert columns.cut[0] >= 30 - col.MAX_PARTS // col.MAX_ITEMS + 50 - col.MAX_NUMBERS
    columns.cut[0] = 0


def test_a_full_batch_of_the_largest_events_fits() -> None:
    """The room is for the worst case."""
    body = {
        "target": "a,b,c,d,e,f",
        "attributes": {f"t{n}": "a,b,c,d" for n in range(12)} | {f"n{n}": 1.0 for n in range(40)},
        **dict.fromkeys(("duration_ms", "tokens_in", "tokens_out", "bytes_in", "bytes_out", "cost_usd"), 1.0),
    }
    columns = filled(*[body] * col.BATCH)
    assert columns.parts_end[col.BATCH] <= len(columns.part)
    assert columns.numbers_end[col.BATCH] == col.BATCH * col.MAX_NUMBERS
    columns.cut[0] = 0


@pytest.mark.parametrize(
    "ts", ["1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z", "2026-03-02T07:00:00.123456+02:00", "2099-01-01T00:00:00Z"]
)
def test_times_of_every_width_are_read_to_the_microsecond(ts: str) -> None:
    """Before the epoch, on it, with an offset, far ahead."""
    body = {"ts": ts}
    assert filled(body).ts[0] == pytest.approx(events_of(body)[0].ts.timestamp(), abs=1e-6)


@given(size=st.sampled_from([0, 1, 31, 32, 255, 256, 1_000]), sign=st.sampled_from(["a", "ü"]))
def test_strings_of_every_width_are_read_whole(size: int, sign: str) -> None:
    """Lengths around the borders of MessagePack's forms."""
    columns = filled({"target": sign * size})
    assert columns.part[0, 1] == hash_text(sign * size)


@given(batch=st.lists(bodies, min_size=1, max_size=20))
def test_marks_say_what_each_event_has(batch: list[dict[str, Any]]) -> None:
    """A bit for each field that is not its default, one of the kind, one of the outcome; nothing is watched here."""
    events = events_of(*batch)
    fill_columns(events, reading_by(KEYED), ROOM, MARKS)
    defaults = {field.name: field.default for field in msgspec.structs.fields(Event)}
    for event, marks in zip(events, MARKS.tolist(), strict=False):
        fields = {name for name, bit in OF_FIELD.items() if marks & bit}
        held = msgspec.to_builtins(event)
        assert fields == set(held) == {name for name in defaults if name in held}
        assert [kind for kind, bit in OF_KIND.items() if marks & bit] == [event.kind]
        assert [outcome for outcome, bit in OF_OUTCOME.items() if marks & bit] == [event.outcome]
        assert not marks & WATCHED


@pytest.mark.parametrize(
    ("body", "is_watched"),
    [
        ({"target": "/a/WATCHED.txt"}, True), ({"attributes": {"command": "cat watched.TXT.old"}}, True),
        ({"attributes": {"watched.txt": 1.0}}, True), ({"target": "watched,txt"}, False),
        ({"session_id": "watched.txt"}, False), ({"target": "watched.tx", "attributes": {"t": "t"}}, False),
    ],
)  # fmt: skip
def test_watched_is_who_has_a_piece_in_its_target_or_attributes(body: dict[str, Any], *, is_watched: bool) -> None:
    """Whatever the case of its letters; not in other fields, and not in two of them together."""
    filled(body)
    assert bool(int(MARKS[0]) & WATCHED) == is_watched
