"""The page of threats: every drill has its row there, with what was measured, and every principle a test."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks.drill_search import collide
from benchmarks.drills import DRILLS
from benchmarks.results import RESULTS
from benchmarks.threats import ANSWERS, MEASURED, PAGE, Came, chapter, measured, verdict
from detector.channels.known import value_key
from detector.sketches.hashing import hash_key, hash_text
from detector.sketches.keys import is_known, learn_key, tick_of
from tests.project.sources import ROOT

RESULT_TEXT, PAGE_TEXT = RESULTS.read_text("utf-8"), PAGE.read_text("utf-8")
UNTOUCHED = Came(24, 33, 22, 14)


def test_every_drill_is_measured_and_has_an_answer() -> None:
    """And nothing is answered that is no drill; the page says itself which are open."""
    assert list(measured(RESULT_TEXT)) == list(DRILLS) == list(ANSWERS)
    assert all(ANSWERS.values())


def test_the_page_says_of_every_drill_what_was_measured() -> None:
    """Row by row as it would be made now; `python -m benchmarks.threats` makes it anew."""
    assert chapter(RESULT_TEXT) in PAGE_TEXT


def test_a_figure_that_moved_changes_the_page() -> None:
    """The harmless twin of the above: the chapter follows the results."""
    came = measured(RESULT_TEXT)["sends NaN"]
    moved = RESULT_TEXT.replace(
        f"| NaN as a duration | one field | {came.alerted} of", "| NaN as a duration | one field | 3 of"
    )
    assert moved != RESULT_TEXT
    assert chapter(moved) != chapter(RESULT_TEXT)
    assert "| 3 of 33 alert, " in chapter(moved)


def test_results_without_the_chapter_are_refused_with_the_command_that_writes_it() -> None:
    """A page without figures is none."""
    with pytest.raises(ValueError, match="python -m benchmarks redteam writes it"):
        measured(RESULT_TEXT.replace(MEASURED, "## Something else"))


@pytest.mark.parametrize(
    ("who", "came", "word"),
    [
        ("A", Came(22, 33, 20, 21), "holds"),
        ("A", Came(21, 33, 20, 14), "in part"),
        ("B", Came(20, 33, 20, 14), "holds"),
        ("C", Came(19, 33, 20, 14), "in part"),
        ("C", Came(12, 33, 9, 14), "in part"),
        ("A", Came(11, 33, 9, 14), "**does not hold**"),
        ("C", Came(33, 33, 33, 22), "in part: 22 harmless sessions alert, 14 untouched"),
        ("C", Came(3, 33, 3, 22), "**does not hold**"),
    ],
)
def test_a_verdict_is_of_what_still_alerts_and_of_who_alerts_for_nothing(who: str, came: Came, word: str) -> None:
    """The goals: 20 of 22 where only acts are changed, 18 of 22 else, and harmless alerts by half more at most."""
    assert verdict(who, came, UNTOUCHED) == word


def test_what_the_page_calls_open_is_not_said_to_hold() -> None:
    """No answer may be better than its figures, nor worse."""
    rows = measured(RESULT_TEXT)
    words = {name: verdict(DRILLS[name].who, rows[name], rows["untouched"]) for name in DRILLS if name != "untouched"}
    assert {name for name, word in words.items() if word == "**does not hold**"} == {
        name for name, answer in ANSWERS.items() if answer.startswith("**open**")
    }


def test_every_principle_names_tests_that_are_there() -> None:
    """Nine rows; a file of tests is more than its name."""
    _, _, table = PAGE_TEXT.partition("## Principles, and what holds them\n")
    rows = [line for line in table.partition("\n## ")[0].splitlines() if re.match(r"\| \d\. ", line)]
    assert len(rows) == 9
    for row in rows:
        files = re.findall(r"`(tests/[\w/]+\.py)`", row)
        assert files, row
        laws = [(ROOT / file).read_text("utf-8") for file in files]
        assert any("@given(" in text for text in laws), row


def test_a_search_finds_what_the_public_key_hides_and_nothing_under_another_key() -> None:
    """The drill does what it says: the digits make a known value for a detector without a secret, and for it alone."""
    names = ["report.txt", *(f"file-{number}" for number in range(300))]
    tick = tick_of(1e6, 86_400.0)
    cells = {secret: np.zeros(512, np.uint32) for secret in (None, "a secret")}

    def key(text: str, secret: str | None) -> np.uint64:
        under = hash_key(secret)
        with np.errstate(over="ignore"):
            return np.uint64(value_key(hash_text("send", under), hash_text("to", under), hash_text(text, under)))

    for secret, held in cells.items():
        for name in names:
            learn_key(held, key(name, secret), tick_of(0.0, 86_400.0))
    found = [collide(f"mallory-{number}@evil.example", "send", "to", cells[None], tick) for number in range(8)]
    assert all(text.rstrip("0123456789").endswith("@evil.example") and text[-1].isdigit() for text in found)
    assert [is_known(cells[None], key(text, None), tick) for text in found] == [True] * 8
    assert sum(is_known(cells["a secret"], key(text, "a secret"), tick) for text in found) == 0
