"""Programs nobody here wrote, pinned: coding agents from npm, a Collector built from Go modules; made once and kept.

What is fetched is named by a file beside this module, and kept in the cache folder under that file's digest: another
version is another folder, and a folder that is there is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from detector.errors import SetupError
from detector.local.cache import cache_dir, cache_lock

CODEX: Final = Path(__file__).with_name("codex")
GEMINI: Final = Path(__file__).with_name("gemini")
COLLECTOR: Final = Path(__file__).with_name("collector")
BUILDER: Final = "go.opentelemetry.io/collector/cmd/builder@v0.155.0"
STEP_S: Final = 900.0
"""Longest a step may take: the Collector compiles in two minutes on two cores, on a busy machine in some more."""

Say = Callable[[str], None]


def codex_command(say: Say) -> list[str]:
    """Return the words that start the pinned Codex CLI; installed from npm into the cache folder once, about 130 MB.

    Raises
    ------
    SetupError
        Node.js or npm is missing, or npm could not install what its lock names.
    """
    return _from_npm(say, "Codex CLI", CODEX, "@openai/codex/bin/codex.js")


def gemini_command(say: Say) -> list[str]:
    """Return the words that start the pinned Gemini CLI; installed from npm into the cache folder once, about 100 MB.

    Raises
    ------
    SetupError
        Node.js or npm is missing, or npm could not install what its lock names.
    """
    return _from_npm(say, "Gemini CLI", GEMINI, "@google/gemini-cli/bundle/gemini.js")


def _from_npm(say: Say, said: str, described: Path, program: str) -> list[str]:
    """Return the words that start a program of npm that a folder beside this module pins."""
    node, npm = _program("node", "Node.js 20 or later"), _program("npm", "npm of Node.js")
    with _kept(described.name, described) as (folder, is_new):
        if is_new:
            say(f"{said}: installing the pinned version from npm, once")
            for one in sorted(described.iterdir()):
                shutil.copy(one, folder)
            _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)
        return [node, str(_home(folder) / "node_modules" / program)]


def collector_command(say: Say) -> list[str]:
    """Return the words that start the Collector; built from Go modules into the cache folder once, in two minutes.

    Raises
    ------
    SetupError
        Go is missing, or the Collector could not be built.
    """
    go = _program("go", "Go 1.25 or later")
    with _kept("collector", COLLECTOR) as (folder, is_new):
        if is_new:
            say("OpenTelemetry Collector: building the pinned version from Go modules, once (about two minutes)")
            shutil.copy(COLLECTOR / "builder.yaml", folder)
            _run([go, "install", BUILDER], folder, GOBIN=str(folder / "bin"))
            made = folder / "made"
            # its own `go mod tidy` gives up at a module that only tests of other modules need: ours goes on (-e), and
            # the compiler is the judge of whether something is missing
            _run(
                [str(folder / "bin" / "builder"), "--config=builder.yaml", "--skip-compilation"], folder, is_judge=False
            )
            _run([go, "mod", "tidy", "-e"], made)
            _run(
                [go, "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", "../otelcol", "."], made, CGO_ENABLED="0"
            )
            for spent in ("bin", "made"):
                shutil.rmtree(folder / spent)
        return [str(_home(folder) / "otelcol")]


def _program(name: str, what: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SetupError(f"{what} must be installed to run programs nobody here wrote, got no {name} on the PATH")
    return found


@contextmanager
def _kept(name: str, described: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the folder to make a program in, and whether it is to be made; what fails leaves nothing behind."""
    said = b"".join(one.read_bytes() for one in sorted(described.iterdir()))
    base = cache_dir() / name
    base.mkdir(exist_ok=True)
    with cache_lock(base):
        home = base / hashlib.sha256(said + BUILDER.encode()).hexdigest()[:16]
        if home.exists():
            yield home, False
            return
        with tempfile.TemporaryDirectory(dir=base, prefix="making-", ignore_cleanup_errors=True) as making:
            draft = Path(making) / home.name
            draft.mkdir()
            yield draft, True
            draft.rename(home)


def _home(folder: Path) -> Path:
    """Return where a folder stands once it is whole."""
    return folder.parent.parent / folder.name if folder.parent.name.startswith("making-") else folder


def _run(words: Sequence[str], folder: Path, *, is_judge: bool = True, **settings: str) -> None:
    """Run a step of making; its last words are in the error if it counts and fails."""
    try:
        ran = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{words[0]} must end within {STEP_S:.0f} s, got no end: look at the network") from error
    if is_judge and ran.returncode:
        last = " | ".join((ran.stderr or ran.stdout).strip().splitlines()[-3:])
        raise SetupError(f"{' '.join(words[:3])} must succeed, got exit status {ran.returncode}: {last}")
