"""Faults made on purpose, most of them on a real Apache Kafka; what must hold afterwards is the test's first line.

Each row is a test marked `chaos` with the fault's name. *held* means: alerts and state are those of a replay that had
no fault, byte for byte, where the test is about those; nothing is lost in silence.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORDS = {"passed": "held", "failed": "**did not hold**", "skipped": "skipped"}


class Row(NamedTuple):
    """One fault, the test that makes it, what came of it, and how long that took with everything around it."""

    fault: str
    test: str
    result: str
    seconds: float


class Seen:
    """A plugin of pytest that keeps what came of every test marked ``chaos``."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add a phase of a test to its row: the worst result counts, and the seconds of all."""
        report = yield
        marker = item.get_closest_marker("chaos")
        if marker is not None:
            before = self.rows.get(item.nodeid, Row(str(marker.args[0]), item.nodeid, "passed", 0.0))
            result = report.outcome if report.outcome != "passed" else before.result
            self.rows[item.nodeid] = before._replace(result=result, seconds=before.seconds + report.duration)
        return report


def measure() -> list[Row]:
    """Run every test marked ``chaos`` and return its row."""
    seen = Seen()
    pytest.main(["-m", "chaos", "-q", "-p", "no:cacheprovider", str(ROOT / "tests")], plugins=[seen])
    return list(seen.rows.values())


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table, in the order in which they ran."""
    lines = ["| fault | test | result | seconds |", "|---|---|---|---|"]
    for row in rows:
        path, _, name = row.test.partition("::")
        lines.append(f"| {row.fault} | `{path}`: {name} | {WORDS[row.result]} | {row.seconds:.0f} |")
    return "\n".join(lines)


def section() -> str:
    """Return the table of all faults as they are made now."""
    rows = measure()
    if not rows:
        sys.exit("chaos: no test ran")
    return table(rows)
