"""The tool behind ``make chaos``: its table, and what it runs."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.chaos import Seen, table
from tests.project.sources import ROOT


def _report(outcome: str, duration: float) -> Any:
    return SimpleNamespace(outcome=outcome, duration=duration)


def _tell(seen: Seen, fault: str | None, *reports: Any) -> None:
    """Give the plugin the phases of one test."""
    marker = SimpleNamespace(args=(fault,)) if fault else None
    item: Any = SimpleNamespace(nodeid="tests/kafka/test_x.py::test_y", get_closest_marker=lambda _: marker)
    for report in reports:
        hook = Seen.pytest_runtest_makereport(seen, item)
        next(hook)
        with pytest.raises(StopIteration) as ended:
            hook.send(report)
        assert ended.value.value is report


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [
        (("passed", "passed", "passed"), "held"),
        (("passed", "failed", "passed"), "**did not hold**"),
        (("passed", "passed", "failed"), "**did not hold**"),
        (("skipped", "passed"), "skipped"),
    ],
)
def test_a_row_says_the_worst_of_a_tests_phases(outcomes: tuple[str, ...], result: str) -> None:
    """A fault that held and could not be cleaned up has not held."""
    seen = Seen()
    _tell(seen, "a fault", *(_report(outcome, 1.5) for outcome in outcomes))
    (row,) = seen.rows.values()
    assert row.seconds == 1.5 * len(outcomes)
    assert table([row]).splitlines()[2] == (
        f"| a fault | `tests/kafka/test_x.py`: test_y | {result} | {row.seconds:.0f} |"
    )


def test_a_test_without_the_mark_makes_no_row() -> None:
    """Only faults stand in the table."""
    seen = Seen()
    _tell(seen, None, _report("passed", 1.0))
    assert (seen.rows, table([])) == ({}, "| fault | test | result | seconds |\n|---|---|---|---|")


def test_no_two_tests_claim_the_same_fault() -> None:
    """A reader of the table tells its rows apart."""
    files = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    faults = [fault for text in files for fault in re.findall(r'mark\.chaos\(\s*"([^"]+)"', text)]
    assert len(faults) > 15
    assert len(set(faults)) == len(faults)
