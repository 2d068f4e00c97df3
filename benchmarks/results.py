"""RESULTS.md as chapters: one can be measured anew and put in its place, with the day and the command that made it."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
_PACKAGES = ("numpy", "numba", "msgspec", "river", "scikit-learn", "faust-streaming", "aiokafka")


def made_by(command: str) -> str:
    """Return the line that says which command measured a chapter, when, and on what."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"*Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}: Python {platform.python_version()}, {packages}; "
        f"{platform.machine()}, 2 cores shared with everything else, so compare ratios and not microseconds.*"
    )


def put_into(results: Path, chapter: str) -> None:
    """Write a chapter over the one of the same title (its first line, ``## ...``), or at the end of the results."""
    title = chapter.splitlines()[0]
    text = results.read_text(encoding="utf-8").rstrip() if results.exists() else "# Results"
    begin = text.find(f"\n{title}\n")
    before, old = (text, "") if begin < 0 else (text[:begin].rstrip(), text[begin + 1 :])
    end = old.find("\n## ")
    after = "" if end < 0 else "\n\n" + old[end:].strip()
    results.write_text(f"{before}\n\n{chapter.strip()}{after}\n", encoding="utf-8")
