"""Where an alert's agent stands among declared zones: the edges to cut where it is isolated, said in the alert."""

from __future__ import annotations

from detector.schema.alert import Alert
from detector.schema.tenant import DEFAULT_TENANT
from detector.schema.zone_cut import zone_cut_of
from detector.sketches.hashing import hash_text
from detector.state.contained import with_containment
from detector.state.partition import Partition


def with_standing(state: Partition, alert: Alert | None) -> Alert | None:
    """Return an alert with what binds its agent already, and with the edges at which the agent can be cut off."""
    return with_zone_cut(state, with_containment(state, alert))


def with_zone_cut(state: Partition, alert: Alert | None) -> Alert | None:
    """Return an alert with the edges of its agent's declared zone; as it is where the agent stands in none.

    Only what is declared counts: what events say of their zones moves nobody, as in the rules of zones.
    """
    zones = state.inventory.zones
    if alert is None or alert.is_nobodys or not len(zones):
        return alert
    tenant = alert.tenant or DEFAULT_TENANT
    found = zones.of(tenant)
    if found is None:
        return alert
    entry = state.inventory.of(int(hash_text(alert.agent_id, state.settings.keyed.key)), tenant)
    is_placed = entry is not None and entry.facts.zone is not None and entry.facts.lifecycle == "active"
    zone = entry.facts.zone if entry is not None and is_placed else found.zone_of(alert.agent_id)
    if zone is None or zone not in found.criticality:
        return alert
    return alert.model_copy(update={"cut": zone_cut_of(zone, *found.neighbours(zone))})
