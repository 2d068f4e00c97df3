"""What changed under an agent though its version did not: a deployment changes both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from detector.rules.rule import Hit, RuleScene, short


def changed(scene: RuleScene, field: Literal["tool_hash", "prompt_hash"], most: int) -> Iterator[Hit]:
    """Yield the events whose digest is not the one this agent had last for that name; one cause a name.

    Parameters
    ----------
    scene : RuleScene
        A batch; the rule keeps, by name of the event, the digest and the agent's version.
    field : str
        Field of the event that holds the digest.
    most : int
        Names of an agent that are held; of more the first ones, the others are counted as ``rule_notes_full``.
    """
    for i in scene.places.having(field):
        event = scene.events[i]
        name, now = short(event.name), [short(getattr(event, field) or ""), short(event.agent_version or "")]
        known = scene.known(i)
        before = None if known is None else known.kept.get(name)
        if before == now:
            continue
        kept = scene.notes(i).kept
        if before is None and len(kept) >= most:
            scene.memory.counts["rule_notes_full"] += 1
            continue
        kept[name] = now
        if before is not None and before[0] != now[0] and before[1] == now[1]:
            yield Hit(i, name, {"before": before[0][:16], "now": now[0][:16]})
