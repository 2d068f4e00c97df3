"""What is said of notebooks that were executed badly, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.kept import PICTURE, faults_of, sources

SOURCE = Path("01_tour.py")
DRAWN = {"output_type": "execute_result", "data": {PICTURE: "iVBO"}}
PAGE = (
    '<html><head><style>a { background: url("data:image/png;base64,AAAA") }</style></head>'
    '<body><img alt="x" src="data:image/png;base64,iVBO"></body></html>'
)


def _cell(count: int | None, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": ["1 + 1"], "execution_count": count, "outputs": list(outputs)}


def _keep(folder: Path, cells: list[dict[str, Any]], page: str = PAGE) -> list[str]:
    (folder / "01_tour.ipynb").write_text(json.dumps({"cells": cells}))
    (folder / "01_tour.html").write_text(page)
    return list(faults_of(SOURCE, folder))


def test_an_executed_notebook_with_its_page_is_let_be(tmp_path: Path) -> None:
    """Every cell ran, its picture is within the page; prose has no count."""
    prose = {"cell_type": "markdown", "source": ["# A"]}
    assert _keep(tmp_path, [prose, _cell(1, DRAWN), _cell(2)]) == []


def test_a_notebook_that_was_left_out_is_named(tmp_path: Path) -> None:
    """One that no command executes, or of which no page was made."""
    assert "must be kept" in "".join(faults_of(SOURCE, tmp_path))
    _keep(tmp_path, [_cell(1, DRAWN)])
    (tmp_path / "01_tour.html").unlink()
    assert "must be kept" in "".join(faults_of(SOURCE, tmp_path))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([_cell(1, DRAWN), _cell(None)], r"code cells [1] of 2 were not"),
        ([], "of 0 were not"),
        ([_cell(1, DRAWN, {"output_type": "error"})], "end in an error"),
        ([_cell(1)], "0 were drawn"),
        ([_cell(1, DRAWN, DRAWN)], "2 were drawn"),
    ],
)
def test_a_cell_that_did_not_run_or_draw_is_named(tmp_path: Path, cells: list[dict[str, Any]], said: str) -> None:
    """A cell that was skipped, one that failed, a picture that the page lacks."""
    assert said in "".join(_keep(tmp_path, cells))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (PAGE.replace("<body>", "<script>1</script><body>"), "no script"),
        (PAGE.replace("<body>", '<body><img src="https://img.example/a.png">'), "got https://img.example/a.png"),
    ],
)
def test_a_page_that_loads_or_runs_something_is_named(tmp_path: Path, page: str, said: str) -> None:
    """Names on a stream are an attacker's: a page of them runs nothing, and asks nobody."""
    assert said in "".join(_keep(tmp_path, [_cell(1, DRAWN)], page))


def test_the_notebooks_are_found() -> None:
    """The names that docs lead to."""
    assert [path.stem for path in sources()] == ["01_tour", "02_tune_a_profile", "03_one_incident"]
