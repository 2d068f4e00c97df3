"""The demo on a terminal: attacks, findings by rule apart from learned ones, with reasons, and commands."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from detector.demo.expected import EXPECTED, LEARNED, is_of, named
from detector.demo.facts import DemoFacts, SeenAlert
from detector.demo.summary import findings_of
from detector.simulate.injected import Attack
from detector.simulate.scenario import Scenario

MOST_ALERTS = 12
MOST_COMMANDS = 6
LEAST_SHOWN = 2
LEAST_NAME = 12
"""Characters of an agent's name shown on the narrowest terminal."""
FRAME_LINES = 15
"""Titles, headers and rules of the four tables, the empty lines between them, and the line above them."""
RATE_OVER_S = 3.0
PRINT_S = 5.0
_COLUMNS = ("time", "severity", "agent", "by", "why")
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
        self._findings_told = self._commands_told = 0

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
        seen = [attack.agent_id for attack in scenario.attacks] + [one.agent_id for one in facts.findings.values()]
        seen += [one.agent_id for one in facts.commands]
        short = short_names(seen, max(LEAST_NAME, self._console.width // 4))
        room = self._console.height - len(scenario.attacks) - FRAME_LINES
        commands = min(MOST_COMMANDS, max(LEAST_SHOWN, room // 4))
        findings = min(MOST_ALERTS, max(LEAST_SHOWN, (room - commands) // 2))
        ruled = [one for one in facts.findings.values() if one.detection != LEARNED]
        learned = [one for one in facts.findings.values() if one.detection == LEARNED]
        parts: list[RenderableType] = [
            Text(head, style="bold"),
            _attacks(scenario, facts, short),
            Text(),
            _ruled(scenario, ruled[-findings:], short),
            Text(),
            _learned(scenario, learned[-findings:], short),
            Text(),
            _commands(facts, commands, short),
        ]
        self._live.update(Group(*parts))

    def _tell(self, head: str, now: float, facts: DemoFacts) -> None:
        for one in list(facts.findings.values())[self._findings_told :]:
            by = f"learned {one.score:.2f}" if one.detection == LEARNED else f"by rule {named(one.detection)}"
            self.say(f"  {by} {one.severity} {one.agent_id}: {one.why}")
        for command in facts.commands[self._commands_told :]:
            self.say(f"  command {command.state} {command.tier} {command.agent_id} ({command.mode})")
        self._findings_told, self._commands_told = len(facts.findings), len(facts.commands)
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
    table = Table(title=title, title_justify="left", expand=True, box=SIMPLE_HEAD, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in {"attack", "agent"})
    return table


def _attacks(scenario: Scenario, facts: DemoFacts, short: Mapping[str, str]) -> Table:
    table = _table("Injected", "attack", "agent", "promised by", "found", "also by", "contained")
    held = {one.agent_id: one.tier for one in facts.commands if one.state == "quarantined"}
    for attack in scenario.attacks:
        expected = EXPECTED[attack.kind]
        by = named(expected.detection) if expected.is_required else "nothing yet"
        mark, also = _marks(attack, facts)
        contained = Text(held.get(attack.agent_id, "-"))
        table.add_row(attack.kind, short[attack.agent_id], by, mark, Text(also, no_wrap=True), contained)
    return table


def _marks(attack: Attack, facts: DemoFacts) -> tuple[Text, str]:
    """Return whether what is to find an attack did, and what else told of it."""
    expected, told = EXPECTED[attack.kind], findings_of(attack, facts)
    is_found = any(is_of(one.detection, expected) for one in told)
    also = dict.fromkeys(named(one.detection) for one in told if not is_of(one.detection, expected))
    mark = Text("found", style="green") if is_found else Text("not yet", style="dim")
    return mark, ", ".join(also)


def _ruled(scenario: Scenario, findings: Sequence[SeenAlert], short: Mapping[str, str]) -> Table:
    table = _table("By rule: against the registry, or never right; from the first event on", *_COLUMNS)
    for one in findings:
        _add(table, scenario, one, (short[one.agent_id], named(one.detection)))
    return table


def _learned(scenario: Scenario, findings: Sequence[SeenAlert], short: Mapping[str, str]) -> Table:
    table = _table("Learned: odd for the agent and its peers; within a budget of false alarms", *_COLUMNS)
    for one in findings:
        _add(table, scenario, one, (short[one.agent_id], f"{one.score:.2f}"))
    return table


def _add(table: Table, scenario: Scenario, one: SeenAlert, words: tuple[str, str]) -> None:
    """Add a finding to a table; the agent stands out where it is one that something was injected into."""
    injected = {agent for attack in scenario.attacks for agent in (attack.agent_id, *attack.path)}
    agent = Text(words[0], style="bold" if one.agent_id in injected else "")
    clock = time.strftime("%H:%M:%S", time.localtime(one.at))
    severity = Text(one.severity, style=COLOURS.get(one.severity, ""))
    table.add_row(clock, severity, agent, words[1], Text(one.why, overflow="ellipsis", no_wrap=True))


def _commands(facts: DemoFacts, most: int, short: Mapping[str, str]) -> Table:
    table = _table("Commands on agent.policy", "time", "agent", "state", "tier", "mode")
    for one in facts.commands[-most:]:
        clock = time.strftime("%H:%M:%S", time.localtime(one.at))
        table.add_row(clock, short[one.agent_id], one.state, one.tier, one.mode)
    return table
