"""The exact reader and the forgiving one: where both have an answer it is the same."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.otlp import read_json
from detector.otlp.item import Item
from detector.otlp.read import read
from detector.otlp.read_export import export_of
from tests.otlp.made import as_json, log, pairs, request, span
from tests.otlp.samples import samples
from tests.otlp.test_laws import documents, logs, scopes, services, spans

ODD: tuple[Any, ...] = (
    None, "", 7, True, 1.5, "text", [], {}, {"stringValue": 5}, {"stringValue": None, "intValue": "5"},
    {"intValue": "2", "stringValue": "two"}, {"intValue": 2**70}, {"doubleValue": "NaN"}, {"string_value": "snake"},
    {"arrayValue": {"values": [{"intValue": "1"}, 2, {"kvlistValue": {"values": [{"key": "k"}]}}]}},
    {"bytesValue": "AAEC"}, {"boolValue": "true"}, {"key": "k", "value": {"stringValue": "v"}}, [1], "0" * 70,
)  # fmt: skip


def _plain(items: list[Item]) -> bytes:
    return msgspec.json.encode(items)


def _agree(raw: bytes) -> bool:
    """Hold the exact reader's answer, if it has one, against the forgiving one's; tell whether it had."""
    exact = export_of(raw)
    if exact is not None:
        assert _plain(exact) == _plain(list(read_json.items_of(read_json.parse(raw))))
    return exact is not None


def _places(node: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return every place of a JSON document: its holder, and the name or number there."""
    for at, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        found.append((node, at))
        _places(inner, found)
    return found


@pytest.mark.data
def test_every_recorded_request_is_read_exactly_and_as_before() -> None:
    """No recorded span or log record takes the slow way, and none is read differently by it."""
    for path in [*samples("otlp").glob("*.json*"), *samples("agent-telemetry").glob("*/otlp/*.json")]:
        if path.name == "index.json" or "metrics" in path.name:
            continue
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in [raw] if export_of(raw) is not None else raw.splitlines():
            assert _agree(line), path


@given(st.lists(spans | logs, min_size=1, max_size=4), services, scopes, st.data())
def test_a_request_with_something_odd_in_it_is_read_the_same(
    records: list[Any], service: str, scope: str, data: st.DataObject
) -> None:
    """Anything anywhere, or a name that nobody knows: the exact reader agrees or leaves it to the other."""
    made = json.loads(as_json(request(records, service, scope)))
    holder, at = data.draw(st.sampled_from(_places(made, [])))
    how = data.draw(st.sampled_from(["value", "name", "gone"]))
    if how == "value" or isinstance(holder, list):
        holder[at] = data.draw(st.sampled_from(ODD))
    else:
        taken = holder.pop(at)
        if how == "name":
            holder[f"{at}x"] = taken
    _agree(as_json(made))


@given(documents)
def test_any_document_is_read_the_same(document: Any) -> None:
    """Names of the protocol in any order and depth."""
    _agree(msgspec.json.encode(document))


def test_what_is_not_written_as_the_protocol_says_is_left_to_the_forgiving_reader() -> None:
    """Underlines in names, plain attributes, metrics beside spans: read all the same."""
    plain = request([span("one")])
    plain["resourceSpans"][0]["resource"]["attributes"] = {"service.name": "svc"}
    snake = {"resource_spans": [{"scope_spans": [{"spans": [{"name": "one", "span_id": "0" * 16}]}]}]}
    both = {**request([span("one")]), "resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m"}]}]}]}
    for made, count in ((plain, 1), (snake, 1), (both, 2)):
        assert export_of(as_json(made)) is None
        assert len([item for item in read(as_json(made)) if not item.fault]) == count
    assert export_of(as_json(request([span("one")]))) is not None


def test_a_value_of_two_kinds_is_the_text() -> None:
    """The protocol allows one; both readers choose alike, whatever the order."""
    for value in ({"intValue": "2", "stringValue": "two"}, {"stringValue": "two", "intValue": "2"}):
        record = {**log({}), "body": value, "attributes": [{"key": "a", "value": value}, *pairs({"b": 1})]}
        (item,) = read(as_json(request([record])))
        assert (item.body, item.attributes) == ("two", {"a": "two", "b": 1})
