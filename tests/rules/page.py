"""The table of ``docs/rules.md``, made of the catalogue: ``python -m tests.rules.page`` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from detector.profile.load import load_profile
from detector.rules import ENTRIES, RuleEntry

PAGE: Final = Path(__file__).parents[2] / "docs" / "rules.md"
BEGIN: Final = "<!-- made of detector/rules/catalogue.toml by `python -m tests.rules.page` -->\n"
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


def written() -> str:
    """Return the table that the page has."""
    return PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]


if __name__ == "__main__":
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1], encoding="utf-8")
