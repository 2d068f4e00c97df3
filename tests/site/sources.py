"""The page of what each source cannot show, made of what `detector connect` says of it."""

from __future__ import annotations

import tomllib
from typing import Any, Final

from detector.edge.connect import FOLDER, SOURCES
from tests.project.sources import ROOT
from tests.site.reference import opening

ADVICE: Final = ROOT / "detector" / "connect" / "advice.toml"
WORDS: Final = """
What a source does not send, nobody can score. This is what `detector connect SOURCE` says of each before you start;
`detector connect SOURCE --check` says what really arrives, and which detections get what they need
([connect.md](connect.md)). Prompts and answers are missing everywhere, on purpose.
"""


def sources_page() -> str:
    """Return, source by source, what is not seen or not stopped, and each field that may be missing with what to do."""
    advice: dict[str, dict[str, str]] = tomllib.loads(ADVICE.read_text(encoding="utf-8"))
    lines = opening("What each source cannot show", WORDS)
    lines += ["| source | arrives as | has a place to stop it |", "|---|---|---|"]
    told = {source: _told(source) for source in SOURCES}
    for source, one in told.items():
        name, _, form = str(one["title"]).rpartition(": ")
        gate = "yes" if one["has_gate"] else "no"
        lines.append(f"| [`{source}`](#{source}) {name} | {form} | {gate} |")
    for source, one in told.items():
        lines += ["", f"## {source}", "", f"{one['title']}.", "", *(f"- {gap}" for gap in one["unseen"]["list"])]
        lines += _fields(advice.get(source, {}))
        lines += ["", "From: " + "; ".join(one["cites"]["list"]) + "."]
    lines += ["", "## Any source", "", "A field that does not arrive, where nothing more is said of the source above."]
    lines += _fields(advice["any"])
    lines += ["", "## Names", "", "What an agent may be named from, other than what `detector-agents.sh` sets."]
    lines += _fields(advice["names"], "named from", "what to know, and do")
    return "\n".join(lines) + "\n"


def _told(source: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / source / "source.toml").read_text(encoding="utf-8"))


def _fields(given: dict[str, str], *head: str) -> list[str]:
    """Return a table of fields and what to do; nothing if there are none."""
    if not given:
        return []
    first, second = head or ("field that is missing", "what to switch on, or why it cannot be")
    rows = [f"| `{name}` | {words.replace('|', chr(92) + '|')} |" for name, words in sorted(given.items())]
    return ["", f"| {first} | {second} |", "|---|---|", *rows]
