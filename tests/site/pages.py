"""Every page that is made of code or data: ``python -m tests.site.pages`` writes them anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.project.sources import ROOT
from tests.site.reference import channels_page, commands_page, settings_page
from tests.site.schemas import schemas_page
from tests.site.sources import sources_page

PAGES: Final[dict[str, Callable[[], str]]] = {
    "sources.md": sources_page,
    "reference/commands.md": commands_page,
    "reference/settings.md": settings_page,
    "reference/channels.md": channels_page,
    "schema/README.md": schemas_page,
}
"""By their place in `docs/`. The table of rules has its own maker, `tests.rules.page`."""


if __name__ == "__main__":
    for place, made in PAGES.items():
        (ROOT / "docs" / place).write_text(made(), encoding="utf-8")
