"""The edge runs on a machine that has none of the learning libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.project.sources import ROOT

BLOCKED = ("river", "sklearn", "numba", "faust", "mode", "numpy", "scipy", "pandas", "aiokafka")

SCRIPT = """
import importlib, pkgutil, sys

BLOCKED, WORDS = {blocked}, {words}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
import detector.edge
for module in pkgutil.walk_packages(detector.edge.__path__, "detector.edge."):
    importlib.import_module(module.name)
from detector.cli import main
main(WORDS)
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [(["edge", "--help"], 0, "detector-gate"), (["edge", "--socket-mode", "9"], 2, "octal")],
)
def test_every_module_of_the_edge_imports_and_its_command_answers(words: list[str], status: int, said: str) -> None:
    """With the learning libraries made absent in a process of its own; the command gets as far as its settings."""
    script = SCRIPT.format(blocked=BLOCKED, words=words)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr
