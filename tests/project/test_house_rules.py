"""The rules of the house, read from the sources themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.project.sources import ROOT, functions_of, imports_of, name_of, python_files, tree_of

MAX_STORY = 150
MAX_FUNCTION = 60
MAX_FILE = 300
MAX_LINE = 120

LONGER_FILES: dict[str, str] = {
    "detector/intake/fill.py": "one loop over the bytes of an event and the kernels it calls, read side by side",
}
"""Files that may pass 300 lines, each with the reason; nothing else may."""

BARRED = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve", "skops"}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _length(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    # a command's signature is its table of options, one entry each: only what follows it is judged
    begin = node.body[0].lineno if path.name == "commands.py" else node.lineno
    return (node.end_lineno or begin) - begin + 1


def test_the_story_fits_in_150_lines() -> None:
    """The pipeline is what a newcomer reads first."""
    assert len(_lines(ROOT / "detector" / "pipeline.py")) <= MAX_STORY


def test_no_function_is_longer_than_60_lines() -> None:
    """Functions that need more are two functions."""
    long = [
        f"{name_of(path)}:{node.lineno} {node.name} has {_length(path, node)} lines"
        for path in python_files()
        for node in functions_of(path)
        if _length(path, node) > MAX_FUNCTION
    ]
    assert not long, "\n".join(long)


def test_no_file_is_longer_than_300_lines_without_a_reason() -> None:
    """Files that need more are two files, or stand in the list with a reason."""
    long = {name_of(path) for path in python_files("detector") if len(_lines(path)) > MAX_FILE}
    assert long <= set(LONGER_FILES), sorted(long - set(LONGER_FILES))


def test_the_list_of_longer_files_is_not_stale() -> None:
    """A file that shrank again leaves the list."""
    stale = [name for name in LONGER_FILES if len(_lines(ROOT / name)) <= MAX_FILE]
    assert not stale


def test_no_line_is_longer_than_120_characters() -> None:
    """Sources, scripts and settings alike; prose wraps in its reader."""
    named = [ROOT / "Makefile", ROOT / "Dockerfile", ROOT / "docker-compose.yml", ROOT / ".ci" / "run"]
    long = [
        f"{name_of(path)}:{number}"
        for path in [*python_files(), *named]
        for number, line in enumerate(_lines(path), start=1)
        if len(line) > MAX_LINE
    ]
    assert not long, long


def test_nothing_that_runs_code_on_load_is_imported() -> None:
    """No pickle and none of its relatives, in no part of the tree."""
    found = [
        f"{name_of(path)} imports {module}"
        for path in python_files()
        for module in imports_of(path)
        if module.split(".")[0] in BARRED
    ]
    assert not found, found


def test_the_reader_of_imports_sees_the_indirect_ones(tmp_path: Path) -> None:
    """The rule above would be worth little if a string could pass it by."""
    source = tmp_path / "sly.py"
    source.write_text("from importlib import import_module\nimport_module('pickle')\n__import__('dill')\n")
    assert set(imports_of(source)) == {"importlib", "pickle", "dill"}


def test_arrays_are_loaded_without_pickle() -> None:
    """Each ``np.load`` says ``allow_pickle=False`` where it stands."""
    loose = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"np.load", "numpy.load"}
        and not any(
            word.arg == "allow_pickle" and isinstance(word.value, ast.Constant) and word.value.value is False
            for word in node.keywords
        )
    ]
    assert not loose, loose


@pytest.mark.parametrize("mark", [r"\bTODO\b", r"\bFIXME\b", r"\bXXX\b", r"raise NotImplementedError"])
def test_nothing_is_left_for_later(mark: str) -> None:
    """What is not built is not in the tree."""
    pattern = re.compile(mark)
    found = [
        f"{name_of(path)}:{number}"
        for path in python_files("detector", "benchmarks", "notebooks")
        for number, line in enumerate(_lines(path), start=1)
        if pattern.search(line)
    ]
    assert not found, found


def test_nothing_sleeps_where_a_fact_can_be_waited_for() -> None:
    """A ``time.sleep`` says on its own line why there is nothing to wait on."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
        if "  # " not in _lines(path)[node.lineno - 1]
    ]
    assert not found, found


def test_no_assertion_hides_what_it_means_to_compare() -> None:
    """``assert a, b == c`` holds for every true ``a``: the comparison is only its message."""
    found = [
        f"{name_of(path)}:{node.lineno} {ast.unparse(node)}"
        for path in python_files("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Assert)
        if isinstance(node.msg, ast.Compare | ast.BoolOp) or isinstance(node.test, ast.Constant | ast.Tuple)
    ]
    assert not found, found


def test_a_class_name_stands_for_one_thing() -> None:
    """Whoever searches for a name finds one class."""
    where: dict[str, list[str]] = {}
    for path in python_files("detector"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(f"{name_of(path)}:{node.lineno}")
    twice = {name: places for name, places in where.items() if len(places) > 1}
    assert not twice, twice


def test_every_test_says_in_a_line_what_it_is_for() -> None:
    """One docstring line on each test."""
    dumb = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in python_files("tests")
        for node in functions_of(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert not dumb, dumb


def test_every_module_says_what_lives_there() -> None:
    """A module opens with a line of words, the rooms' ``__init__`` files too."""
    dumb = [name_of(path) for path in python_files("detector") if not ast.get_docstring(tree_of(path))]
    assert not dumb, dumb


def test_every_source_postpones_its_annotations() -> None:
    """``from __future__ import annotations`` wherever there is anything to annotate."""
    bare = [
        name_of(path)
        for path in python_files("detector")
        if path.name != "__init__.py" and "from __future__ import annotations" not in path.read_text(encoding="utf-8")
    ]
    assert not bare, bare
