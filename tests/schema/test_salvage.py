"""What can still be read of broken bytes, and how little work it may cost."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.schema.event import MAX_RECORD_BYTES
from detector.schema.salvage import MAX_MEMBERS, MAX_NESTING, MAX_READ_BYTES, salvage

BEGUN = b'{"agent_id":"a1","name":"send"'


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (BEGUN + b"}", {"agent_id": "a1", "name": "send"}),
        (b"\xef\xbb\xbf " + BEGUN + b"}}", {"agent_id": "a1", "name": "send"}),
        (BEGUN, {"agent_id": "a1", "name": "send"}),
        (BEGUN + b",", {"agent_id": "a1", "name": "send"}),
        (BEGUN + b',"target":"cut o', {"agent_id": "a1", "name": "send"}),
        (BEGUN + b',"seq":12', {"agent_id": "a1", "name": "send"}),
        (BEGUN + b',"seq":12 ', {"agent_id": "a1", "name": "send", "seq": 12}),
        (BEGUN + b',"attributes":{"to":"x","body":"cut o', None),
        (BEGUN + b',"attributes":{"to":"x","body":[1,', None),
        (b'{"agent_id":"a1" "name":"send"}', {"agent_id": "a1"}),
        (b'{"agent_id":"a1","agent_id":"a2","x', {"agent_id": "a2"}),
        (b'{"agent_id', {}),
        (b"[1, 2]", {}),
        (b"3", {}),
        (b"", {}),
        (b"\xff\xfe", {}),
    ],
)
def test_what_stands_before_the_break_is_read(raw: bytes, fields: dict[str, Any] | None) -> None:
    """Fields up to the break; a text that does not end only within attributes, as half an id is another agent's."""
    found = salvage(raw).fields
    if fields is None:
        assert found.pop("attributes")["to"] == "x"
        fields = {"agent_id": "a1", "name": "send"}
    assert found == fields


def test_what_json_does_not_know_is_read() -> None:
    """NaN, numbers of any size, control characters, bytes that are no UTF-8, lone surrogates."""
    raw = b'{"a":NaN,"b":-Infinity,"c":' + b"9" * 5_000 + b',"d":"x\ny","e":"\xff","f":"\\ud800","g":1e999}'
    found = salvage(raw).fields
    assert math.isnan(found["a"])
    assert (found["b"], found["c"], found["g"]) == (-math.inf, math.inf, math.inf)
    assert (found["d"], found["e"], found["f"]) == ("x\ny", "\udcff", "\ud800")


def test_a_value_that_is_too_deep_is_where_reading_ends() -> None:
    """The limit is ours and not the interpreter's, which depends on who called; the harmless twin is read whole."""
    for depth, seen in ((MAX_NESTING - 1, 2), (MAX_NESTING + 1, 1), (100_000, 1)):
        found = salvage(b'{"agent_id":"a1","x":' + b"[" * depth + b"]" * depth + b"}").fields
        assert (found["agent_id"], len(found)) == ("a1", seen), depth


def test_the_same_bytes_are_read_alike_however_deep_the_caller_stands() -> None:
    """A worker stands deeper than a replay."""
    raws = [b'{"agent_id":"a1","x":' + b"[" * n + b"]" * n + b',"y":1}' for n in range(50, 400, 7)]

    def deeper(levels: int) -> list[int]:
        return deeper(levels - 1) if levels else [len(salvage(raw).fields) for raw in raws]

    assert deeper(min(500, sys.getrecursionlimit() // 2)) == [len(salvage(raw).fields) for raw in raws]


HOSTILE = {
    "open brackets": b'{"agent_id":"a1","x":' + b"[" * MAX_RECORD_BYTES,
    "pairs of brackets": b'{"agent_id":"a1","x":[' + b"[]," * (MAX_RECORD_BYTES // 3),
    "empty names": b'{"agent_id":"a1"' + b',"":""' * (MAX_RECORD_BYTES // 6),
    "open names": b'{"agent_id":"a1","attributes":{' + b'"a":"b",' * (MAX_RECORD_BYTES // 8),
    "objects in objects": b'{"agent_id":"a1","attributes":' + b'{"attributes":' * (MAX_RECORD_BYTES // 14),
    "a long number": b'{"agent_id":"a1","x":' + b"9" * MAX_RECORD_BYTES,
    "a long fraction": b'{"agent_id":"a1","x":0.' + b"9" * MAX_RECORD_BYTES,
    "backslashes": b'{"agent_id":"a1","x":"' + b"\\" * MAX_RECORD_BYTES,
    "escapes": b'{"agent_id":"a1","x":"' + b"\\u0041" * (MAX_RECORD_BYTES // 6),
    "no text": b'{"agent_id":"a1","x":"' + b"\xff" * MAX_RECORD_BYTES,
    "line feeds": b'{"agent_id":"a1","x":' + b"\n" * MAX_RECORD_BYTES + b"x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_mebibyte_of_hostile_bytes_costs_no_more_than_its_beginning(name: str) -> None:
    """What is read is bounded, and what was begun well is found; the work ends long before the guard of the test."""
    raw = HOSTILE[name][:MAX_RECORD_BYTES]
    assert salvage(raw).fields["agent_id"] == "a1"
    assert salvage(raw[:MAX_READ_BYTES]) == salvage(raw)


def test_members_of_a_broken_object_are_counted() -> None:
    """They are read one by one; of a whole object all are read."""
    many = {f"n{k}": k for k in range(MAX_MEMBERS + 10)}
    raw = json.dumps(many).encode()
    assert len(salvage(raw).fields) == len(many)
    assert len(salvage(raw[:-1] + b",").fields) == MAX_MEMBERS


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: BEGUN + tail))
def test_nothing_raises(raw: bytes) -> None:
    """Whatever the bytes are."""
    assert isinstance(salvage(raw).fields, dict)


values = st.recursive(st.text() | st.integers(-(10**18), 10**18) | st.none(), st.lists, max_leaves=5)


@given(st.dictionaries(st.text(), values))
def test_what_is_json_is_read_as_json_and_a_beginning_of_it_as_a_part(document: dict[str, Any]) -> None:
    """No field of a cut object says another thing than in the whole one."""
    raw = json.dumps(document).encode()
    assert salvage(raw) == (document, True)
    for end in range(0, len(raw), 7):
        assert not salvage(raw[:end]).is_whole
        assert salvage(raw[:end]).fields.items() <= document.items()
