"""What `mkdocs.yml` hooks in: files from outside `docs/` that pages lead to, and no load from elsewhere on any page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.site.links import TREE, outside, path_of, rewritten, shown
from tests.site.loads import loads_of_file

ROOT = Path(__file__).resolve().parents[2]


def on_files(files: Any, config: Any) -> Any:
    """Add a page for every file outside `docs/` that a page leads to."""
    from mkdocs.structure.files import File

    for uri in outside([file.src_uri for file in files.documentation_pages()], ROOT):
        files.append(File.generated(config, uri, content=shown(path_of(uri, ROOT))))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead every link to where the site has it."""
    del config, files
    is_code = page.file.src_uri.startswith(TREE) and path_of(page.file.src_uri, ROOT).suffix != ".md"
    return markdown if is_code else rewritten(markdown, page.file.src_uri, ROOT)


def on_post_build(config: Any) -> None:
    """Refuse a site that loads anything from another host.

    Raises
    ------
    SystemExit
        Names the page and the address.
    """
    folder = Path(config.site_dir)
    found = [
        f"{path.relative_to(folder)}: {address}"
        for path in sorted((*folder.rglob("*.html"), *folder.rglob("*.css"), *folder.rglob("*.svg")))
        for address in loads_of_file(path)
    ]
    if found:
        raise SystemExit("pages of the site must load nothing from other hosts, got " + "; ".join(found[:5]))
