"""What became of each record of a file, as lines of JSON or as a table for a reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from rich.table import Table
from rich.text import Text

from detector.otlp.mapper import MAPPED, Mapper, RecordVerdict
from detector.otlp.read import read
from detector.otlp.tables import Table as Mapping
from detector.schema.event import Event


def explain(raw: bytes, tables: Sequence[Mapping] | None = None) -> list[RecordVerdict]:
    """Return the verdict on every record in the bytes of a file, in order.

    Parameters
    ----------
    raw : bytes
        Of a file: OTLP log records or spans, protobuf or JSON, compressed or not.
    tables : sequence of Table, optional
        The shipped ones if left out.
    """
    return Mapper(tables).map(read(raw))


def lines(verdicts: Sequence[RecordVerdict]) -> Iterator[str]:
    """Yield one JSON line a record: its number from 0, its source, the event or null, and why."""
    for number, verdict in enumerate(verdicts):
        line = {"record": number, "source": verdict.source, "event": verdict.event, "why": said(verdict)}
        yield msgspec.json.encode(line).decode()


def said(verdict: RecordVerdict) -> str:
    """Return why, the countable word first: ``double: its api_response tells it``."""
    return f"{verdict.reason}: {verdict.why}"


def counted(verdicts: Sequence[RecordVerdict]) -> list[tuple[str, str, str, int]]:
    """Return how many records of each source, name and reason there were, the events first, then the most."""
    counts = Counter((verdict.source, verdict.name, verdict.reason) for verdict in verdicts)
    found = [(*key, count) for key, count in counts.items()]
    return sorted(found, key=lambda row: (row[2] != MAPPED, -row[3], row[:3]))


def table_of(verdicts: Sequence[RecordVerdict]) -> Table:
    """Return the records as a table: what each became, and why."""
    table = Table(title="records", title_justify="left", expand=True)
    for column, kind in (("#", "right"), ("source", "left"), ("record", "left"), ("event", "left"), ("why", "left")):
        table.add_column(column, justify="right" if kind == "right" else "left", overflow="fold")
    for number, verdict in enumerate(verdicts):
        event = verdict.event
        cells = (str(number), verdict.source, verdict.name, "" if event is None else summary(event), said(verdict))
        table.add_row(*(Text(shown(cell)) for cell in cells), style="dim" if event is None else None)
    return table


def counts_table(verdicts: Sequence[RecordVerdict]) -> Table:
    """Return the counts by source, name and reason as a table."""
    mapped = sum(verdict.event is not None for verdict in verdicts)
    title = f"{len(verdicts)} records: {mapped} events, {len(verdicts) - mapped} not mapped"
    table = Table(title=title, title_justify="left")
    for column in ("source", "record", "reason"):
        table.add_column(column, overflow="fold")
    table.add_column("records", justify="right")
    for source, name, reason, count in counted(verdicts):
        table.add_row(*(Text(shown(cell)) for cell in (source, name, reason)), str(count))
    return table


def summary(event: Event) -> str:
    """Return an event in a line: what was done to what, how it ended, by whom."""
    done = f"{event.kind} {event.name}" + (f" -> {event.target}" if event.target else "")
    if event.peer_agent_id:
        done += f" -> {event.peer_agent_id}"
    ended = "" if event.outcome == "ok" else f" [{event.outcome}]"
    size = [f"{name} {value:g}" for name, value in (("in", event.tokens_in), ("out", event.tokens_out)) if value]
    if event.cost_usd:
        size.append(f"${event.cost_usd:.4g}")
    return f"{done}{ended}{' (' + ', '.join(size) + ')' if size else ''}, by {event.agent_id}"


def shown(text: str) -> str:
    """Return a sender's text as a terminal may show it: nothing in it moves the cursor or changes a colour."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)
