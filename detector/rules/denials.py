"""What was denied one way and done another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.places import in_order
from detector.rules.rule import Hit, RuleScene, short
from detector.schema.marks import OF_FIELD, OF_KIND, OF_OUTCOME

WITHIN_S: Final = 3_600.0
"""Seconds of the partition's time for which a denial is remembered."""
MOST_DENIED: Final = 32
"""Denials of an agent that are remembered, the last ones."""
_ACTS: Final = sum(OF_KIND[kind] for kind in ("tool_call", "data_access", "network", "message"))


def denied_elsewhere(scene: RuleScene) -> Iterator[Hit]:
    """Yield the calls that went through with a target denied to another tool of the agent; one cause a target."""
    noted = scene.memory.rows(scene.rule)
    denied = scene.places.where(_ACTS, OF_OUTCOME["denied"], OF_FIELD["target"])
    if not denied and not noted:
        return
    for i in in_order(denied, scene.places.where(_ACTS, OF_OUTCOME["ok"], OF_FIELD["target"])):
        event = scene.events[i]
        target = short(event.target or "")
        if event.outcome == "denied":
            kept, call, now = scene.notes(i).kept, [target, short(event.name)], scene.clock[i]
            others = [one for one in kept.get("denied", []) if one[:2] != call and now - one[2] < WITHIN_S]
            kept["denied"] = [*others, [*call, now]][-MOST_DENIED:]
        elif scene.rows[i] in noted:
            other = _denied(scene, i, target, short(event.name))
            if other is not None:
                yield Hit(i, target, {"target": target, "other": other})


def _denied(scene: RuleScene, i: int, target: str, tool: str) -> str | None:
    """Return another tool to which an agent's target was denied lately."""
    if (known := scene.known(i)) is None:
        return None
    for where, other, at in known.kept.get("denied", []):
        if where == target and other != tool and scene.clock[i] - at < WITHIN_S:
            return str(other)
    return None
