"""The demo on a terminal: events per second, attacks, alerts with reasons, commands; and the summary at the end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from detector.demo.facts import DemoFacts
from detector.demo.summary import Summary, alerts_of
from detector.simulate.scenario import Scenario

MOST_ALERTS = 12
MOST_COMMANDS = 6
LEAST_SHOWN = 2
LEAST_NAME = 12
"""Characters of an agent's name shown on the narrowest terminal."""
FRAME_LINES = 17
"""Titles, headers and borders of the three tables, and the line above them."""
RATE_OVER_S = 3.0
PRINT_S = 5.0
COLOURS = {"Critical": "bold red", "High": "red", "Medium": "yellow", "Low": "cyan"}


class View:
    """What the operator looks at; without a terminal, lines.

    Parameters
    ----------
    console : Console
        Where it is drawn.
    has_view : bool
        False prints lines.
    """

    def __init__(self, console: Console, *, has_view: bool) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if has_view else None
        self._seen: deque[tuple[float, int]] = deque()
        self._printed = 0.0
        self._alerts_told = self._commands_told = 0

    def say(self, text: str) -> None:
        """Show one line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, phase: str, sent: int, scenario: Scenario, facts: DemoFacts) -> None:
        """Draw the state of things."""
        now = time.monotonic()
        self._seen.append((now, facts.records))
        while now - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        rate = (after - before) / (last - first) if last > first else 0.0
        head = f"{phase}   sent {sent:,}   scored {facts.records:,}   {rate:,.0f} events/s"
        if self._live is None:
            self._tell(head, now, facts)
            return
        seen = [attack.agent_id for attack in scenario.attacks] + [one.agent_id for one in facts.alerts.values()]
        seen += [one.agent_id for one in facts.commands]
        short = short_names(seen, max(LEAST_NAME, self._console.width // 4))
        parts: list[RenderableType] = [Text(head, style="bold"), _attacks(scenario, facts, short)]
        room = self._console.height - len(scenario.attacks) - FRAME_LINES
        commands = min(MOST_COMMANDS, max(LEAST_SHOWN, room // 3))
        alerts = min(MOST_ALERTS, max(LEAST_SHOWN, room - commands))
        self._live.update(Group(*parts, _alerts(scenario, facts, alerts, short), _commands(facts, commands, short)))

    def _tell(self, head: str, now: float, facts: DemoFacts) -> None:
        for alert in list(facts.alerts.values())[self._alerts_told :]:
            self.say(f"  alert {alert.score:.2f} {alert.severity} {alert.agent_id}: {alert.why}")
        for one in facts.commands[self._commands_told :]:
            self.say(f"  command {one.state} {one.tier} {one.agent_id} ({one.mode})")
        self._alerts_told, self._commands_told = len(facts.alerts), len(facts.commands)
        if now - self._printed >= PRINT_S:
            self._printed = now
            self.say(f"{head}   alerts {len(facts.alerts)}   commands {len(facts.commands)}")


def short_names(names: Iterable[str], most: int) -> dict[str, str]:
    """Return each name as it is shown: cut in its middle to a number of characters, longer where two were alike."""
    shown: dict[str, str] = {}
    for name in sorted(set(names)):
        room = most
        while (short := _without_middle(name, room)) in shown.values():
            room += 1  # ends at the latest with the whole name
        shown[name] = short
    return shown


def _without_middle(name: str, most: int) -> str:
    if len(name) <= most:
        return name
    tail = most // 2
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def _table(title: str, *columns: str) -> Table:
    """Return an empty table; agents, which are short already, keep their width."""
    table = Table(title=title, expand=True)
    for column in columns:
        table.add_column(column, no_wrap=column == "agent")
    return table


def _attacks(scenario: Scenario, facts: DemoFacts, short: Mapping[str, str]) -> Table:
    table = _table("Injected", "attack", "agent", "alerts", "quarantined")
    held = {one.agent_id: one.tier for one in facts.commands if one.state == "quarantined"}
    for attack in scenario.attacks:
        count = len(alerts_of(attack, facts))
        mark = Text(f"found ({count})", style="green") if count else Text("not yet", style="dim")
        table.add_row(attack.kind, short[attack.agent_id], mark, Text(held.get(attack.agent_id, "-")))
    return table


def _alerts(scenario: Scenario, facts: DemoFacts, most: int, short: Mapping[str, str]) -> Table:
    table = _table("Alerts", "time", "severity", "agent", "score", "why")
    bad = {session for attack in scenario.attacks for session in attack.session_ids}
    for alert in list(facts.alerts.values())[-most:]:
        agent = Text(short[alert.agent_id], style="bold" if alert.session_id in bad else "")
        clock = time.strftime("%H:%M:%S", time.localtime(alert.at))
        severity = Text(alert.severity, style=COLOURS.get(alert.severity, ""))
        table.add_row(clock, severity, agent, f"{alert.score:.2f}", Text(alert.why, overflow="ellipsis", no_wrap=True))
    return table


def _commands(facts: DemoFacts, most: int, short: Mapping[str, str]) -> Table:
    table = _table("Commands on agent.policy", "time", "agent", "state", "tier", "mode")
    for one in facts.commands[-most:]:
        clock = time.strftime("%H:%M:%S", time.localtime(one.at))
        table.add_row(clock, short[one.agent_id], one.state, one.tier, one.mode)
    return table


def summary_panel(summary: Summary) -> Panel:
    """Return the summary as it is shown at the end."""
    table = Table("attack", "agent", "found", "after", "tier")
    for one in summary.attacks:
        mark = Text("found", style="green") if one.is_found else Text("missed", style="bold red")
        took = "" if one.detect_s is None else f"{one.detect_s:.1f} s"
        table.add_row(one.kind, one.agent_id, mark, took, one.tier or "-")
    found = sum(one.is_found for one in summary.attacks)
    tally = (
        f"injected {len(summary.attacks)}, found {found}, missed {len(summary.attacks) - found}; "
        f"false alarms {summary.false_alarms} in {summary.live_sessions} sessions "
        f"(promised {summary.promised_alarms:.1f}, allowed {summary.allowed_alarms})"
    )
    size = (
        f"{summary.history_events:,} events of history, {summary.live_events:,} live, {summary.refused} refused; "
        f"{summary.commands} commands; {summary.seconds:.0f} s on the {summary.broker} broker, seed {summary.seed}"
    )
    verdict = Text("passed", style="bold green")
    if summary.failures:
        verdict = Text("failed: " + "; ".join(summary.failures), style="bold red")
    return Panel(Group(table, tally, size, verdict), title="Summary")
