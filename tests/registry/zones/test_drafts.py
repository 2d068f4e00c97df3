"""Zones in files: read without surprises, refused with a reason, written so that they read back as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from detector.errors import SetupError
from detector.registry.documents import document_of
from detector.registry.zones.drafts import read_zones_drafts, zones_page
from tests.registry.zones.declared import PAYING, ZONES, declaration, table, write_zones


def test_a_file_of_one_tenant_and_one_of_several_are_read(tmp_path: Path) -> None:
    """As a mapping, a list, or a list under its name."""
    (tmp_path / "one").write_text(json.dumps(table()), encoding="utf-8")
    (tmp_path / "list").write_text(json.dumps([table(), table(tenant="t")]), encoding="utf-8")
    assert [one.declared.tenant for one in read_zones_drafts(tmp_path / "one")] == ["default"]
    assert [one.declared.tenant for one in read_zones_drafts(tmp_path / "list")] == ["default", "t"]
    named = read_zones_drafts(write_zones(tmp_path / "named", table(3)))
    assert [(one.made_from, len(one.declared.zones)) for one in named] == [(3, 3)]


def test_a_page_reads_back_as_it_was(tmp_path: Path) -> None:
    """Whatever stands in texts, also a line that looks like another entry."""
    text = "\n".join(zones_page(declaration(4), 4, ["a note\nof two lines"]))
    (tmp_path / "page").write_text(text, encoding="utf-8")
    (draft,) = read_zones_drafts(tmp_path / "page")
    assert (draft.made_from, draft.declared.zones) == (4, declaration().zones)
    assert draft.declared.crossings == declaration().crossings
    assert document_of(text.encode())["zones"][2]["purpose"] == ZONES[2]["purpose"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ([], None),
        ({"tenant": "default"}, "must be zones of a tenant"),
        ([1], "no mapping of fields"),
        (table(revision=-1), "revision: it must be"),
        (table(zones=None), "zones without a value"),
        (table(crossings=[{**PAYING, "tools": None}]), "tools without a value"),
        (table(crossings=[{**PAYING, "to": "nowhere"}]), "'nowhere', which is none of them"),
        (table(crossings=[{**PAYING, "tool": ["x"]}]), "crossings.0.tool"),
        (table(crossings=[{**PAYING, "tools": ["re:("]}]), "RE2 refuses"),
        (table(zones=[*ZONES, {"name": "big", "members": ["x" * 500 + str(n) for n in range(80)]}]), "use patterns"),
        ([table(), table()], "got two declarations"),
    ],
)
def test_what_is_no_file_of_zones_is_refused_with_its_fault(tmp_path: Path, content: Any, fault: str | None) -> None:
    """An empty list is none of them."""
    (tmp_path / "f").write_text(json.dumps(content), encoding="utf-8")
    if fault is None:
        assert read_zones_drafts(tmp_path / "f") == []
        return
    with pytest.raises(SetupError) as refused:
        read_zones_drafts(tmp_path / "f")
    assert fault in str(refused.value)
