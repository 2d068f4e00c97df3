"""One record of a topic, as the pipeline sees it: bytes and where they came from; knows nothing of Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import count, repeat
from typing import NamedTuple


class Record(NamedTuple):
    """One record of an event topic: one event, or NDJSON of many.

    Parameters
    ----------
    value : bytes
        The payload; a null payload is handed in as ``b""``.
    key : bytes or None
        The record's key; None where there is none, and then it is not compared with the agent id.
    topic, partition, offset : str, int, int
        Where the record stands; goes into the evidence of an alert.
    timestamp_ms : int or None
        The broker's or producer's time in milliseconds since the epoch; time tolerance is judged against it.
    receipt_ms : int or None
        The broker's own time of the record, in milliseconds since the epoch: nobody who sends sets it. None where the
        record carries its sender's time, and where there is no broker (files).
    """

    value: bytes
    key: bytes | None = None
    topic: str = ""
    partition: int = 0
    offset: int = 0
    timestamp_ms: int | None = None
    receipt_ms: int | None = None


def records_of(values: Iterable[bytes], first: int = 0) -> list[Record]:
    """Return payloads as records that stand one behind the other, from offset `first` on, and know no more.

    Examples
    --------
    >>> records_of([b"a", b"b"], 7)[1] == Record(b"b", offset=8)
    True
    """
    rest = (repeat(None), repeat(""), repeat(0), count(first), repeat(None), repeat(None))
    # what Record() does, without a call in Python for each
    return list(map(partial(tuple.__new__, Record), zip(values, *rest, strict=False)))
