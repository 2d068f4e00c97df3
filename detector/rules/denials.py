"""What was denied one way and done another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.rule import Hit, RuleScene, short

WITHIN_S: Final = 3_600.0
"""Seconds of the partition's time for which a denial is remembered."""
MOST_DENIED: Final = 32
"""Denials of an agent that are remembered, the last ones."""
_ACTS: Final = frozenset({"tool_call", "data_access", "network", "message"})


def denied_elsewhere(scene: RuleScene) -> Iterator[Hit]:
    """Yield the calls that went through with a target denied to another tool of the agent; one cause a target."""
    for i, event in enumerate(scene.events):
        if event.target is None or event.kind not in _ACTS:
            continue
        target, tool = short(event.target), short(event.name)
        if event.outcome == "denied":
            kept, now = scene.notes(i).kept, scene.now(i)
            denied = [one for one in kept.get("denied", []) if one[:2] != [target, tool] and now - one[2] < WITHIN_S]
            kept["denied"] = [*denied, [target, tool, now]][-MOST_DENIED:]
        elif event.outcome == "ok" and (known := scene.known(i)) is not None:
            for where, other, at in known.kept.get("denied", []):
                if where == target and other != tool and scene.now(i) - at < WITHIN_S:
                    yield Hit(i, target, {"target": target, "other": other})
                    break
