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
from detector.errors import SetupError

WITHIN: Final = (
    'mount -t overlay overlay -o lowerdir="$1":/etc /etc && mount --bind "$2" /run && cd "$3" && shift 3 && '
    'exec bash -lc \'exec "$@"\' bash "$@"'
)
"""What is done in the namespace: settings over /etc, the socket's folder at /run, and a login shell, whose profile
takes up the agents' names as it does on a machine of a fleet."""
PLACES: Final = {"/etc/codex/": "etc/codex", "/etc/profile.d/": "etc/profile.d"}
CHECK_S: Final = 20.0


class AgentMachine:
    """The files of a machine that runs Codex CLI, below one folder.

    Parameters
    ----------
    folder : Path
        Where they are laid out; of a short name, for the socket stands in it.
    codex : sequence of str
        Words that start Codex CLI.

    Attributes
    ----------
    settings : Path
        What `detector connect` wrote.
    socket : Path
        Where the edge listens; the agent sees it as ``/run/detector/edge.sock``.
    """

    def __init__(self, folder: Path, codex: Sequence[str]) -> None:
        self.folder, self._codex = folder, codex
        self.settings, self.home, self.work = folder / "settings", folder / "home", folder / "work"
        self.socket = folder / "run" / "detector" / "edge.sock"
        self.gate = folder / "gate" / "detector_gate.py"
        for one in (*PLACES.values(), "run/detector", "home", "gate"):
            (folder / one).mkdir(parents=True)
        lay_out(PROJECT, self.work)
        lay_out(SECRETS, self.home)

    def connect(self, gate: Path, *options: str) -> str:
        """Run `detector connect codex`, put its files and the gate where it says; return what it said.

        Raises
        ------
        SetupError
            The command failed, or named a place this machine does not have.
        """
        shutil.copy(gate, self.gate)
        words = ["connect", "codex", "--gate", str(self.gate), "--out", str(self.settings), *options]
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
                kept = next((own for begins, own in PLACES.items() if place == begins + name), None)
                if kept is None:
                    raise SetupError(f"place of {name} must be below {', '.join(PLACES)}, got {place}")
                shutil.copy(self.settings / name, self.folder / kept)
        return ran.stdout

    def words(self, base_url: str, prompt: str = "go") -> list[str]:
        """Return the words of one session: the agent on its machine, against a model at an address.

        The model's address is all that is set beside the printed files.
        """
        provider = f'{{name="scripted",base_url="{base_url}",wire_api="responses",env_key="NO_KEY"}}'
        chosen = ["-c", 'model="scripted"', "-c", 'model_provider="scripted"']
        chosen += ["-c", f"model_providers.scripted={provider}"]
        session = ["exec", "--skip-git-repo-check", "-s", "danger-full-access", *chosen, prompt]
        places = [str(self.folder / "etc"), str(self.folder / "run"), str(self.work)]
        only = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TERM": "dumb", "NO_KEY": "none"}
        alone = ["env", "-i", *(f"{name}={value}" for name, value in only.items())]
        return [*alone, *namespace(), "sh", "-c", WITHIN, "sh", *places, *self._codex, *session]


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
