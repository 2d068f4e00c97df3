"""One record of OpenTelemetry as the mapping sees it, whichever encoding and signal it came in."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

Signal = Literal["log", "span", "metric", "none"]
Attributes = dict[str, Any]
"""Name -> text, whole number, number, boolean, list, table, or None for what was sent empty."""

MAX_ATTRIBUTES: Final = 1_024
"""Attributes of one record that are read, the first ones; OpenTelemetry's own default is 128."""
MAX_SPAN_EVENTS: Final = 64
"""Events of one span that are read: exceptions come first in practice, and two of them are the most seen."""
MAX_DEPTH: Final = 8
"""Levels of lists and tables within one attribute; deeper ones are None."""
SERVER: Final = 2
"""Span kind of who was called."""
FAILED: Final = 2
"""Status of a span that ended in an error."""


class Item(Struct, kw_only=True, eq=False, gc=False):
    """One log record or span, or why there is none.

    Parameters
    ----------
    signal : str
        ``log``, ``span``, ``metric``, or ``none`` where nothing could be read.
    resource, attributes : dict
        Attributes of the resource (shared between the items of one resource) and of the record.
    scope : str
        Name of the instrumentation scope.
    name : str
        Name of a span or metric; of a log record the OTLP field ``event_name``.
    body : str
        Body of a log record where it is a text.
    time_ns, start_ns, observed_ns : int
        Nanoseconds since the epoch, 0 for none: end of a span or time of a log record; start; observed.
    trace_id, span_id, parent_id : str
        Lower-case hexadecimal, empty for none.
    status, kind : int
        As OTLP numbers them.
    message : str
        Of the status.
    events : list of (str, dict)
        Name and attributes of a span's events.
    fault : str
        Why nothing could be read, else empty.
    """

    signal: Signal
    resource: Attributes = {}
    scope: str = ""
    attributes: Attributes = {}
    name: str = ""
    body: str = ""
    time_ns: int = 0
    start_ns: int = 0
    observed_ns: int = 0
    trace_id: str = ""
    span_id: str = ""
    parent_id: str = ""
    status: int = 0
    kind: int = 0
    message: str = ""
    events: list[tuple[str, Attributes]] = []
    fault: str = ""


def broken(fault: str) -> Item:
    """Return what stands for a record that could not be read."""
    return Item(signal="none", fault=fault)
