"""Risk of an agent: how bad it is if it goes wrong, times what it could do; every part and its weight is shown.

The formula stands in docs/inventory.md, and a test holds the page against the weights below.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from detector.registry.expiring import ends_of
from detector.registry.study.allowed import declared_at
from detector.registry.study.outside import is_outside
from detector.registry.study.seen import SeenAgent
from detector.registry.study.usage import DeclaredName, Usage
from detector.registry.tables import NOBODY, rows
from detector.schema.registry import MAX_AGE_H, RegistryEntry
from detector.views.shown import shown

CRITICALITY: Final = {"low": 0.4, "medium": 0.6, "high": 0.8, "critical": 1.0}
"""Chosen: a low one can reach 40 of 100, so that exposure alone makes no emergency."""
WEIGHTS: Final = {
    "external": 2.0,
    "data": 1.5,
    "writes": 2.0,
    "unused": 1.5,
    "unsaid": 1.5,
    "credential": 1.0,
    "exceptions": 0.5,
    "findings": 2.0,
    "owner": 0.5,
    "unregistered": 1.5,
}
"""What each part counts at most; chosen, not fitted: there is no ground truth of risk."""
FULL: Final = {"external": 10, "data": 4, "writes": 10, "exceptions": 3}
"""Numbers from which on a part counts in full."""
SEVERITY: Final = {"low": 0.125, "medium": 0.25, "high": 0.5, "critical": 1.0}
"""Of one open finding."""
WORDS: Final = {
    "external": "targets outside",
    "data": "classes of data",
    "writes": "tools that can change something",
    "unused": "declared names not used",
    "unsaid": "lists that say nothing",
    "credential": "oldest credential, hours",
    "exceptions": "grants ended or ending",
    "findings": "open findings",
    "owner": "without an owner",
    "unregistered": "without an entry",
}
DATED_S: Final = 14 * 86_400.0
"""Grants that end within two weeks count as exceptions to look at."""


class RiskPart(NamedTuple):
    """One part of an exposure: how much of it there is, and the share of its weight that counts, 0 to 1."""

    amount: float
    share: float


class AgentRisk(NamedTuple):
    """Risk of one agent, 0 to 100, and what it is made of."""

    agent_id: str
    tenant: str
    owner: str | None
    agent_type: str
    criticality: str
    lifecycle: str
    risk: float
    parts: dict[str, RiskPart]

    @property
    def why(self) -> list[str]:
        """The parts that count, the largest first, in words."""
        return self.words(sorted(self.parts, key=lambda name: -self.parts[name].share * WEIGHTS[name]))

    def words(self, names: Iterable[str]) -> list[str]:
        """Return those of some parts that count, in words."""
        return [
            WORDS[name] if name in {"owner", "unregistered"} else f"{WORDS[name]} {self.parts[name].amount:g}"
            for name in names
            if self.parts[name].share > 0.0
        ]


class RiskInputs(NamedTuple):
    """What risk is computed from: usage of the window, open findings, our own domains, the time (epoch seconds)."""

    usage: Usage
    findings: Mapping[tuple[str, str], Counter[str]]
    inner: Sequence[str]
    now: float


def risks_of(inputs: RiskInputs) -> list[AgentRisk]:
    """Return the risk of every agent that has an entry or was seen, the largest first."""
    grants: dict[str, list[DeclaredName]] = {}
    for one in inputs.usage.grants():
        grants.setdefault(one.entry.agent_id, []).append(one)
    found = []
    entered = set()
    for entry in inputs.usage.entries:
        entered.add((entry.tenant, entry.agent_id))
        found.append(_risk(inputs, entry, inputs.usage.agent(entry), grants.get(entry.agent_id, [])))
    for key, agent in inputs.usage.seen.agents.items():
        if key not in entered and agent.agent_id not in inputs.usage.not_acting:
            found.append(_risk(inputs, None, agent, []))
    return sorted(found, key=lambda one: (-one.risk, one.agent_id))


def _risk(
    inputs: RiskInputs, entry: RegistryEntry | None, agent: SeenAgent | None, grants: list[DeclaredName]
) -> AgentRisk:
    key = (entry.tenant, entry.agent_id) if entry else (agent.tenant, agent.agent_id) if agent else ("", "")
    criticality = entry.criticality if entry else "medium"
    targets, classes = _reach(entry, agent, "targets"), _reach(entry, agent, "data_classes")
    external = sum(is_outside(one, inputs.inner) for one in targets)
    writes = len(agent.writes) if agent else 0
    unused = sum(not one.is_used for one in grants)
    unsaid = sum(entry is not None and declared_at(entry, name) is None for name in ("tools", "targets"))
    age_h = agent.oldest_credential_s / 3_600.0 if agent else 0.0
    most_h = entry.max_age_h if entry else MAX_AGE_H[criticality]
    ends = len(ends_of([entry], inputs.now, DATED_S)) if entry else 0
    severities = inputs.findings.get(key, Counter())
    parts = {
        "external": _counted("external", external),
        "data": _counted("data", len(classes)),
        "writes": _counted("writes", writes),
        "unused": RiskPart(unused, unused / len(grants) if grants else 0.0),
        "unsaid": RiskPart(unsaid, unsaid / 2),
        "credential": RiskPart(round(age_h, 1), min(1.0, age_h / most_h / 2)),
        "exceptions": _counted("exceptions", ends),
        "findings": RiskPart(severities.total(), min(1.0, sum(SEVERITY[one] * n for one, n in severities.items()))),
        "owner": RiskPart(1, float(entry is None or entry.owner is None)),
        "unregistered": RiskPart(1, float(entry is None)),
    }
    exposure = sum(WEIGHTS[name] * part.share for name, part in parts.items()) / sum(WEIGHTS.values())
    return AgentRisk(
        key[1],
        key[0],
        entry.owner if entry else None,
        (entry.agent_type if entry else None) or (agent.agent_type if agent else "-"),
        criticality,
        entry.lifecycle if entry else "unregistered",
        round(100.0 * CRITICALITY[criticality] * exposure, 1),
        parts,
    )


def _counted(name: str, number: int) -> RiskPart:
    return RiskPart(number, min(1.0, number / FULL[name]))


def _reach(entry: RegistryEntry | None, agent: SeenAgent | None, field: str) -> set[str]:
    """Return what an agent may use, as its entry says; where it says nothing, what it was seen to use."""
    declared = None if entry is None or entry.lifecycle == "proposed" else declared_at(entry, field)
    if declared is not None:
        return set(declared)
    return {value for value, use in agent.uses.get(field, {}).items() if use.acts > use.denied} if agent else set()


def risk_lines(risks: Sequence[AgentRisk], *, is_json: bool) -> Iterator[str]:
    """Yield one line an agent."""
    if is_json:
        for one in risks:
            parts = {name: part._asdict() | {"weight": WEIGHTS[name]} for name, part in one.parts.items()}
            yield json.dumps({**one._asdict(), "parts": parts})
        return
    head = ("risk", "agent", "owner", "type", "criticality", "state", "because of")
    yield from rows(head, map(_row, risks))
    yield f"{len(risks)} agents"


def _row(one: AgentRisk) -> tuple[str, ...]:
    return (
        f"{one.risk:5.1f}",
        shown(one.agent_id, 48),
        shown(one.owner or NOBODY, 32),
        shown(one.agent_type, 32),
        one.criticality,
        one.lifecycle,
        "; ".join(one.why[:3]) or "-",
    )
