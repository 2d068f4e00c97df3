"""Lists of rooms that settings keep, held against the rooms there are: a list kept by hand would lie one day."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detector import _KERNEL_FILES, _KERNEL_ROOMS, _digest_of_kernels
from tests.project.sources import ROOT, imports_of, python_files, tree_of

PACKAGE = ROOT / "detector"
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["importlinter"]["contracts"]}

KNOW_KAFKA = {"__main__", "backfill", "bridge", "cli", "connect", "demo", "desk", "edge", "local", "registry"} | {
    "views",
    "worker",
}
"""Rooms that may know Kafka and asyncio: the worker, what stands on it, and the local broker."""


def _rooms() -> set[str]:
    """Return the folders and modules directly in the package."""
    return {
        path.stem if path.is_file() else path.name
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    } - {"__init__"}


_DECORATORS = {"njit", "kernel", "allocating_kernel"}


def _room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _is_kernel(path: Path) -> bool:
    """Return True if a function of this module is handed to numba, by our decorators or by numba's own."""
    return any(
        (isinstance(node, ast.ImportFrom) and any(a.name in _DECORATORS for a in node.names))
        or (isinstance(node, ast.Attribute) and ast.unparse(node) == "numba.njit")
        for node in ast.walk(tree_of(path))
    )


def _kernel_modules() -> list[Path]:
    return [path for path in python_files("detector") if _is_kernel(path)]


def _frozen_names(path: Path) -> set[str]:
    """Return the names that the kernels of a module use, and those that its constants are made of."""
    frozen: list[ast.AST | None] = []
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef) and any("kernel" in ast.unparse(mark) for mark in node.decorator_list):
            frozen.append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            frozen.append(node.value)
    return {name.id for part in frozen if part for name in ast.walk(part) if isinstance(name, ast.Name)}


def _frozen_from(path: Path) -> Iterator[Path]:
    """Yield the modules of ours whose names are frozen into a module's kernels or constants."""
    names = _frozen_names(path)
    for node in tree_of(path).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            used = [alias.name for alias in node.names if (alias.asname or alias.name) in names]
            for name in [f"{node.module}.{one}" for one in used] + [node.module] * bool(used):
                source = ROOT.joinpath(*name.split(".")).with_suffix(".py")
                if name.startswith("detector.") and source.is_file():
                    yield source


def _makes_kernels(path: Path) -> bool:
    return _room_of(path) in _KERNEL_ROOMS or path.relative_to(PACKAGE).as_posix() in _KERNEL_FILES


def test_every_kernel_is_in_the_digest_and_no_room_without_one() -> None:
    """A room that is missing would go on running old code after a change of the kernels it calls."""
    outside = {path for path in _kernel_modules() if path.relative_to(PACKAGE).as_posix() not in _KERNEL_FILES}
    assert {_room_of(path) for path in outside} == set(_KERNEL_ROOMS)


def test_what_a_kernel_reads_from_other_rooms_is_in_the_digest() -> None:
    """Numba freezes constants: what a kernel takes from another module is a part of the kernel's source."""
    reached, waiting = set[Path](), _kernel_modules()
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting.extend(_frozen_from(path))
    outside = {path for path in reached if not _makes_kernels(path)}
    assert outside == set(), "add the file to _KERNEL_FILES of detector/__init__.py"


def test_no_kernel_goes_to_numba_past_our_decorators() -> None:
    """A kernel of numba's own decorator counts references to every array: it costs twice as much, unseen."""
    past = {path for path in python_files("detector") if "njit" in path.read_text(encoding="utf-8")}
    assert past == {PACKAGE / "sketches" / "kernel.py"}


def test_a_kernel_that_makes_an_array_says_so() -> None:
    """Else numba refuses it where it is first called, for some only after a day of events."""
    making = {"zeros", "empty", "ones", "full", "array", "arange", "copy", "astype", "unique", "sort", "concatenate"}
    unsaid = [
        f"{path.stem}.{node.name}"
        for path in _kernel_modules()
        for node in tree_of(path).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(mark).partition("(")[0] == "kernel" for mark in node.decorator_list)
        and any(isinstance(one, ast.Attribute) and one.attr in making for one in ast.walk(node))
    ]
    assert unsaid == []


def test_a_kernel_is_known_by_either_spelling(tmp_path: Path) -> None:
    """Our decorators and numba's are found, a module that only asks numba's version is not."""
    sources = {
        "ours": "from detector.sketches.kernel import kernel\n",
        "one": "from numba import njit\n",
        "two": "import numba\nf = numba.njit(print)\n",
        "none": "import numba",
    }
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    assert [_is_kernel(tmp_path / name) for name in sources] == [True, True, True, False]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the package's sources, as a fresh clone would have them."""
    return Path(shutil.copytree(PACKAGE, tmp_path / "detector", ignore=shutil.ignore_patterns("__pycache__")))


