"""The demo's verdict: what was injected, found, missed, false, how soon, and whether that is good enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from detector.demo.facts import DemoFacts, SeenAlert
from detector.simulate.injected import Attack
from detector.simulate.scenario import Scenario

EXFILTRATION = "hijack"
"""The kind that carries data out; its agent must be quarantined."""
SLACK_SIGMAS = 3.0
"""Benign alarms scatter around the budget as a binomial count does; beyond three of its deviations it is broken."""


@dataclass(frozen=True, slots=True)
class AttackResult:
    """What became of one injected attack.

    Attributes
    ----------
    kind, agent_id : str
        Attack and agent.
    is_found : bool
        An alert names one of its sessions.
    detect_s : float or None
        Seconds from its first live event to the alert in a consumer's hands; 0 if it was found in the history.
    is_quarantined : bool
        A policy state in enforce mode quarantines the agent.
    tier : str
        Strongest tier the agent was given.
    """

    kind: str
    agent_id: str
    is_found: bool
    detect_s: float | None
    is_quarantined: bool
    tier: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of a whole demo, and why it failed, if it did."""

    seed: int
    broker: str
    history_events: int
    live_events: int
    scored: int
    refused: int
    attacks: tuple[AttackResult, ...]
    live_sessions: int
    promised_alarms: float
    false_alarms: int
    allowed_alarms: int
    commands: int
    seconds: float
    failures: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What happened around the facts.

    Attributes
    ----------
    seed : int
        Of the scenario.
    broker : str
        Rung.
    began_at : float
        Wall clock at which the live part began; its events are sent at ``began_at`` plus their offset.
    seconds : float
        Length of the run without set-up.
    budget : float
        Promised alarms as a share of closed sessions.
    timed_out : str
        What did not happen in time; empty if all did.
    """

    seed: int
    broker: str
    began_at: float
    seconds: float
    budget: float
    timed_out: str = ""


def summarise(scenario: Scenario, facts: DemoFacts, run: DemoRun) -> Summary:
    """Return the verdict over a finished run."""
    attacks = tuple(_found(attack, scenario, facts, run) for attack in scenario.attacks)
    sessions = {event.session_id for _, event in scenario.live}
    bad = {session for attack in scenario.attacks for session in attack.session_ids}
    false = _false_alarms(scenario, facts, bad)
    promised = run.budget * len(sessions)
    allowed = math.ceil(promised + SLACK_SIGMAS * math.sqrt(promised))
    return Summary(
        seed=run.seed,
        broker=run.broker,
        history_events=len(scenario.history),
        live_events=len(scenario.live),
        scored=int(facts.figures.get("detector_events_total", 0)),
        refused=facts.refused,
        attacks=attacks,
        live_sessions=len(sessions),
        promised_alarms=round(promised, 1),
        false_alarms=len(false),
        allowed_alarms=allowed,
        commands=len(facts.commands),
        seconds=round(run.seconds, 1),
        failures=tuple(_failures(attacks, len(false), allowed, run)),
    )


def _found(attack: Attack, scenario: Scenario, facts: DemoFacts, run: DemoRun) -> AttackResult:
    hits = alerts_of(attack, facts)
    commands = [one for one in facts.commands if one.agent_id == attack.agent_id and one.mode == "enforce"]
    held = [one.tier for one in commands if one.state == "quarantined"]
    detect_s = None
    if hits:
        live_sent = run.began_at + attack.first_live_ts - scenario.live_start
        detect_s = max(0.0, round(min(hit.at for hit in hits) - live_sent, 2))
    tier = "isolate" if "isolate" in held else (held[-1] if held else "")
    return AttackResult(attack.kind, attack.agent_id, bool(hits), detect_s, bool(held), tier)


def alerts_of(attack: Attack, facts: DemoFacts) -> list[SeenAlert]:
    """Return the alerts that name a session of the attack."""
    return [alert for alert in facts.alerts.values() if alert.session_id in attack.session_ids]


def _false_alarms(scenario: Scenario, facts: DemoFacts, bad: set[str]) -> list[SeenAlert]:
    return [
        alert
        for alert in facts.alerts.values()
        if alert.session_id not in bad and alert.event_time >= scenario.live_start and alert.agent_id != "*"
    ]


def _failures(attacks: Sequence[AttackResult], false: int, allowed: int, run: DemoRun) -> list[str]:
    failures = [f"{one.kind} on {one.agent_id} went unseen" for one in attacks if not one.is_found]
    failures += [
        f"{one.agent_id} exfiltrated and was not quarantined"
        for one in attacks
        if one.kind == EXFILTRATION and not one.is_quarantined
    ]
    if false > allowed:
        failures.append(f"{false} false alarms are over the budget, which allows {allowed}")
    if run.timed_out:
        failures.append(f"time ran out: {run.timed_out}")
    return failures
