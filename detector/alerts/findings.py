"""From a judgement to a finding: severity, reasons, ids."""

from __future__ import annotations

import hashlib
import math
from typing import Final, NamedTuple

from detector.alerts.act import shown_of
from detector.alerts.explain import Seen, explained, is_of_newcomer, normal_if, taxonomy
from detector.rules import Hit, RuleEntry
from detector.schema.alert import Contribution, Evidence, Severity
from detector.schema.event import Event
from detector.schema.finding import Finding
from detector.schema.record import Record
from detector.steps.decisions import QUARANTINE

DETECTION: Final = "behaviour.session"
_ALERT, _QUARANTINE = f"{DETECTION}/alert/", f"{DETECTION}/quarantine/"
OF_RULES: Final = "rule."
"""What detections by rule begin with."""
MOST_LETTERS: Final = 64
"""Letters of a tool's name that stand in a cause; of a longer one a digest says which it was."""
_RISK_PER_UNIT: Final = 25.0
_CRITICAL: Final = 1.0
"""How far beyond the quarantine share a session is critical: a factor of ten."""
RISK_OF_SEVERITY: Final[dict[Severity, int]] = {"low": 25, "medium": 50, "high": 75, "critical": 100}
"""Risk of a finding without a rarity."""


LEARNING: Final[Severity] = "medium"
"""What a finding by score is at most while the promise cannot be kept."""
_RANK: Final[dict[Severity, int]] = {"low": 0, "medium": 1, "high": 2, "critical": 3}


class Policy(NamedTuple):
    """What the profile says of alerts: its id, shares of alert and quarantine, ignored attributes."""

    profile: str
    alerts: float
    quarantine: float
    ignored: tuple[str, ...]


class Spot(NamedTuple):
    """An event and where it stands in the input; `line` of its record."""

    event: Event
    record: Record
    line: int


def severity_of(rarity: float, policy: Policy) -> Severity:
    """Return medium for an alert, high past the quarantine share, critical a factor of ten beyond that."""
    level = -math.log10(policy.quarantine)
    if rarity < level:
        return "medium"
    return "high" if rarity < level + _CRITICAL else "critical"


def worse(one: Severity, other: Severity) -> Severity:
    """Return the worse of two severities."""
    return one if _RANK[one] > _RANK[other] else other


def least(one: Severity, other: Severity) -> Severity:
    """Return the less severe of two severities."""
    return one if _RANK[one] < _RANK[other] else other


def risk_of(rarity: float) -> int:
    """Return 0 to 100: 50 at one session in a hundred, 100 at one in ten thousand."""
    return max(0, min(100, round(_RISK_PER_UNIT * rarity)))


def strength_of(severity: Severity) -> float:
    """Return how strong a finding without a rarity is, on the scale of rarities."""
    return RISK_OF_SEVERITY[severity] / _RISK_PER_UNIT


def cause_of(tool: str, place: int | None, level: int) -> str:
    """Return the cause of a finding by score: how far it went, by which tool, at which place.

    Parameters
    ----------
    tool : str
        Its name, chosen by whoever wrote the event.
    place : int or None
        Hash of the coarse place its target names, for example a host; None without a target.
    level : int
        What it passed; what is only near the alert level is evidence of the cause it would have past it.

    Examples
    --------
    >>> cause_of("send", 0xFEED << 32, QUARANTINE), cause_of("think", None, 1)
    ('behaviour.session/quarantine/send/0000feed', 'behaviour.session/alert/think')
    """
    name = tool
    if len(tool) > MOST_LETTERS:
        name = f"{tool[:MOST_LETTERS]}~{hashlib.sha256(tool.encode()).hexdigest()[:8]}"
    at = "" if place is None else f"/{place >> 32:08x}"
    return f"{_QUARANTINE if level == QUARANTINE else _ALERT}{name}{at}"


def is_told(cause: str, causes: tuple[str, ...]) -> bool:
    """Tell whether an incident names a cause, or the same act at the stricter level."""
    return cause in causes or (cause.startswith(_ALERT) and _QUARANTINE + cause.removeprefix(_ALERT) in causes)


def evidence_of(spot: Spot, cause: str, strength: float, first: tuple[str, ...] = ()) -> Evidence:
    """Return an event and where its bytes stand, as an alert carries it; `first`: arguments that stood out."""
    event, record = spot.event, spot.record
    return Evidence(
        topic=record.topic, partition=record.partition, offset=record.offset, line=spot.line,
        event_id=event.event_id, ts=event.ts.timestamp(), kind=event.kind, name=event.name, target=event.target,
        outcome=event.outcome, cause=cause, strength=strength, **shown_of(event, first),
    )  # fmt: skip


def found_by_score(spot: Spot, seen: Seen, policy: Policy, told: tuple[str, float], over: int) -> Finding:
    """Return what a score says of an event past a level.

    Parameters
    ----------
    spot : Spot
        The event.
    seen : Seen
        What the channels made of it.
    policy : Policy
        Shares, and what is left out.
    told : (str, float)
        Its cause, and its rarity: -log10 of the share of recent sessions at least as strange.
    over : int
        How many events of the session were past the alert level.
    """
    event, (cause, rarity) = spot.event, told
    why, first = explained(seen, policy.ignored)
    asi, atlas = taxonomy(why)
    target = f" on {event.target}" if event.target else ""
    return Finding(
        detection=DETECTION, cause=cause, event=event, evidence=evidence_of(spot, cause, rarity, first),
        severity=severity_of(rarity, policy), contributions=why, normal_if=normal_if(why, event.name),
        asi=asi, atlas=atlas, title=f"Unusual behaviour of {event.agent_id}: {event.name}{target}",
        rarity=rarity, over=over, is_of_newcomer=is_of_newcomer(seen),
    )  # fmt: skip


def found_by_rule(spot: Spot, rule: RuleEntry, hit: Hit) -> Finding:
    """Return what a rule says of an event."""
    event = spot.event
    words = {"agent": event.agent_id, "tool": event.name, **hit.words}
    detection, severity = f"{OF_RULES}{rule.name}", hit.severity or rule.severity
    cause = f"{detection}/{hit.cause}"
    why = Contribution(
        channel=rule.name, value=0.0, bits=0.0, observed=rule.observed.format(**words),
        expected=rule.expected.format(**words), voice="rule", n=0,
    )  # fmt: skip
    return Finding(
        detection=detection, cause=cause, event=event, evidence=evidence_of(spot, cause, strength_of(severity)),
        severity=severity, contributions=(why,), normal_if="normal if " + rule.normal.format(**words),
        asi=rule.asi, atlas=rule.atlas, title=rule.title.format(**words),
    )  # fmt: skip
