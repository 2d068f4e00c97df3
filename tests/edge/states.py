"""What the tests of this room share: a state to vary, its record, and clocks that are set."""

from __future__ import annotations

from typing import Any

from detector.edge.view import PolicyView
from detector.schema.command import Breaker, Constraints, Issuer, PolicyState, Reason, command_id

SUBJECT = "default/agent/claude-code/dev"
ISOLATED = Constraints(deny_tools=("*",), deny_egress=True, rate_per_min=0.0)
LIMITED = Constraints(rate_per_min=10.0)


class SetClock:
    """A clock that stands where it was set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def state(**fields: Any) -> PolicyState:
    """Return an isolation from 100 to 200, then a limit until 300, with some fields changed."""
    subject = fields.get("subject", SUBJECT)
    tier = fields.get("tier", "isolate")
    plain: dict[str, Any] = {
        "command_id": command_id(subject, tier, "f" * 32),
        "revision": 1,
        "subject": subject,
        "state": "quarantined",
        "tier": tier,
        "mode": "enforce",
        "constraints": ISOLATED if tier == "isolate" else LIMITED,
        "effective_at": 100.0,
        "expires_at": 200.0,
        "on_expiry": "step_down" if tier == "isolate" else "release",
        "steps_down_until": 300.0 if tier == "isolate" else None,
        "reason": Reason(finding_uid="f" * 32, detections=("agent_behaviour",), risk=90, score=3.0),
        "issuer": Issuer(kind="detector", id="response", policy_version="default/v1"),
        "breaker": Breaker(fleet_share=0.01, limit_share=0.05),
        "ack_deadline_s": 5.0,
    }
    return PolicyState(**{**plain, **fields})


def released(**fields: Any) -> PolicyState:
    """Return a release of the subject, with some fields changed."""
    plain = {"state": "released", "tier": "observe", "constraints": Constraints(), "expires_at": None, "revision": 2}
    return state(**{"on_expiry": "release", "steps_down_until": None, **plain, **fields})


def record(one: PolicyState) -> tuple[bytes, bytes]:
    """Return a state as it stands on the topic."""
    return one.subject.encode("utf-8", "surrogatepass"), one.model_dump_json(by_alias=True).encode()


def view_of(*states: PolicyState, now: float = 150.0, **settings: Any) -> tuple[PolicyView, SetClock, SetClock]:
    """Return a view that has read these to the end, its wall clock and its other clock."""
    clock, monotonic = SetClock(now), SetClock(1_000.0)
    view = PolicyView(clock, monotonic, **settings)
    for one in states:
        view.apply(*record(one))
    view.confirm(monotonic())
    return view, clock, monotonic
