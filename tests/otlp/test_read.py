"""Bytes told apart by content, many requests in a file, and what is broken stands alone."""

from __future__ import annotations

import gzip
import json

import pytest

from detector.otlp import read as reading
from detector.otlp.item import MAX_ATTRIBUTES
from detector.otlp.read import read
from detector.otlp.wire import frames
from tests.otlp.made import START_NS, as_json, as_protobuf, log, request, span

SPAN = request([span("one", attributes={"a": "b"})])
LOG = request([log({"event.name": "x"})])


@pytest.mark.parametrize("made", [SPAN, LOG])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_logs_and_spans_json_and_protobuf_packed_or_not_are_told_apart(made: dict[str, object], pack: type) -> None:
    """By content alone: no name of a file, no header."""
    signal = "span" if made is SPAN else "log"
    for raw in (as_json(made), as_protobuf(made), json.dumps(made, indent=1).encode()):
        items = list(read(pack(raw)))
        assert [(item.signal, item.fault) for item in items] == [(signal, "")]


def test_many_requests_in_a_file_are_read_in_order() -> None:
    """A line each, a list, bytes one after another, or each behind its length."""
    one, two = request([span("one", 1)]), request([span("two", 2)])
    framed = b"".join(len(raw).to_bytes(4, "big") + raw for raw in map(as_protobuf, (one, two)))
    for raw in (
        as_json(one) + b"\n" + as_json(two) + b"\n",
        b"[" + as_json(one) + b"," + as_json(two) + b"]",
        as_protobuf(one) + as_protobuf(two),
        framed,
        gzip.compress(as_json(one) + b"\n") + gzip.compress(as_json(two)),
    ):
        assert [item.name for item in read(raw)] == ["one", "two"]


def test_a_bad_line_is_refused_alone() -> None:
    """The lines around it go on."""
    found = [item.fault or item.name for item in read(as_json(SPAN) + b"\n{nonsense\n" + as_json(SPAN))]
    assert found == ["one", "not_json", "one"]


def test_a_bad_record_is_refused_alone() -> None:
    """Something else in a list of spans does not hide the others."""
    made = request([span("one"), 7, span("two", 2)])
    assert [item.fault or item.name for item in read(as_json(made))] == ["one", "wrong_type", "two"]


def test_one_text_that_is_no_utf_8_hides_no_other_span_of_its_batch() -> None:
    """The parser refuses the whole request; the spans are then read one by one."""
    good, bad = span("good", 1), span("hide-me", 2)
    raw = as_protobuf(request([good, bad, span("after", 3)])).replace(b"hide-me", b"hid\xff-me")
    found = [item.fault or item.name for item in read(raw)]
    assert found == ["good", "unreadable", "after"]
    logs = as_protobuf(request([log({"event.name": "good"}), log({"event.name": "hide-me"}, 2)]))
    found = [item.fault or item.attributes["event.name"] for item in read(logs.replace(b"hide-me", b"hid\xff-me"))]
    assert found == ["good", "unreadable"]


def test_json_with_a_byte_that_is_no_utf_8_is_read_all_the_same() -> None:
    """The byte becomes the sign for what could not be read."""
    raw = as_json(request([span("one"), span("x-bad", 2)])).replace(b"x-bad", b"x\xffbad")
    assert [item.name for item in read(raw)] == ["one", "x\ufffdbad"]


def test_a_small_file_does_not_unpack_into_all_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than the cap is refused, and no more of it than that is unpacked."""
    monkeypatch.setattr(reading, "MAX_BYTES", 1_000)
    assert [item.fault for item in read(gzip.compress(b"{" + b" " * 10_000_000))] == ["too_large"]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\x1f\x8bnothing", "not_gzip"),
        (b'{"hello": 1}', "not_otlp"),
        (b"[1]", "not_otlp"),
        (b"{", "not_json"),
        (b"\xff\xff\xff", "unreadable"),
        (b"[" * 100_000, "not_json"),
    ],
)
def test_what_is_no_telemetry_has_its_reason(raw: bytes, fault: str) -> None:
    """One line, never an error."""
    assert [item.fault for item in read(raw)] == [fault]


def test_a_length_that_looks_like_a_bracket_is_still_protobuf() -> None:
    """Its first byte is a line feed, its second the length: 123 bytes would begin like JSON."""
    for size in range(400):
        raw = as_protobuf(request([span("one", attributes={"pad": "x" * size})]))
        if raw[1:2] == b"{":
            break
    assert raw[:2] == b"\n{"
    assert [item.name for item in read(raw)] == ["one"]


def test_spans_of_cloudwatch_stand_alone_with_plain_attributes() -> None:
    """Numbers for times, words for codes, an object for attributes, the resource inside."""
    line = {
        "traceId": "AB" * 16,
        "spanId": "cd" * 8,
        "name": "n",
        "kind": "SERVER",
        "startTimeUnixNano": START_NS,
        "endTimeUnixNano": START_NS + 5,
        "status": {"code": "ERROR"},
        "attributes": {"http.status": 403, "flag": True},
        "resource": {"attributes": {"service.name": "gw"}},
        "scope": {"name": "s"},
    }
    (item,) = read(json.dumps(line).encode())
    assert (item.signal, item.kind, item.status, item.trace_id) == ("span", 2, 2, "ab" * 16)
    assert (item.resource, item.scope) == ({"service.name": "gw"}, "s")
    assert item.attributes == {"http.status": 403, "flag": True}


def test_names_with_underlines_are_read_too() -> None:
    """Some exporters write the names of the protobuf fields."""
    raw = json.dumps(SPAN).replace("resourceSpans", "resource_spans").replace("scopeSpans", "scope_spans")
    raw = (
        raw.replace("traceId", "trace_id").replace("spanId", "span_id").replace("endTimeUnixNano", "end_time_unix_nano")
    )
    (item,) = read(raw.encode())
    assert (item.name, item.time_ns, item.span_id) == ("one", START_NS + 1_000_000_000, "0" * 15 + "1")


def test_no_more_attributes_are_read_than_the_cap() -> None:
    """In either encoding."""
    made = request([span("one", attributes={f"a{number}": 1 for number in range(MAX_ATTRIBUTES + 50)})])
    assert [len(item.attributes) for raw in (as_json(made), as_protobuf(made)) for item in read(raw)] == [1_024, 1_024]


def test_lengths_that_do_not_add_up_are_no_frames() -> None:
    """Four bytes before each message, to the last byte."""
    assert frames(b"\x00\x00\x00\x02ab\x00\x00\x00\x01c") == [b"ab", b"c"]
    assert frames(b"\x00\x00\x00\x09ab") is None
