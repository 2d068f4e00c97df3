"""How agents work that stand in a registry: with credentials rotated in time, exceptions under a grant, an instance."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from detector.schema.registry import MAX_AGE_H, Criticality
from detector.simulate.agent import Agent

CRITICALITY: Final[dict[str, Criticality]] = {
    "support": "medium", "coder": "medium", "researcher": "low", "finance": "critical", "ops": "high",
    "data-analyst": "medium", "shopper": "low", "hr": "high", "sales": "low", "triage": "high",
}  # fmt: skip
"""Role -> how bad it is if one of its agents goes wrong: finance pays, ops and triage reach all, hr knows all."""
EXCEPTIONS: Final[dict[str, str]] = {
    "support": "refund_order", "coder": "install_package", "finance": "export_statement", "ops": "read_secret",
    "data-analyst": "write_table", "hr": "update_record",
}  # fmt: skip
"""Role -> the tool that some of its agents may use only under a temporary grant."""
_ONE_IN: Final = 6
_BEFORE_ITS_END: Final = 0.75
"""Share of the age a credential may have at which the next one is issued."""


def as_registered(agent: Agent) -> Agent:
    """Return an agent as it works where a registry is kept; one in six of some roles has an exception."""
    role = agent.role.name
    has_exception = agent.own // 70 % _ONE_IN == 0
    return replace(
        agent,
        instance=f"{agent.agent_id}-{agent.own % 65_536:04x}",
        rotation_s=_BEFORE_ITS_END * MAX_AGE_H[CRITICALITY[role]] * 3_600.0,
        exception=EXCEPTIONS.get(role, "") if has_exception else "",
    )


def clone_of(agent: Agent) -> Agent:
    """Return an agent's double: of its kind, elsewhere, under a number that the fleet does not have."""
    number = agent.fleet + agent.number
    name = f"{agent.role.name}-{number:06d}"
    return replace(agent, number=number, agent_id=name, instance=f"{name}-{agent.own % 65_521:04x}")
