"""Links and loads of the site."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project.sources import ROOT
from tests.site.links import outside, path_of, rewritten, shown, uri_of
from tests.site.loads import loads_from_elsewhere


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a small checkout: two pages, a chapter, code, results."""
    files = {
        "docs/a.md": "[b](b.md#there) [code](../src/x.py) [chapter](chapter)",
        "docs/b.md": "## There",
        "docs/chapter/README.md": "[up](../../RESULTS.md#speed)",
        "RESULTS.md": "[code](src/y.py) [page](docs/b.md)",
        "src/x.py": "SEE = '[y](y.py)'\n",
        "src/y.py": "Y = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path.resolve()


def test_links_lead_to_the_pages_of_the_site(checkout: Path) -> None:
    """Within `docs/` they stay, a folder is its README, a file outside is a page below `tree/`."""
    text = (checkout / "docs" / "a.md").read_text()
    assert rewritten(text, "a.md", checkout) == "[b](b.md#there) [code](tree/src/x.py.md) [chapter](chapter/README.md)"
    text = (checkout / "docs" / "chapter" / "README.md").read_text()
    assert rewritten(text, "chapter/README.md", checkout) == "[up](../tree/RESULTS.md#speed)"


def test_pages_outside_are_found_over_other_pages(checkout: Path) -> None:
    """What the results lead to is on the site too; nothing twice."""
    found = outside(["a.md", "b.md", "chapter/README.md"], checkout)
    assert found == ["tree/RESULTS.md", "tree/src/x.py.md", "tree/src/y.py.md"]


def test_a_page_from_outside_leads_back(checkout: Path) -> None:
    """Its links are those of where it stands in the checkout."""
    text = (checkout / "RESULTS.md").read_text()
    assert rewritten(text, "tree/RESULTS.md", checkout) == "[code](src/y.py.md) [page](../b.md)"


@pytest.mark.parametrize("name", ["docs/a.md", "docs/chapter/README.md", "RESULTS.md", "src/x.py"])
def test_a_page_and_its_file_name_each_other(checkout: Path, name: str) -> None:
    """There and back."""
    uri = uri_of(checkout / name, checkout)
    assert uri is not None
    assert path_of(uri, checkout) == checkout / name


@pytest.mark.parametrize("text", ["[x](gone.md)", "[x](../../etc/passwd)", "[x](https://example.org/)", "[x](#here)"])
def test_other_links_stay_what_they_are(checkout: Path, text: str) -> None:
    """The build refuses what leads nowhere; nothing from outside the checkout is taken in."""
    assert rewritten(text, "a.md", checkout) == text
    assert outside(["b.md"], checkout) == []


def test_code_is_left_as_it_is(checkout: Path) -> None:
    """A block that shows Markdown is no link."""
    text = "```\n[code](../src/x.py)\n- a\n```"
    assert rewritten(text, "a.md", checkout) == text


def test_a_list_gets_the_empty_line_that_the_site_needs(checkout: Path) -> None:
    """Before the list, not within it, also where an item has a second line."""
    assert rewritten("Say:\n- one\n  more\n- two", "a.md", checkout) == "Say:\n\n- one\n  more\n- two"


def test_a_file_of_code_is_shown_as_code() -> None:
    """Under its name, in its language."""
    text = shown(ROOT / "detector" / "pipeline.py")
    assert text.startswith("# pipeline.py\n\n~~~~ python\n")


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<script src="//cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img srcset="a.png, HTTPS://img.example/b.png 2x">',
        '<iframe src="https://video.example/"></iframe>',
        "<style>@import 'https://fonts.example/css';</style>",
        '<p style="background: url(//img.example/a.png)">',
    ],
)
def test_a_load_from_another_host_is_found(page: str) -> None:
    """However it is written."""
    assert len(loads_from_elsewhere(page)) == 1


@pytest.mark.parametrize(
    "page",
    [
        '<a href="https://example.org/">a link</a>',
        '<script src="assets/x.js"></script>',
        '<link rel="canonical" href="https://docs.example/">',
        "<style>p { background: url(a.png) }</style> @import 'https://shown.example/'",
        '<img src="data:image/png;base64,AAAA">',
    ],
)
def test_what_loads_nothing_from_elsewhere_is_let_be(page: str) -> None:
    """A link that a reader may follow is none of it."""
    assert loads_from_elsewhere(page) == []
