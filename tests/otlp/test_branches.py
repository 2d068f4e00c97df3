"""What is remembered of records by their words: the same answer as without, and never more than the caps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.otlp import branches, catalogue
from detector.otlp.mapper import Mapper, RecordVerdict
from detector.otlp.read import read
from detector.otlp.sequences import Sequences
from tests.otlp.made import as_json, log, request, span
from tests.otlp.test_laws import logs, services, spans

KNOWN = ("zone", "tenant", "agent.type", "user.id", "enduser.id")
"""Attributes that tables look at: each one more makes another shape."""
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}


def _map(mapper: Mapper, *records: dict[str, Any], service: str = "svc") -> list[RecordVerdict]:
    """Map a batch as one whose ids and numbers never came before."""
    mapper._ids.clear()
    mapper.sequences = Sequences()
    return mapper.map(read(as_json(request(records, service=service))))


@given(st.lists(logs, min_size=1, max_size=6), st.lists(spans, max_size=6), services)
def test_what_was_seen_before_changes_no_record(before: list[Any], told: list[Any], service: str) -> None:
    """A mapper that met records of the same words says of each what a new one says."""
    warm = Mapper()
    for records in (before, before[::-1], *([told] if told else [])):
        _map(warm, *records, service=service)
    for record in before:
        (verdict,) = _map(warm, record, service=service)
        assert msgspec.json.encode(verdict) == msgspec.json.encode(_map(Mapper(), record, service=service)[0])


@pytest.mark.parametrize("codes", [(1, True), (True, 1), (1.0, True, 1)])
def test_a_number_and_a_truth_are_two_words(codes: tuple[Any, ...]) -> None:
    """Python takes 1 for true: a call that failed must not be told as one that did not, nor the other way round."""
    mapper = Mapper()
    calls = [span(number=at, attributes={**TOOL, "process.exit.code": code}) for at, code in enumerate(codes, 1)]
    found = [_map(mapper, call)[0].event for call in calls]
    assert [event and event.outcome for event in found] == ["ok" if code is True else "error" for code in codes]


def test_an_attribute_called_like_a_source_of_a_table_is_not_taken_for_it() -> None:
    """A sender who writes the table's own words as a name does not freeze what the table takes elsewhere."""
    mapper = Mapper()
    base = {"event.name": "tool_result", "session.id": "s", "tool_name": "mcp_tool", "$x": "1", "@name": "chat"}
    base |= {"tool_parameters#mcp_tool_name": "fixed", "tool_parameters#mcp_server_name": "fixed"}
    names = []
    for number, tool in enumerate(("one", "two")):
        parameters = f'{{"mcp_server_name": "s", "mcp_tool_name": "{tool}"}}'
        record = log({**base, "tool_use_id": str(number), "tool_parameters": parameters})
        event = _map(mapper, record, service="claude-code")[0].event
        names.append(event and event.name)
    assert names == ["mcp__s__one", "mcp__s__two"]


def test_words_without_number_leave_no_more_than_the_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tool after tool, attribute after attribute: the oldest are forgotten, and each event is still its own."""
    monkeypatch.setattr(branches, "MAX_OF_SHAPE", 4)
    monkeypatch.setattr(branches, "MAX_BRANCHES", 8)
    monkeypatch.setattr(catalogue, "MAX_SHAPES", 3)
    mapper = Mapper()
    for number in range(40):
        tool = span(number=number, attributes={**TOOL, "gen_ai.tool.name": f"t{number}", KNOWN[number % 5]: "x"})
        event = _map(mapper, tool)[0].event
        assert event is not None
        assert event.name == f"t{number}"
    shapes = [shape for shape in mapper._catalogue._shapes.values() if shape is not None]
    assert len(shapes) == 3
    assert all(len(shape.branches) <= 4 for shape in shapes)
    assert sum(len(shape.branches) for shape in shapes) <= len(mapper._branches._order) == 8


def test_a_shape_in_use_outlives_a_flood_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who invents attributes pushes out shapes that nobody needs, not those of records that go on coming."""
    monkeypatch.setattr(catalogue, "MAX_SHAPES", 4)
    mapper = Mapper()
    _map(mapper, span(attributes=TOOL))
    (mine,) = mapper._catalogue._shapes.values()
    for name in (*KNOWN, *KNOWN[::-1]):
        _map(mapper, span(attributes={**TOOL, name: "x"}))
        _map(mapper, span(attributes=TOOL))
    assert any(shape is mine for shape in mapper._catalogue._shapes.values())
    assert len(mapper._catalogue._shapes) == 4


def test_names_that_no_table_looks_at_make_no_shape_and_their_memory_has_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who invents an attribute a record costs others nothing; names of a megabyte are not kept at all."""
    monkeypatch.setattr(catalogue, "MAX_SHAPES", 8)
    mapper = Mapper()
    for number in range(40):
        made_up = {f"x{number}": 1} if number % 2 else {f"x{number}" * 20_000: 1}
        assert _map(mapper, span(number=number, attributes={**TOOL, **made_up}))[0].event is not None
    assert len(mapper._catalogue._shapes) == 1
    assert len(mapper._catalogue._named) == 8
    assert all(len(name) < 10 for *_, (*_, names) in mapper._catalogue._named for name in names if name[0] == "x")


def test_a_known_name_beside_made_up_ones_still_counts() -> None:
    """What a table looks at is in the shape, in whatever order and company it comes."""
    mapper = Mapper()
    for attributes in (
        {"x": 1, **TOOL},
        {"tenant": "a", **TOOL, "x": 1},
        {**TOOL, "y": 2, "tenant": "b"},
        {**TOOL, "y": 1},
    ):
        event = _map(mapper, span(attributes=attributes))[0].event
        assert event is not None
        assert event.tenant == attributes.get("tenant")
    assert len(mapper._catalogue._shapes) == 2


def test_a_long_word_is_not_remembered() -> None:
    """A name of a megabyte is worked out each time: memory is for words."""
    mapper = Mapper()
    verdict = _map(mapper, span(attributes={**TOOL, "gen_ai.tool.name": "x" * 100_000}))[0]
    assert verdict.event is not None
    assert not mapper._branches._order
    (shape,) = mapper._catalogue._shapes.values()
    assert shape is not None
    assert not shape.branches