def test_the_digest_follows_contents_not_times_or_places(copy: Path) -> None:
    """A clone, or a checkout that only touches a file, compiles nothing anew; an edit does."""
    before = _digest_of_kernels(PACKAGE)
    os.utime(copy / "steps" / "look.py", (1_000, 1_000))
    assert _digest_of_kernels(copy) == before
    for name in ("steps/look.py", "sketches/hashing.py", "schema/event.py"):
        edited = copy / name
        text = edited.read_text(encoding="utf-8")
        edited.write_text(text + "\n")
        assert _digest_of_kernels(copy) != before, name
        edited.write_text(text)
    (copy / "demo" / "view.py").write_text("")
    assert _digest_of_kernels(copy) == before


SHOW = "import os, detector; print(os.environ['NUMBA_CACHE_DIR'])"


@pytest.mark.integration
def test_every_process_finds_the_same_kernels_until_a_source_changes(copy: Path) -> None:
    """Two processes share one folder; after an edit there is another, and the old one is gone."""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment["PYTHONPATH"] = str(copy.parent)

    def folder() -> Path:
        command = [sys.executable, "-c", SHOW]
        done = subprocess.run(
            command, env=environment, cwd=copy.parent, capture_output=True, text=True, check=True, timeout=60
        )
        return Path(done.stdout.strip())

    first = folder()
    assert first.parent == copy / "__pycache__"
    first.mkdir(parents=True)
    assert folder() == first
    with (copy / "steps" / "look.py").open("a", encoding="utf-8") as source:
        source.write("\n")
    assert folder() != first
    assert not first.exists()


def _alternatives(pattern: str) -> list[str]:
    """Return the patterns without braces that one with braces stands for."""
    inner = re.search(r"\{([^{}]*)\}", pattern)
    if inner is None:
        return [pattern]
    begin, end = inner.span()
    return [one for word in inner.group(1).split(",") for one in _alternatives(pattern[:begin] + word + pattern[end:])]


def _globbed(pattern: str) -> set[str]:
    """Return the rooms that a pattern of ruff names, as in ``detector/{one,two}/*.py``."""
    paths = [Path(one) for one in _alternatives(pattern)]
    return {path.with_suffix("").parts[1] for path in paths if path.parts[0] == "detector" and len(path.parts) > 1}


def test_every_room_that_a_setting_names_exists() -> None:
    """Ruff and mypy pass over a name that matches nothing, in silence."""
    ruff = {room for pattern in SETTINGS["ruff"]["lint"]["per-file-ignores"] for room in _globbed(pattern)}
    modules = [module for override in SETTINGS["mypy"]["overrides"] for module in override["module"]]
    mypy = {module.split(".")[1] for module in modules if module.startswith("detector.")}
    assert ruff
    assert mypy
    assert (ruff | mypy) - _rooms() == set()


def test_the_relaxed_rules_of_kernels_cover_every_room_of_kernels() -> None:
    """A new room of kernels is given them in ruff and mypy together, not one error at a time."""
    ignores = SETTINGS["ruff"]["lint"]["per-file-ignores"]
    many = [_globbed(pattern) for pattern, codes in ignores.items() if "SIM110" in codes]
    untyped = [
        {module.split(".")[1] for module in override["module"]}
        for override in SETTINGS["mypy"]["overrides"]
        if override.get("disallow_untyped_decorators") is False and override["module"][0].startswith("detector.")
    ]
    rooms = {_room_of(path) for path in _kernel_modules()}
    assert rooms <= set().union(*many)
    assert rooms <= set().union(*untyped)


def test_every_room_stands_on_a_floor_and_no_floor_is_empty() -> None:
    """The linter refuses a room without a floor; a floor without a room it lets pass."""
    floors = {name.strip("() ") for floor in CONTRACTS["floors"]["layers"] for name in re.split("[:|]", floor)}
    assert floors == _rooms()


def test_every_room_that_may_not_know_kafka_is_listed() -> None:
    """All rooms but those named above are held to the contract, a new one too."""
    listed = {module.removeprefix("detector.") for module in CONTRACTS["kafka"]["source_modules"]}
    assert listed == _rooms() - KNOW_KAFKA


def test_every_room_that_may_know_kafka_makes_use_of_it() -> None:
    """A permission that nobody needs is taken back."""
    forbidden = set(CONTRACTS["kafka"]["forbidden_modules"])
    for room in KNOW_KAFKA - {"__main__", "cli"}:
        known = {name.split(".")[0] for path in python_files(f"detector/{room}") for name in imports_of(path)}
        ours = {name.split(".")[1] for path in python_files(f"detector/{room}") for name in imports_of(path)
                if name.startswith("detector.")}  # fmt: skip
        assert known & forbidden or ours & (KNOW_KAFKA - {room}), room
