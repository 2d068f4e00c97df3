"""What notebooks promise as they are written: where statistics come from, what colours say, what titles may claim."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.notebooks.kept import sources
from tests.project.sources import imports_of, tree_of

ABOVE = {"worker", "desk", "edge", "views", "demo", "connect", "bridge", "backfill", "local"}
"""Rooms above the offline floor, or beside it: they know Kafka, or start programs."""
STATISTICS = {"numpy", "scipy", "sklearn", "statistics", "river"}
NUMBERS = re.compile(r"\b\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|half|twice|most|every|never|always)\b")
"""Words of a title that claim a count, a share or a rule."""


def _titles(tree: ast.Module) -> list[str]:
    """Return titles and subtitles of charts that stand as they are, and follow from nothing."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            is_title = isinstance(node.func, ast.Attribute) and node.func.attr == "Title"
            given = [*(node.args[:1] if is_title else ())]
            given += [one.value for one in node.keywords if one.arg in {"title", "subtitle"}]
            found += [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return found


def _colours(tree: ast.Module) -> list[str]:
    """Return the colours that are given by name or number, what is grey, white or black left out."""
    found = {
        str(node.value.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in {"color", "fill"} and isinstance(node.value, ast.Constant)
    }
    return sorted(found - {"white", "black"} - {one for one in found if re.fullmatch(r"#(\w\w)\1\1", one)})


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_a_notebook_counts_nothing_itself(path: Path) -> None:
    """Statistics are the offline floor's, where they are tested; nothing above that floor is needed to read one."""
    names = list(imports_of(path))
    assert not {name.split(".")[0] for name in names} & STATISTICS
    assert not {name.split(".")[1] for name in names if name.startswith("detector.")} & ABOVE


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_no_title_claims_what_is_not_computed(path: Path) -> None:
    """A number in a title is put there by the run; words around it may stand as they are."""
    titles = _titles(tree_of(path))
    assert titles
    assert [title for title in titles if NUMBERS.search(title)] == []


def test_a_title_with_a_number_is_noticed() -> None:
    """The rule above can fail."""
    tree = ast.parse(
        'c.properties(title=alt.Title("Found by four budgets", subtitle="on 60 agents"))\nd(title=f"{n} found")'
    )
    assert [title for title in _titles(tree) if NUMBERS.search(title)] == ["Found by four budgets", "on 60 agents"]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_colours_are_those_of_the_palette(path: Path) -> None:
    """One colour says one thing in all notebooks: an attack is never blue."""
    assert _colours(tree_of(path)) == []
    assert "detector.offline.palette" in imports_of(path)


def test_a_colour_of_its_own_is_noticed() -> None:
    """The rule above can fail; grey says nothing."""
    assert _colours(ast.parse('c.mark_bar(color="#0072B2").mark_line(color="#9A9A9A").mark_rule(color="red")')) == [
        "#0072B2",
        "red",
    ]


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_pictures_are_drawn_without_a_network(path: Path) -> None:
    """The renderer that is set draws here; the others leave the picture to a script from elsewhere."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"alt\.renderers\.enable\(\"(\w+)\"", text) == ["png"]
    assert "DETECTOR_DATA" in text or "open_stream(" in text
