"""What a check found, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from detector.connect.check import FIELDS, SourceCheck
from detector.otlp.explain import shown

MOST_ROWS = 12


def page_of(check: SourceCheck) -> Iterator[RenderableType]:
    """Yield the parts of the page, from what arrived to what to do."""
    yield Text(summary(check), style="bold")
    if not check.events:
        yield _nothing(check)
        return
    yield _names(check)
    yield _fields(check)
    if check.attributes:
        table = _table("Attributes of acts", "name", "acts")
        for name, count in check.attributes.most_common(MOST_ROWS):
            table.add_row(Text(shown(name)), str(count))
        yield table
    yield _detections(check)
    missing = check.missing()
    if missing:
        table = _table("Missing, and what to do", "field", "blind for it", "what to do")
        for one in missing:
            table.add_row(one.name, ", ".join(one.blinds), one.advice)
        yield table


def summary(check: SourceCheck) -> str:
    """Return what arrived, in a line."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in check.events.most_common())
    events = sum(check.events.values())
    head = f"{check.source}: {events} events of {len(check.agents)} agents ({kinds or 'none'})"
    telemetry = f"from {check.records} records of telemetry" if check.mapped else "as native events"
    if not check.is_live:
        return f"{head}, {telemetry}"
    bridged = f"{check.on_events} on agent.events"
    if check.mapped and not check.on_events:
        bridged += ": is `detector otlp bridge` running?"
    return f"{head}, {telemetry}; {bridged}"


def _nothing(check: SourceCheck) -> RenderableType:
    lines = ["Nothing of this source became an event."]
    for (name, reason), count in check.left_out.most_common(MOST_ROWS):
        lines.append(f"  {count} x {shown(name) or '(no name)'}: {reason}")
    if check.elsewhere:
        others = ", ".join(f"{shown(name)} ({count})" for name, count in check.elsewhere.most_common(MOST_ROWS))
        lines.append(f"Of others there came: {others}.")
    else:
        lines.append(
            "Nothing came at all. In order: the agent has run since its settings were set; its endpoint is the "
            "Collector's; the Collector's log names no refused export; the topics are those it writes."
        )
    return Text("\n".join(lines))


def _names(check: SourceCheck) -> RenderableType:
    table = _table("Agents are named from", "attribute", "events", "what to do")
    for name, count, advice in check.names()[:MOST_ROWS]:
        table.add_row(Text(shown(name)), str(count), advice or "nothing: as it should be")
    return table


def _fields(check: SourceCheck) -> RenderableType:
    table = _table("Native fields", "field", "of the events that may have it", *check.events)
    for name in FIELDS:
        found, of = check.share(name)
        if found:
            cells = [str(check.filled[kind][name] or "") for kind in check.events]
            table.add_row(name, f"{found} of {of}", *cells)
    return table


def _detections(check: SourceCheck) -> RenderableType:
    table = _table("Detections", "name", "kind", "events", "looks at")
    for one in check.detections():
        blind = f"blind: no {', '.join(one.lacks)}" if one.lacks else "blind"
        table.add_row(one.name, one.kind, str(one.events) if one.events else blind, one.finds)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
