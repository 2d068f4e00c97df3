"""The edge runs on a machine that has none of the learning libraries."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import canonicalize_name

from tests.project.sources import ROOT

HEAVY = {"river", "sklearn", "numba", "faust", "mode", "numpy", "scipy", "aiokafka"}


def _absent() -> set[str]:
    """Return every module of this environment that requirements-edge.lock does not install."""
    text = (ROOT / "requirements-edge.lock").read_text(encoding="utf-8")
    locked = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, flags=re.MULTILINE)}
    return {
        module
        for module, owners in packages_distributions().items()
        if not any(canonicalize_name(one) in locked for one in owners) and module not in {"detector", "detector_gate"}
    }


LISTENERS = {
    "detector.edge.kit.langchain": "langchain_core",
    "detector.edge.kit.mcp": "mcp",
    "detector.edge.kit.openai_agents": "agents",
    "detector.edge.kit.pydantic_ai": "pydantic_ai",
}
"""Modules that only who has a library imports, and what each lacks without it: that, and nothing before it."""


SCRIPT = """
import importlib, pkgutil, sys

BLOCKED, WORDS = {blocked}, {words}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocked())
import detector.edge
lacking = dict()
for module in pkgutil.walk_packages(detector.edge.__path__, "detector.edge."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as exc:
        lacking[module.name] = exc.name.split(".")[0]
assert lacking == {listeners}, lacking
from detector.cli import main
main(WORDS)
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["edge", "--help"], 0, "detector-gate"),
        (["edge", "--socket-mode", "9"], 2, "octal"),
        (["connect", "codex"], 0, "allow_managed_hooks_only"),
        (["edge", "--agent-from", "peer"], 2, "header:NAME"),
    ],
)
def test_every_module_of_the_edge_imports_and_its_command_answers(words: list[str], status: int, said: str) -> None:
    """In a process to which all but requirements-edge.lock is absent; the command gets as far as its settings.

    Only what listens to a library needs that library.
    """
    absent = _absent()
    assert absent >= HEAVY
    script = SCRIPT.format(blocked=absent, words=words, listeners=LISTENERS)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr
