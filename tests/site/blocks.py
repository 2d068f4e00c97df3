"""The blocks of commands that pages show, and a shell to run them in."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.project.sources import ROOT, name_of

PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK: Final = re.compile(r"^(<!-- runs -->\n)?```(?:sh|console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BARE: Final = re.compile(r"^```\n(?:\$ )?((?:detector(?:-gate)?|make) .*)$", re.MULTILINE)


class CommandBlock(NamedTuple):
    """A block of a page; one that `<!-- runs -->` stands above needs no broker and changes only its own folder."""

    page: str
    number: int
    runs: bool
    text: str


def blocks_of(path: Path) -> list[CommandBlock]:
    """Return the blocks of commands of a page, in order."""
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    return [CommandBlock(name_of(path), number, bool(mark), text) for number, (mark, text) in enumerate(found, start=1)]


def run_in(
    folder: Path, script: str, environment: dict[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Return what bash says of a script, run in a folder with `detector` on the path; what it left running is ended."""
    programs = folder / "programs"
    programs.mkdir()
    program = programs / "detector"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m detector "$@"\n')
    program.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DETECTOR_")}
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    with subprocess.Popen(
        ["bash", "-u", "-c", script],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), "PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            out, err = shell.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            out, err = shell.communicate()
            err += f"\nnot done after {timeout_s:g} s"
    return subprocess.CompletedProcess(script, shell.returncode, out, err)
