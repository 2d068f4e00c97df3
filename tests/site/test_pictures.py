"""Pictures of the README: small, whole, and without anything from another host."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.project.sources import ROOT, name_of
from tests.site.session import WIDTH, picture_of

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
MOST_BYTES = 100_000
SVG = "{http://www.w3.org/2000/svg}"


def _parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - a file of this repository, or made by the test


def _words(picture: str) -> str:
    """Return all text of a picture, one line a text element, with ordinary spaces."""
    texts = ["".join(one.itertext()) for one in _parsed(picture).iter(f"{SVG}text")]
    return "\n".join(texts).replace("\xa0", " ")


@pytest.mark.parametrize("path", PICTURES, ids=name_of)
def test_a_picture_is_small_and_loads_nothing(path: Path) -> None:
    """No script, no font and no image of others: a README shows it everywhere."""
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert {one.tag.removeprefix(SVG) for one in _parsed(text).iter()} & {
        "script",
        "image",
        "foreignObject",
    } == set()
    assert not re.search(r"@font-face|@import|url\(\s*['\"]?(?!#)|href=", text)


@pytest.mark.parametrize("path", PICTURES, ids=name_of)
def test_a_picture_is_shown_with_words_for_who_cannot_see_it(path: Path) -> None:
    """The README or a page has each with a text."""
    places = {ROOT / "README.md": name_of(path), **dict.fromkeys((ROOT / "docs").glob("*.md"), f"pictures/{path.name}")}
    shown = [
        page.name
        for page, place in places.items()
        if re.search(rf"!\[[^\]]{{30,}}\]\({re.escape(place)}\)", page.read_text(encoding="utf-8"))
    ]
    assert shown


def test_the_way_reads_in_light_and_in_dark() -> None:
    """Every class that has a colour has another in the dark."""
    style = re.search(r"<style>(.*?)</style>", (ROOT / "docs" / "pictures" / "way.svg").read_text("utf-8"), re.DOTALL)
    assert style is not None
    light, dark = style.group(1).split("@media (prefers-color-scheme: dark)")
    coloured = {
        name for names in re.findall(r"^ +([.\w, ]+) \{[^}]*#", light, re.MULTILINE) for name in names.split(", ")
    }
    assert len(coloured) > 5
    assert coloured == {
        name for names in re.findall(r"^ +([.\w, ]+) \{[^}]*#", dark, re.MULTILINE) for name in names.split(", ")
    }


def test_the_recorded_session_goes_from_an_alert_to_a_release() -> None:
    """The three commands, and that the release was one."""
    words = _words((ROOT / "docs" / "pictures" / "session.svg").read_text(encoding="utf-8"))
    places = [words.index(found) for found in ("detector alerts", "isolate (enforced)", "detector verdict", "released")]
    assert places == sorted(places)


def test_a_session_shows_what_was_said_and_cuts_what_is_too_long() -> None:
    """Markup in an answer is text; a long line ends with an ellipsis."""
    picture = picture_of([("detector alerts", "HIGH  [bold]x[/bold] <b>&amp;</b>\n" + "y" * 500)], "title")
    words = _words(picture)
    assert "$ detector alerts" in words.replace("\n", "")
    assert "[bold]x[/bold] <b>&amp;</b>" in words
    assert "y" * (WIDTH - 1) + "…" in words
    assert "y" * WIDTH not in words
