"""Tables of ``docs/rules.md``, made of the catalogue and of recordings: ``python -m tests.rules.page`` writes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from detector.profile.load import load_profile
from detector.rules import ENTRIES, RuleEntry
from tests.rules import coverage

PAGE: Final = Path(__file__).parents[2] / "docs" / "rules.md"
BEGIN: Final = "<!-- made of detector/rules/catalogue.toml by `python -m tests.rules.page` -->\n"
IDS: Final = "<!-- ids, made of detector/rules/catalogue.toml by `python -m tests.rules.page` -->\n"
COVERAGE: Final = "<!-- made of the recordings under DETECTOR_DATA by `python -m tests.rules.page` -->\n"
END: Final = "<!-- end -->\n"


def _row(entry: RuleEntry, enabled: tuple[str, ...]) -> str:
    """Return the line of a rule."""
    cells = (
        f"`{entry.name}`",
        entry.finds,
        ", ".join(" or ".join(f"`{path}`" for path in field.split("|")) for field in entry.needs),
        entry.sources,
        entry.twin,
        entry.severity,
        "a day, an agent" if entry.once == "agent" else "a session",
        "on" if entry.name in enabled else "off",
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Return the table, one line a rule."""
    head = ("rule", "finds", "reads", "who sends it", "silent on", "severity", "told once", "in `default/v1`")
    enabled = load_profile().rules.enabled
    rows = [_row(entry, enabled) for entry in ENTRIES.values()]
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows]) + "\n"


def ids() -> str:
    """Return the ids of every rule, as its entry has them."""
    lines = ["| rule | detection | OWASP ASI | MITRE ATLAS | SAF-T |", "|---|---|---|---|---|"]
    for entry in ENTRIES.values():
        cells = (", ".join(one) or "-" for one in (entry.asi, entry.atlas, entry.saf_t))
        lines.append(f"| `{entry.name}` | {entry.detection} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def written(begin: str = BEGIN) -> str:
    """Return a table that the page has."""
    return PAGE.read_text(encoding="utf-8").split(begin)[1].split(END)[0]


def write(begin: str, made: str) -> None:
    """Put a table into the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    PAGE.write_text(before + begin + made + END + rest.split(END, 1)[1], encoding="utf-8")


if __name__ == "__main__":
    write(BEGIN, table())
    write(IDS, ids())
    if folder := os.environ.get("DETECTOR_DATA"):
        write(COVERAGE, coverage.table(Path(folder)))
