"""Mapping tables are data: checked whole, extended, replaced by one's own without a line of code."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from detector.errors import ProfileError
from detector.otlp.explain import explain
from detector.otlp.plans import compile_table
from detector.otlp.tables import AMOUNTS, FOLDER, OTHERS, TEXTS, FieldName, merged, parse_table, read_folder, shipped
from detector.schema.event import Event
from tests.otlp.made import as_json, log, request, span

OWN = """
source = "acme"
version = 1
about = "Acme's agents: one event an action."
citation = "acme.example/telemetry"
product = "acme"
strip = ["acme."]

[match]
service = ["acme-*"]

[identity]
user = ["acme.user"]

[kinds.tool_call]
name = ["acme.tool"]
target = ["acme.place"]

[[rules]]
names = ["did"]
kind = "tool_call"
outcome = [{ is = "denied", where = { "acme.verdict" = ["no*"], "acme.level" = [">=2"] } }]
"""


def _table(text: str) -> bytes:
    return text.encode()


def test_a_source_of_ones_own_is_a_file(tmp_path: Path) -> None:
    """Unknown before, an event with it, and the shipped sources go on."""
    record = log({"event.name": "acme.did", "acme.user": "ann", "acme.tool": "drill", "acme.place": "wall",
                  "acme.verdict": "No!", "acme.level": "3"})  # fmt: skip
    raw = as_json(request([record], service="acme-1"))
    assert explain(raw)[0].reason == "no_table"
    (tmp_path / "acme.toml").write_text(OWN)
    tables = read_folder(tmp_path)
    event = explain(raw, tables)[0].event
    assert event is not None
    assert (event.agent_id, event.name, event.target, event.outcome) == ("acme/ann", "drill", "wall", "denied")
    claude = as_json(request([log({"event.name": "user_prompt", "session.id": "s"})], service="claude-code"))
    assert explain(claude, tables)[0].event is not None


def test_a_table_of_the_same_name_replaces_the_shipped_one(tmp_path: Path) -> None:
    """A fleet that disagrees says so in a file."""
    text = OWN.replace('"acme"', '"genai"', 1).replace('service = ["acme-*"]', 'has = ["gen_ai.operation.name"]')
    (tmp_path / "genai.toml").write_text(text.replace('names = ["did"]', 'signal = "span"'))
    raw = as_json(request([span(attributes={"gen_ai.operation.name": "unknown", "acme.tool": "t"})]))
    event = explain(raw, read_folder(tmp_path))[0].event
    assert event is not None
    assert event.name == "t"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (OWN.replace("version = 1", "version = 0"), "version"),
        (OWN.replace('kind = "tool_call"', 'kind = "magic"'), "kind"),
        (OWN.replace("[match]", "[matches]"), "matches"),
        ("source = ", "Invalid value"),
        (OWN.replace('name = ["acme.tool"]', 'nam = ["acme.tool"]'), "nam"),
    ],
)
def test_a_table_with_a_fault_is_refused_with_its_place(wrong: str, said: str) -> None:
    """All of it, before a record is read."""
    with pytest.raises(ProfileError, match=said):
        parse_table(_table(wrong), "own.toml")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('["@nothing"]', "fact must be one of"),
        ("[{ scale = 2 }]", "must name in `of`"),
        ('[{ sum = ["a"], last = true }]', "must have one of"),
    ],
)
def test_a_source_without_meaning_is_refused(wrong: str, said: str) -> None:
    """When the table is compiled."""
    table = parse_table(_table(OWN.replace('["acme.tool"]', wrong)), "own.toml")
    with pytest.raises(ProfileError, match=said):
        compile_table(table)


def test_a_condition_that_compares_with_no_number_is_refused() -> None:
    """``>=much`` means nothing."""
    table = parse_table(_table(OWN.replace(">=2", ">=much")), "own.toml")
    with pytest.raises(ProfileError, match="number"):
        compile_table(table)


def test_tables_that_extend_each_other_or_nothing_are_refused() -> None:
    """A circle, and a name that is not there."""
    one = parse_table(_table(OWN + "\n".join([])), "a.toml").model_copy(update={"extends": "other"})
    other = one.model_copy(update={"source": "other", "extends": "acme"})
    with pytest.raises(ProfileError, match="extends"):
        merged([one, other])
    with pytest.raises(ProfileError, match="extends"):
        merged([one])


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    """A wrong path must not mean the shipped tables."""
    with pytest.raises(ProfileError, match="none"):
        read_folder(tmp_path)


def test_every_shipped_table_compiles_and_its_file_has_its_name() -> None:
    """One file a source."""
    for table in shipped():
        compile_table(table)
    assert {path.stem for path in FOLDER.glob("*.toml")} == {table.source for table in shipped()}


def test_a_list_of_ones_own_replaces_and_dots_splice() -> None:
    """``"..."`` is what the base says."""
    base = parse_table(_table(OWN), "a.toml").model_copy(update={"extends": None})
    text = OWN.replace('"acme"', '"b"', 1).replace('name = ["acme.tool"]', 'name = ["x", "..."]')
    own = parse_table(_table(text.replace("version = 1", 'version = 1\nextends = "acme"')), "b.toml")
    (found,) = [table for table in merged([base, own]) if table.source == "b"]
    assert found.kinds["tool_call"]["name"] == ["x", "acme.tool"]


def test_the_fields_a_table_may_fill_are_those_of_an_event_and_the_few_that_are_not() -> None:
    """Two lists of the same names agree."""
    assert set(get_args(FieldName)) == {*TEXTS, *AMOUNTS, *OTHERS}
    assert {*TEXTS, *AMOUNTS} <= set(Event.__struct_fields__)
