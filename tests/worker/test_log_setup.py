"""Clients that complain without end are heard once in a while."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest

from detector.worker.log_setup import Thinned

LEAK = """
import logging
from detector.worker.log_setup import set_up_logging
set_up_logging("info", is_json={is_json})
def act():
    payload = "top " + "secret"
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger({name!r}).exception("it broke")
act()
"""


@pytest.mark.integration
@pytest.mark.parametrize("is_json", [True, False])
@pytest.mark.parametrize("name", ["detector.scoring", "faust"])
def test_a_logged_traceback_shows_no_local_variables(name: str, is_json: bool) -> None:
    """Payloads and passwords stand in local variables; the log gets the error, not them."""
    code = LEAK.format(name=name, is_json=is_json)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "ValueError: boom" in ran.stderr
    assert "top secret" not in ran.stderr
    assert re.search(r"\d\d:\d\d:\d\d(\.\d+)?Z", ran.stderr), "times are in UTC, whatever the machine's zone"


def _record(text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("aiokafka", logging.ERROR, "conn.py", 1, text, values, None)


def test_one_of_a_kind_passes_every_ten_seconds() -> None:
    """The kind is the text before its values: another number is no other complaint."""
    now = [0.0]
    thinned = Thinned(lambda: now[0])
    assert thinned.filter(_record("node %s is down", 1))
    assert not thinned.filter(_record("node %s is down", 2))
    assert thinned.filter(_record("fetch failed"))
    now[0] = 10.0
    assert thinned.filter(_record("node %s is down", 3))


def test_invented_texts_fill_no_memory() -> None:
    """At most 512 kinds are remembered."""
    thinned = Thinned(lambda: 0.0)
    for number in range(5_000):
        thinned.filter(_record(f"text {number}"))
    assert len(thinned._last) <= 512
