"""A machine with a coding agent on it: an empty home, the printed settings where they belong, and nothing else changed.

Settings of `detector connect` are files of the machine: ``/etc/codex``, ``/etc/profile.d``. Here they lie in a mount
namespace of the agent alone, over the real ``/etc``; the edge's socket stands at its usual place in the same way. So
the program reads what is printed, as it is printed, and this machine is as it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from detector.demo.errands import PROJECT, SECRETS, lay_out
from detector.demo.guarded import bare_environment
from detector.demo.program import Program
from detector.errors import SetupError

WITHIN: Final = (
    'mount -t overlay overlay -o lowerdir="$1":/etc /etc && mount --bind "$2" /run && cd "$3" && shift 3 && '
    'exec bash -lc \'exec "$@"\' bash "$@"'
)
"""What is done in the namespace: settings over /etc, the socket's folder at /run, and a login shell, whose profile
takes up the agents' names as it does on a machine of a fleet."""
CHECK_S: Final = 20.0


class AgentMachine:
    """The files of a machine that runs an agent's program, below one folder.

    Parameters
    ----------
    folder : Path
        Where they are laid out; of a short name, for the socket stands in it.
    program : Program
        What runs there.
    command : sequence of str
        Words that start it.

    Attributes
    ----------
    settings : Path
        What `detector connect` wrote.
    socket : Path
        Where the edge listens; the agent sees it as ``/run/detector/edge.sock``.
    """

    def __init__(self, folder: Path, program: Program, command: Sequence[str]) -> None:
        self.folder, self.program, self._command = folder, program, command
        self.settings, self.home, self.work = folder / "settings", folder / "home", folder / "work"
        self.socket = folder / "run" / "detector" / "edge.sock"
        self.gate = folder / "gate" / "detector_gate.py"
        for one in (*program.places.values(), "run/detector", "home", "gate"):
            (folder / one).mkdir(parents=True)
        lay_out(PROJECT, self.work)
        lay_out({**SECRETS, **program.home}, self.home)

    def connect(self, gate: Path, *options: str) -> str:
        """Run `detector connect` for the program, put its files and the gate where it says; return what it said.

        Raises
        ------
        SetupError
            The command failed, or named a place this machine does not have.
        """
        shutil.copy(gate, self.gate)
        words = ["connect", self.program.source, "--gate", str(self.gate), "--out", str(self.settings), *options]
        ran = subprocess.run(
            [sys.executable, "-m", "detector", *words],
            env=bare_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if ran.returncode:
            raise SetupError(f"detector {' '.join(words)} must succeed, got {ran.stderr.strip()}")
        for line in ran.stdout.splitlines():
            if line.startswith("## ") and " -> /" in line:
                name, place = line.split(". ", 1)[1].split(" -> ")
                places = self.program.places
                # behind it may stand where it goes on another system
                kept = next((own for begins, own in places.items() if place.split(" ")[0] == begins + name), None)
                if kept is None:
                    raise SetupError(f"place of {name} must be below {', '.join(places)}, got {place}")
                shutil.copy(self.settings / name, self.folder / kept)
        return ran.stdout

    def words(self, base_url: str, prompt: str = "go") -> list[str]:
        """Return the words of one session: the agent on its machine, against a model at an address.

        The model's address is all that is set beside the printed files.
        """
        options, own = self.program.session(base_url, prompt)
        places = [str(self.folder / "etc"), str(self.folder / "run"), str(self.work)]
        only = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TERM": "dumb", **own}
        alone = ["env", "-i", *(f"{name}={value}" for name, value in only.items())]
        return [*alone, *namespace(), "sh", "-c", WITHIN, "sh", *places, *self._command, *options]


def machine_user() -> str:
    """Return the user an agent works as in its namespace; where that is a user's own, it is root there."""
    return "root"


def namespace() -> list[str]:
    """Return the words that begin a mount namespace of one's own."""
    return ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def refuse_without_namespaces(folder: Path) -> None:
    """Refuse a machine on which an agent cannot have settings of its own.

    Raises
    ------
    SetupError
        No `unshare`, or no right to mount in a namespace of one's own.
    """
    lacking = [name for name in ("unshare", "bash", "curl", "tar") if shutil.which(name) is None]
    if lacking:
        raise SetupError(f"programs of the agent's machine must be installed, got no {', '.join(lacking)}")
    (folder / "etc").mkdir(exist_ok=True)
    tried = subprocess.run(
        [*namespace(), "sh", "-c", WITHIN, "sh", str(folder / "etc"), str(folder), str(folder), "true"],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=CHECK_S,
        check=False,
    )
    if tried.returncode:
        raise SetupError(f"mount namespaces must be allowed, to give an agent its own /etc, got {tried.stderr.strip()}")
