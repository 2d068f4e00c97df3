"""One word, one unit: what schemas, metrics, dashboards and pictures call a score is one, and says in which unit."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.schema.publish import schemas
from detector.worker.metrics import WorkerMetrics
from tests.notebooks.kept import sources
from tests.project.sources import ROOT, tree_of

GLOSSARY = ROOT / "docs" / "glossary.md"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
AXES = {"X", "Y"}


def units() -> dict[str, str]:
    """Return the unit of each word, from the glossary's table of numbers."""
    table = GLOSSARY.read_text(encoding="utf-8").partition("## Numbers, and their units")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    return {word: unit for word, unit, _ in rows if word != "word"}


UNITS = units()


def faults_of(text: str, words: frozenset[str] = frozenset(UNITS)) -> list[str]:
    """Return what is wrong with how a text speaks of numbers.

    A word without its unit (of those that must have one), and a unit that none of the words named has.
    """
    named = {word for word in UNITS if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)}
    faults = [f"{word} without {UNITS[word]}" for word in sorted(named & words) if UNITS[word] not in text]
    # a p-value's unit is an everyday word: it is no sign of anything
    told = {unit for unit in UNITS.values() if unit != "share" and unit in text}
    return faults + [f"{unit} of none of its words" for unit in sorted(told - {UNITS[word] for word in named})]


def test_a_word_of_another_unit_is_noticed() -> None:
    """The rules below can fail: evidence called a score, a score without unit, one word among several."""
    assert faults_of("score (-log10 of a share)") == []
    assert faults_of("score (decades)") == ["score without -log10 of a share", "decades of none of its words"]
    assert faults_of("threshold") == ["threshold without -log10 of a share"]
    assert faults_of("evidence that the threshold has (decades)") == ["threshold without -log10 of a share"]
    assert faults_of("threshold_evidence, scored, no word of ours") == []


def test_the_table_has_the_words_that_people_compare_by() -> None:
    """Score, threshold and rarity are one scale; evidence is another."""
    assert {UNITS[word] for word in ("score", "threshold", "rarity", "strength")} == {"-log10 of a share"}
    assert len({UNITS[word] for word in ("score", "evidence", "bits", "p-value", "risk")}) == 5


def _numbers(schema: Any, at: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield place, name and description of every field of a schema that holds a number."""
    if isinstance(schema, list):
        for one in schema:
            yield from _numbers(one, at)
    if not isinstance(schema, dict):
        return
    for name, field in schema.get("properties", {}).items():
        kinds = [field, *field.get("anyOf", [])] if isinstance(field, dict) else []
        if any(kind.get("type") in {"number", "integer"} for kind in kinds):
            yield f"{at}.{name}", name, field.get("description", "")
    for key, value in schema.items():
        yield from _numbers(value, f"{at}.{key}" if key in schema.get("$defs", {}) else at)


@pytest.mark.parametrize("name", sorted(schemas()))
def test_a_field_of_a_published_schema_says_its_unit(name: str) -> None:
    """A number with one of the words for a name says the unit, and no description gives a word another one's."""
    numbers = list(_numbers(schemas()[name]))
    found = {
        at: faults
        for at, field, text in numbers
        if (faults := faults_of(f"{field}: {text}", frozenset({field} & UNITS.keys())))
    }
    assert found == {}
    if name == "alert.json":
        assert {"score", "threshold", "strength", "bits", "risk"} <= {field for _, field, _ in numbers}


def test_metrics_say_the_unit_of_what_they_name() -> None:
    """The help text is all that somebody has who meets a gauge in Prometheus."""
    texts = {family.name: family.documentation for family in WorkerMetrics().registry.collect()}
    assert {name: faults for name, text in texts.items() if (faults := faults_of(text))} == {}
    assert "threshold_evidence" in texts["detector_pipeline"]


@pytest.mark.parametrize("path", sorted(DASHBOARDS.glob("*.json")), ids=lambda path: path.stem)
def test_panels_say_the_unit_of_what_they_show(path: Path) -> None:
    """Title and description together, and of a gauge that is shown by its name, too."""
    found = {}
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        shown = re.findall(r'name=\\?"(\w+)', json.dumps([one.get("expr", "") for one in panel.get("targets", [])]))
        text = " ".join([panel.get("title", ""), panel.get("description", ""), *shown])
        if faults := faults_of(text):
            found[panel.get("title", "")] = faults
    assert found == {}


def _axes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield field and title of every axis of a notebook's charts that has one; no field where a function makes it."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in AXES):
            continue
        field = next((one.value for one in node.args[:1] if isinstance(one, ast.Constant)), "")
        titles = [one.value for keyword in node.keywords if keyword.arg == "title" for one in ast.walk(keyword.value)
                  if isinstance(one, ast.Constant) and isinstance(one.value, str)]  # fmt: skip
        yield from ((str(field).partition(":")[0], title) for title in titles)


def _axis_faults(tree: ast.Module) -> dict[str, list[str]]:
    found = {}
    for field, title in _axes(tree):
        if faults := faults_of(title):
            found[title] = faults
        word = "evidence" if field == "threshold_evidence" else field
        if word in UNITS and UNITS[word] not in title:
            found[title] = [f"{field} without {UNITS[word]}"]
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_axes_say_the_unit_of_what_they_show(path: Path) -> None:
    """A title names no word without its unit, and no field of one of the words goes under another one's unit."""
    assert _axis_faults(tree_of(path)) == {}


def test_an_axis_of_another_unit_is_noticed() -> None:
    """The rule above can fail, by the field and by the title."""
    assert _axis_faults(ast.parse('alt.Y("threshold:Q", title="evidence (decades)")')) != {}
    assert _axis_faults(ast.parse('alt.X("x:Q", title="score")')) != {}
    assert _axis_faults(ast.parse('alt.X("score:Q", title="score (-log10 of a share)")')) == {}
