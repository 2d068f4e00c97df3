"""The page: what there was, what could not be read, bounded however much there is."""

from __future__ import annotations

from pathlib import Path

from detector.backfill.report import MAX_LISTED, MAX_NAMED
from tests.backfill.made import answer, call, meta, output, read, write


def test_names_that_a_file_makes_up_are_bounded(tmp_path: Path) -> None:
    """Thousands of types are counted, a thousand of them by name; a page shows a few."""
    made_up = [{**answer(1), "type": f"t{number}"} for number in range(MAX_NAMED + 50)]
    _, report = read(write(tmp_path / "a", [answer(1), *made_up]))
    assert len(report.unknown) == MAX_NAMED + 1
    assert report.unknown["claude-code", "(others)"] == 50
    assert sum(report.unknown.values()) == len(made_up)
    (line,) = [line for line in report.page() if "unknown" in line]
    assert len(line) < 300


def test_files_with_bad_lines_are_all_in_the_numbers_and_some_on_the_page(tmp_path: Path) -> None:
    """The page says how many it leaves out."""
    for number in range(MAX_LISTED + 3):
        write(tmp_path / f"{number:03d}", [answer(1, key=f"m{number}"), "{"])
    _, report = read(tmp_path)
    assert sum(bool(one["unreadable"]) for one in report.plain()["files"]) == MAX_LISTED + 3
    page = list(report.page())
    assert sum(line.startswith("unreadable in ") for line in page) == MAX_LISTED
    assert "unreadable lines in 3 more files: --json names them" in page


def test_names_from_files_cannot_move_a_terminals_cursor(tmp_path: Path) -> None:
    """Of files and of sub-agents alike."""
    path = write(tmp_path / "\x1b[2J", [meta(source={"subagent": "\x1b[2J"}), call(1, "c"), output(2, "c"), "{"])
    _, report = read(path)
    page = "\n".join(report.page(path))
    assert "\x1b" not in page
    assert "unreadable in" in page
    assert "\\u001b" in report.json()
