"""The cache folder: where what was downloaded once is kept between runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detector.errors import SetupError


def cache_dir() -> Path:
    """Return the folder for downloads, made if it was missing.

    ``DETECTOR_CACHE`` if set, else ``$XDG_CACHE_HOME/agent-behaviour-detector``, else
    ``~/.cache/agent-behaviour-detector``.

    Raises
    ------
    SetupError
        The folder cannot be made or written.
    """
    named = os.environ.get("DETECTOR_CACHE")
    base = Path(named) if named else _xdg() / "agent-behaviour-detector"
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        msg = f"DETECTOR_CACHE of the environment must be a writable folder, got {base} ({exc.strerror}): name another"
        raise SetupError(msg) from exc
    return base


def _xdg() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else Path.home() / ".cache"


@contextmanager
def cache_lock(folder: Path) -> Iterator[None]:
    """Hold the folder for one process at a time; others wait here until it is free."""
    with (folder / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
