"""The summary of the demo as it is shown at the end: what was learned apart from what rules told."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from detector.demo.expected import LEARNED, named
from detector.demo.summary import AttackResult, Summary

_PADDING = (0, 1, 0, 0)
"""Of cells: names of agents and rules beside each other fit into 80 columns."""


def summary_panel(summary: Summary) -> Panel:
    """Return the summary as it is shown at the end."""
    learned = [one for one in summary.attacks if one.expected == named(LEARNED)]
    ruled = [one for one in summary.attacks if one not in learned]
    parts: list[Table | Text | str] = [_table("Learned: odd for the agent and its peers", learned)]
    parts.append(_tally(learned))
    parts.append(
        f"False alarms: {summary.false_alarms} in {summary.live_sessions:,} sessions "
        f"(promised {summary.promised_alarms:.1f}, allowed {summary.allowed_alarms})"
    )
    if ruled:
        parts += [
            Text(),
            _table("By rule: held against the registry; rules tell, and contain nobody", ruled),
            _tally(ruled),
        ]
        parts.append(
            f"False alarms: {summary.false_by_registry} of {summary.registered:,} registered agents (allowed none)"
        )
    size = (
        f"{summary.history_events:,} events of history, {summary.live_events:,} live, {summary.refused} refused; "
        f"{summary.commands} commands; {summary.seconds:.0f} s on the {summary.broker} broker, seed {summary.seed}"
    )
    verdict = Text("passed", style="bold green")
    if summary.failures:
        verdict = Text("failed: " + "; ".join(summary.failures), style="bold red")
    return Panel(Group(*parts, Text(), size, verdict), title="Summary")


def _table(title: str, attacks: Sequence[AttackResult]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=_PADDING)
    for column in ("attack", "agent", "found", "tier"):
        table.add_column(column, no_wrap=True)
    table.add_column("also by")
    for one in attacks:
        agents = "\n> ".join(one.path or (one.agent_id,))
        table.add_row(one.kind, agents, _mark(one), one.tier or "-", ", ".join(one.also) or "-")
    return table


def _mark(one: AttackResult) -> Text:
    if one.is_found:
        return Text(f"in {one.detect_s:.1f} s" if one.detect_s else "earlier", style="green")
    return Text("missed", style="bold red") if one.is_required else Text("not yet", style="yellow")


def _tally(attacks: Sequence[AttackResult]) -> str:
    found = sum(one.is_found for one in attacks)
    missed = [one for one in attacks if not one.is_found]
    text = f"Injected {len(attacks)}, found {found}, missed {len(missed)}"
    for one in missed:
        if not one.is_required:
            told = f"; its steps were told by {', '.join(one.also)}" if one.also else ""
            text += f" ({one.kind} is not promised: nothing names it yet{told})"
    return text
