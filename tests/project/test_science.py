"""What docs/science.md promises: every pointer leads there, every constant stands there with its value."""

from __future__ import annotations

import ast
import importlib
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.sensitivity import constants_varied
from detector.profile.load import load_profile, parse_profile
from tests.project.sources import ROOT, name_of, python_files, tree_of

PAGE = ROOT / "docs" / "science.md"
ROOMS = ("detector/channels", "detector/sketches", "detector/steps")
NOT_SCIENCE = {
    "UNJUDGED": "code of a state", "JUDGED": "code of a state", "REPEATED": "code of a state",
    "NO_ORIGIN": "code of an origin", "OTHER_ORIGIN": "code of an origin", "TOOL_ORIGIN": "code of an origin",
    "NEW": "code of what learning did", "WAITING": "code of what learning did",
    "PROMOTED": "code of what learning did", "KNOWN": "code of what learning did",
    "NOTHING": "code of a lesson", "HISTOGRAMS": "code of a lesson", "EVERYTHING": "code of a lesson",
    "NEAR": "code of a level", "ALERT": "code of a level", "QUARANTINE": "code of a level",
    "NOT_READY": "code in place of a deviation",
    "_TAG": "column", "_TOTAL": "column", "_NEW": "column", "_MASS": "column",
    "MOST_CHANNELS": "layout of a row of notes",
    "KEYS_PER_ROW": "room of a hash table, no score depends on it",
}  # fmt: skip
"""Constants of those rooms that decide no score, and why."""
PROFILE_SECTIONS = {
    "learning", "weights", "risk", "agent_correction", "forest", "half_space", "budget", "memory", "sessions", "time",
}  # fmt: skip


def _sections() -> set[str]:
    return set(re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE))


def _is_number(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) and _is_number(node.right)
    return isinstance(node, ast.Tuple) and all(_is_number(one) for one in node.elts)


def _constants_of(path: Path) -> Iterator[str]:
    """Yield the upper-case names a module gives to numbers, also several at once."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and _is_number(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                yield from (name.id for name in names if isinstance(name, ast.Name) and name.id.upper() == name.id)


def _rows() -> list[tuple[list[str], str, list[str]]]:
    """Return names, place and values of each row in the tables of constants."""
    found = re.findall(
        r"^\| ((?:`[\w.]+`(?:, )?)+) \| (`[\w/.]+`|profile) \| ([^|]*) \|", PAGE.read_text("utf-8"), re.MULTILINE
    )
    return [(re.findall(r"`([\w.]+)`", names), place.strip("`"), values.split(", ")) for names, place, values in found]


def test_every_pointer_to_the_page_names_a_section_of_it() -> None:
    """A comment that sends the reader to docs/science.md sends him to a heading that is there."""
    pointer = re.compile(r"docs/science\.md(?:``)?, \*([^*]+)\*")
    pointers = [
        (name_of(path), " ".join(section.split()))
        for path in python_files("detector")
        for section in pointer.findall(path.read_text("utf-8"))
    ]
    assert len(pointers) > 15
    assert [pair for pair in pointers if pair[1] not in _sections()] == []


def test_every_mention_of_the_page_says_which_section() -> None:
    """No comment leaves the reader at the top of a long page."""
    bare = re.compile(r"science\.md(?!(?:``)?, \*)")
    assert [name_of(path) for path in python_files("detector") if bare.search(path.read_text("utf-8"))] == []


def test_no_comment_points_at_a_study_that_cannot_be_opened() -> None:
    """What was found stands in the repository, or is not leaned on."""
    hidden = re.compile(r"\bthe study\b|\(reference:|# reference\b|\bH, sections\b", re.IGNORECASE)
    assert [name_of(path) for path in python_files("detector") if hidden.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("path", python_files(*ROOMS), ids=name_of)
def test_every_constant_of_a_formula_stands_on_the_page(path: Path) -> None:
    """A number with a name in channels, sketches or steps has a row with its file, or a reason not to."""
    here = path.relative_to(ROOT / "detector").as_posix()
    told = {name for names, place, _ in _rows() if place == here for name in names}
    assert [name for name in _constants_of(path) if name not in told and name not in NOT_SCIENCE] == []


def test_every_number_of_the_profile_that_moves_a_score_stands_on_the_page() -> None:
    """Weights, gate, models, judge, budget and caps of memory: each field has a row."""
    told = {name for names, place, _ in _rows() if place == "profile" for name in names}
    fields = {
        f"{section}.{name}"
        for section, values in load_profile().model_dump().items()
        if section in PROFILE_SECTIONS
        for name in values
    }
    assert fields - told == set()


def test_the_page_states_the_values_the_code_has() -> None:
    """Each row's value is that of its module, or of the default profile."""
    profile, wrong = load_profile().model_dump(), []
    for names, place, values in _rows():
        for name, value in zip(names, values, strict=False):
            if place == "profile":
                section, field = name.split(".")
                have = profile[section][field]
            else:
                have = getattr(importlib.import_module("detector." + place.removesuffix(".py").replace("/", ".")), name)
            if isinstance(have, int | float) and not math.isclose(float(value or "nan"), have, rel_tol=1e-6):
                wrong.append((name, value, have))
    assert wrong == []


def test_nothing_is_excused_that_is_gone() -> None:
    """The list of exceptions names constants that exist."""
    names = {name for path in python_files(*ROOMS) for name in _constants_of(path)}
    assert set(NOT_SCIENCE) - names == set()


def test_what_sensitivity_varies_is_there_to_be_varied() -> None:
    """Each module constant is set on one line, at the value the benchmark tells; each profile value passes the lint."""
    for one in constants_varied():
        if one.where == "profile":
            for value in one.values:
                table, (section, field) = load_profile().model_dump(), one.name.split(".")
                table[section][field] = value
                parse_profile(table)
        else:
            text = (ROOT / "detector" / one.where).read_text("utf-8")
            assert len(re.findall(rf"^{one.name} = .*$", text, flags=re.MULTILINE)) == 1
            module = importlib.import_module("detector." + one.where.removesuffix(".py").replace("/", "."))
            assert math.isclose(getattr(module, one.name), one.default)


def test_every_constant_said_to_be_varied_is() -> None:
    """Where a row gives sensitivity as a source, the benchmark varies that constant."""
    varied = {(one.where, one.name) for one in constants_varied()}
    rows = re.findall(
        r"^\| `([\w.]+)` \| (`[\w/.]+`|profile) \|[^|]*\| ([^|]*) \|", PAGE.read_text("utf-8"), re.MULTILINE
    )
    said = {(place.strip("`"), name) for name, place, source in rows if "sensitivity" in source}
    assert said - varied == set()
