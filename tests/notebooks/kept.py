"""What `make notebooks` leaves behind: every notebook executed to its end, pictures drawn, a page that loads nothing.

`python -m tests.notebooks.kept build/notebooks` names what is amiss, and fails.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.project.sources import ROOT
from tests.site.loads import loads_of_file

SOURCES = ROOT / "notebooks"
PICTURE = "image/png"
WITHIN = re.compile(r"<img\b[^>]*\bsrc=\"data:image/png;base64,")
"""A picture of the page itself; its style sheet has small ones of its own."""


def sources(folder: Path = SOURCES) -> list[Path]:
    """Return the notebooks as they are written, by name."""
    return sorted(folder.glob("*.py"))


def faults_of(source: Path, kept: Path) -> Iterator[str]:
    """Yield what is amiss with what was kept of a notebook: the executed one, and its page."""
    executed, page = kept / f"{source.stem}.ipynb", kept / f"{source.stem}.html"
    if not executed.is_file() or not page.is_file():
        yield f"{source.name}: {executed.name} and {page.name} must be kept, at least one is not there"
        return
    cells = [cell for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    idle = [place for place, cell in enumerate(cells) if "".join(cell["source"]) and not cell.get("execution_count")]
    if idle or not cells:
        yield f"{source.name}: every cell must be executed, code cells {idle} of {len(cells)} were not"
    outputs: list[dict[str, Any]] = [one for cell in cells for one in cell["outputs"]]
    if any(one["output_type"] == "error" for one in outputs):
        yield f"{source.name}: no cell may end in an error"
    pictures = sum(PICTURE in one.get("data", {}) for one in outputs)
    text = page.read_text(encoding="utf-8")
    if not pictures or len(WITHIN.findall(text)) != pictures:
        yield f"{source.name}: every picture must be within the page, {pictures} were drawn"
    if "<script" in text:
        yield f"{source.name}: the page must hold no script"
    yield from (f"{source.name}: the page must load nothing, got {address}" for address in loads_of_file(page))


def main(kept: Path) -> None:
    """Name the pages that were kept; exit if anything is amiss."""
    written = sources()
    found = [fault for source in written for fault in faults_of(source, kept)]
    if found:
        raise SystemExit("\n".join(found))
    for source in written:
        print(kept / f"{source.stem}.html")  # noqa: T201 - a command


if __name__ == "__main__":
    main(Path(sys.argv[1]))
