"""What a built page loads by itself, and from where."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

FOLLOWED: Final = {"a", "area"}
"""Tags whose address only a reader's click opens."""
NOT_FETCHED: Final = {"canonical", "next", "prev", "alternate"}
"""Relations of `<link>` that name a page and load none."""
ADDRESS: Final = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
IN_STYLE: Final = re.compile(r"""(?:url\(|@import)\s*['"]?((?:https?:)?//[^'")\s]+)""", re.IGNORECASE)


class PageLoads(HTMLParser):
    """Collects every address that a browser fetches without being asked, if it names a host."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the addresses of a tag."""
        given = dict(attrs)
        self._is_style = tag == "style"
        if tag == "link" and set((given.get("rel") or "").split()) <= NOT_FETCHED:
            return
        names = () if tag in FOLLOWED else ("src", "href", "data", "poster", "srcset", "action")
        self.found += [
            part.strip() for name in names for part in (given.get(name) or "").split(",") if ADDRESS.match(part.strip())
        ]
        self.found += IN_STYLE.findall(given.get("style") or "")

    def handle_endtag(self, tag: str) -> None:
        """Leave a style sheet."""
        self._is_style = self._is_style and tag != "style"

    def handle_data(self, data: str) -> None:
        """Take the addresses of a style sheet that stands in the page."""
        if self._is_style:
            self.found += IN_STYLE.findall(data)


def loads_from_elsewhere(page: str) -> list[str]:
    """Return the addresses on other hosts that a browser fetches when it shows an HTML page."""
    reader = PageLoads()
    reader.feed(page)
    return reader.found


def loads_of_file(path: Path) -> list[str]:
    """Return the addresses on other hosts that a page, a picture or a style sheet of the site fetches."""
    text = path.read_text(encoding="utf-8")
    return IN_STYLE.findall(text) if path.suffix == ".css" else loads_from_elsewhere(text)
