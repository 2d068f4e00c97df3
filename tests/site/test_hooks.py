"""What the site's build refuses, and what it leaves as it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.site.hooks import on_page_markdown, on_post_build

BUILT = '<html><body><img src="{}"></body></html>'


def test_a_site_that_loads_from_elsewhere_is_refused(tmp_path: Path) -> None:
    """The page and the address are named; a page below a folder is read as well."""
    (tmp_path / "chapter").mkdir()
    (tmp_path / "chapter" / "page.html").write_text(BUILT.format("https://img.example/a.png"))
    with pytest.raises(SystemExit, match=r"chapter/page\.html: https://img\.example/a\.png"):
        on_post_build(SimpleNamespace(site_dir=str(tmp_path)))


def test_a_style_sheet_and_a_picture_are_looked_at_too(tmp_path: Path) -> None:
    """A font comes by a style sheet, most of the time."""
    (tmp_path / "a.css").write_text("@font-face { src: url(https://fonts.example/a.woff2) }")
    (tmp_path / "b.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><image href="//img.example/b.png"/></svg>')
    with pytest.raises(SystemExit, match=r"a\.css: https://fonts\.example/a\.woff2; b\.svg: //img\.example/b\.png"):
        on_post_build(SimpleNamespace(site_dir=str(tmp_path)))


def test_a_site_that_keeps_to_itself_is_let_be(tmp_path: Path) -> None:
    """Its twin."""
    (tmp_path / "page.html").write_text(BUILT.format("pictures/a.png"))
    on_post_build(SimpleNamespace(site_dir=str(tmp_path)))


def test_code_from_outside_is_shown_as_it_stands() -> None:
    """A string in Python that looks like a link is none."""
    page = SimpleNamespace(file=SimpleNamespace(src_uri="tree/detector/pipeline.py.md"))
    text = "~~~~ python\n'[a](../docs/index.md)'\n~~~~"
    assert on_page_markdown(text, page, None, None) == text
