"""An agent that fell silent while its peers report: told as the clock enters an hour, about the agent's last act."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from detector.rules.presence import HOUR_S, MOST_NAMED, Silence
from detector.rules.rule import Hit, RuleScene, short

CAUSE: Final = "silent"


def silent_agent(scene: RuleScene) -> Iterator[Hit]:
    """Yield silences at the events that enter an hour; each is about the last act of the longest known of the silent.

    It depends on the agents of the partition together, so it has a memory of its own; it is the same however events are
    cut, for it looks at one event after the other.
    """
    presence = scene.memory.presence
    (begin, end), heard = presence.span(), presence.heard()
    for i, (event, name, now) in enumerate(zip(scene.events, scene.names, scene.clock, strict=True)):
        if not begin <= now < end:
            for silence in presence.move_to(int(now // HOUR_S)):
                yield Hit(i, CAUSE, _words(silence), about=silence.agents[0].last)
            (begin, end), heard = presence.span(), presence.heard()
        if name not in heard:
            presence.hear(name, scene.last_act(i, event))
    scene.memory.counts.update(presence.counts)
    presence.counts.clear()


def _words(silence: Silence) -> dict[str, str]:
    """Return what a finding says of the silent: how many, who, since when, and how long they used to pause."""
    first, others = silence.agents[0], len(silence.agents) - 1
    named = ", ".join(short(one.last.agent_id) for one in silence.agents[1:MOST_NAMED])
    more = f" and {others - MOST_NAMED + 1} more" if others >= MOST_NAMED else ""
    since = datetime.fromtimestamp(first.hour * HOUR_S, UTC).isoformat(timespec="minutes")
    return {
        "who": f" and {others} more" if others else "",
        "beside": f"; with it {named}{more}" if others else "",
        "since": since, "silent": str(first.silent_at(silence.ticks)), "usual": str(first.longest),
    }  # fmt: skip
