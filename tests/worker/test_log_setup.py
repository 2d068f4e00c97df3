"""Clients that complain without end are heard once in a while."""

from __future__ import annotations

import logging

from detector.worker.log_setup import Thinned


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
