"""A finding about an agent that sends nothing: it stands at its last act, and is told at somebody else's event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from detector.alerts.explain import Known
from detector.alerts.findings import Spot, found_by_rule, strength_of
from detector.alerts.leads import Lead
from detector.alerts.raised import raised
from detector.channels.context import FLEET_AGENTS
from detector.intake.columns import agent_name
from detector.rules import Hit, LastAct, RuleEntry
from detector.schema.alert import Alert
from detector.schema.event import Event
from detector.schema.record import Record
from detector.schema.tenant import DEFAULT_TENANT
from detector.state.classes import standing_of_absent
from detector.state.partition import Partition


def spot_of(last: LastAct) -> Spot:
    """Return an agent's last act and where it stands, as far as they are kept."""
    topic, partition, offset, line = last.place
    kind: Any = last.kind
    event = Event(
        event_id=last.event_id, ts=datetime.fromtimestamp(last.ts, UTC), agent_id=last.agent_id, kind=kind,
        name=last.name, agent_type=last.agent_type, agent_version=last.agent_version, tenant=last.tenant,
        zone=last.zone, session_id=last.session_id,
    )  # fmt: skip
    return Spot(event, Record(b"", None, topic, partition, offset), line)


def lead_of(state: Partition, i: int, entry: RuleEntry, hit: Hit) -> Lead:
    """Return what a rule found, at event `i`, about an agent that is not there: one that is known well."""
    spot = spot_of(cast("LastAct", hit.about))
    found, risk = found_by_rule(spot, entry, hit), standing_of_absent(state, spot.event)
    known = Known(0, 0, int(state.work.context.known[i][FLEET_AGENTS]), 0, is_established=True, risk=risk)
    severity = raised(found.severity, risk)
    return Lead(found.cause, strength_of(found.severity), severity, spot, known, 0, lambda: found, is_absent=True)


def tell_absent(state: Partition, lead: Lead, now: float) -> Alert | None:
    """Return the alert about an agent that is not there, an incident of its own; None if a person keeps it quiet.

    Exceptions for a peer group do not reach it: which group an absent agent belongs to is not looked up.
    """
    event = lead.spot.event
    agent = agent_name(event.agent_id, event.tenant or DEFAULT_TENANT, state.settings.keyed)
    if state.rule_answers.is_quiet(lead.cause, agent, (agent, 0), now):
        return None
    return state.incidents.take(None, lead)
