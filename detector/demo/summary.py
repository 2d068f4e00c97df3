"""The demo's verdict: what was injected, found, missed, false, how soon, and whether that is good enough."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from detector.demo.expected import EXPECTED, LEARNED, is_of, is_of_registry, named
from detector.demo.facts import DemoFacts, SeenAlert
from detector.simulate.injected import Attack
from detector.simulate.scenario import Scenario

EXFILTRATION = "hijack"
"""The kind that carries data out; its agent must be quarantined."""
SLACK_SIGMAS = 3.0
"""Benign alarms scatter around the budget as a binomial count does; beyond three of its deviations it is broken."""
FLEET_WIDE = "*"
"""Whom a finding names that is about no single agent."""


@dataclass(frozen=True, slots=True)
class AttackResult:
    """What became of one injected attack.

    Attributes
    ----------
    kind, agent_id : str
        Attack and agent.
    path : tuple of str
        Of a lateral path its agents, in order.
    expected : str
        What is to find it: ``learned``, or the name of a rule.
    is_required : bool
        Whether the demo fails if that did not.
    is_found : bool
        What is to find it did.
    detect_s : float or None
        Seconds from its first live event to that alert in a consumer's hands; 0 if it was found in the history.
    also : tuple of str
        What else told of it.
    is_quarantined : bool
        A policy state in enforce mode quarantines the agent.
    tier : str
        Strongest tier the agent was given.
    """

    kind: str
    agent_id: str
    path: tuple[str, ...]
    expected: str
    is_required: bool
    is_found: bool
    detect_s: float | None
    also: tuple[str, ...]
    is_quarantined: bool
    tier: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of a whole demo, and why it failed, if it did.

    `false_alarms` are those of harmless live sessions that count against the budget; `false_by_registry` are harmless
    agents of which a rule of the registry told something, in the history as well: none is allowed.
    """

    seed: int
    broker: str
    registered: int
    history_events: int
    live_events: int
    scored: int
    refused: int
    attacks: tuple[AttackResult, ...]
    live_sessions: int
    promised_alarms: float
    false_alarms: int
    allowed_alarms: int
    false_by_registry: int
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
    false = _false_alarms(scenario, facts)
    wronged = {one.agent_id for one in _unfounded(scenario, facts) if is_of_registry(one.detection)}
    promised = run.budget * len(sessions)
    allowed = math.ceil(promised + SLACK_SIGMAS * math.sqrt(promised))
    return Summary(
        seed=run.seed,
        broker=run.broker,
        registered=len(scenario.entries),
        history_events=len(scenario.history),
        live_events=len(scenario.live),
        scored=int(facts.figures.get("detector_events_total", 0)),
        refused=facts.refused,
        attacks=attacks,
        live_sessions=len(sessions),
        promised_alarms=round(promised, 1),
        false_alarms=len(false),
        allowed_alarms=allowed,
        false_by_registry=len(wronged),
        commands=len(facts.commands),
        seconds=round(run.seconds, 1),
        failures=tuple(_failures(attacks, (len(false), allowed), wronged, run)),
    )


def _found(attack: Attack, scenario: Scenario, facts: DemoFacts, run: DemoRun) -> AttackResult:
    expected = EXPECTED[attack.kind]
    told = findings_of(attack, facts)
    hits = [one for one in told if is_of(one.detection, expected)]
    commands = [one for one in facts.commands if one.agent_id in _agents_of(attack) and one.mode == "enforce"]
    held = [one.tier for one in commands if one.state == "quarantined"]
    detect_s = None
    if hits:
        live_sent = run.began_at + attack.first_live_ts - scenario.live_start
        detect_s = max(0.0, round(min(hit.at for hit in hits) - live_sent, 2))
    return AttackResult(
        kind=attack.kind,
        agent_id=attack.agent_id,
        path=attack.path,
        expected=named(expected.detection),
        is_required=expected.is_required,
        is_found=bool(hits),
        detect_s=detect_s,
        also=tuple(dict.fromkeys(named(one.detection) for one in told if not is_of(one.detection, expected))),
        is_quarantined=bool(held),
        tier="isolate" if "isolate" in held else (held[-1] if held else ""),
    )


def _agents_of(attack: Attack) -> tuple[str, ...]:
    return attack.path or (attack.agent_id,)


def findings_of(attack: Attack, facts: DemoFacts) -> list[SeenAlert]:
    """Return what was told of the attack: in its sessions, and by what is to find it of its agents.

    A rule of the registry tells a fault of an agent once a day, at the first event that has it, whichever session that
    is in. What is found where a tenant is whole is of no session.
    """
    expected, agents = EXPECTED[attack.kind], _agents_of(attack)
    return [
        one
        for one in facts.findings.values()
        if one.session_id in attack.session_ids
        or (one.agent_id in agents and not one.session_id)
        or (one.agent_id in agents and not expected.is_learned and is_of(one.detection, expected))
    ]


def _unfounded(scenario: Scenario, facts: DemoFacts) -> list[SeenAlert]:
    """Return what was told of agents and sessions that were harmless."""
    founded = {id(one) for attack in scenario.attacks for one in findings_of(attack, facts)}
    return [one for one in facts.findings.values() if id(one) not in founded and one.agent_id != FLEET_WIDE]


def _false_alarms(scenario: Scenario, facts: DemoFacts) -> set[str]:
    """Return the findings of harmless live sessions that count against the budget: all but those of the registry."""
    return {
        one.uid
        for one in _unfounded(scenario, facts)
        if one.event_time >= scenario.live_start and not is_of_registry(one.detection)
    }


def _failures(
    attacks: Sequence[AttackResult], false: tuple[int, int], wronged: Iterable[str], run: DemoRun
) -> list[str]:
    failures = []
    for one in attacks:
        if one.is_required and not one.is_found:
            by = "" if one.expected == named(LEARNED) else f" by rule {one.expected}"
            failures.append(f"{one.kind} on {one.agent_id} went unseen{by}")
    failures += [
        f"{one.agent_id} exfiltrated and was not quarantined"
        for one in attacks
        if one.kind == EXFILTRATION and not one.is_quarantined
    ]
    alarms, allowed = false
    if alarms > allowed:
        failures.append(f"{alarms} false alarms are over the budget, which allows {allowed}")
    if harmless := sorted(wronged):
        failures.append(f"rules of the registry told of harmless agents: {', '.join(harmless)}")
    if run.timed_out:
        failures.append(f"time ran out: {run.timed_out}")
    return failures
