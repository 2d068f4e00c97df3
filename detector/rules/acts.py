"""Acts that cannot be taken back, and acts that were refused until they were not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import numpy as np

from detector.rules.counting import digest_of, distinct
from detector.rules.memory import RuleNotes
from detector.rules.places import ACTS, OF_NAME, in_order
from detector.rules.rule import Hit, RuleScene, short
from detector.schema.event import Event
from detector.schema.marks import OF_FIELD, OF_KIND, OF_OUTCOME

LEAST_UNDONE: Final = 10
"""Different things deleted, paid, revoked or published within :data:`UNDONE_S` that are told."""
UNDONE_S: Final = 300.0
"""Seconds of the partition's time: a person who cleans up by hand takes longer."""
LEAST_REFUSED: Final = 3
"""Times a call is denied in a session before its going through is told."""
PRESSED_S: Final = 600.0
"""Seconds of the partition's time within which this is pressing, and no change of policy."""
MOST_REFUSED: Final = 16
"""Denied calls of an agent that are remembered, the last ones."""
APPROVERS: Final = ("approved_by", "approver", "approval.by", "approval.approver")
"""Attributes of a decision (kind ``policy``) that name who approved."""
LATENCIES: Final = ("approval.latency_ms", "latency_ms")
"""Attributes that say how long the approver took; without them the decision's own ``duration_ms``."""
FAST_MS: Final = 1_000.0
"""Milliseconds in which nobody reads a call: three words at the pace of silent reading, 238 a minute
(Brysbaert 2019), after a quarter of a second to react."""
LEAST_FAST: Final = 5
"""Approvals one after the other that are that fast before it is told: one or two are a person who expected the call."""


def irreversible_burst(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts that nothing takes back, one after many others in minutes; one cause a tool."""
    for i in scene.places.where(OF_NAME["irreversible"], OF_OUTCOME["ok"], ACTS ^ OF_KIND["memory"]):
        event = scene.events[i]
        thing = digest_of(event.name, event.target, event.event_id if event.target is None else "")
        count = distinct(scene.notes(i).kept, "undone", thing, scene.clock[i], (LEAST_UNDONE, UNDONE_S))
        if count:
            yield Hit(i, short(event.name), {"count": str(count)})


def approval_pressed(scene: RuleScene) -> Iterator[Hit]:
    """Yield the calls that went through after the same session was denied them time after time; one cause a call."""
    noted = scene.memory.rows(scene.rule)
    denied = scene.places.acts_that("denied")
    if not denied and not noted:
        return
    names = scene.places.names
    pressed = _pressed(scene, noted, {scene.rows[i] for i in denied}) | {names[i] for i in denied}
    going = [i for i in scene.places.acts_that("ok") if names[i] in pressed] if pressed else []
    for i in in_order(denied, going):
        event, now = scene.events[i], scene.clock[i]
        if event.outcome == "ok":
            known = scene.known(i)
            # when and what first: a digest of all that goes through would cost most
            if known is None or not _is_pressing(known.kept, now):
                continue
            if not any(name == event.name for name, _ in known.kept.values()):
                continue
        kept, call = scene.notes(i).kept, digest_of(event.session_id, event.name, event.target)
        times = [at for at in kept.pop(call, ["", []])[1] if now - at < PRESSED_S]
        if event.outcome == "denied":
            kept[call] = [event.name, [*times, now][-LEAST_REFUSED:]]
            while len(kept) > MOST_REFUSED:
                del kept[next(iter(kept))]
        elif len(times) >= LEAST_REFUSED:
            yield Hit(i, short(event.name), {"count": str(len(times))})


def _pressed(scene: RuleScene, noted: Mapping[int, RuleNotes], denied: Collection[int]) -> set[str]:
    """Return what was denied, by name, to those agents of a batch that are, or lately were, denied anything."""
    earliest, rows = float(np.min(scene.clock)), set(np.asarray(scene.rows).tolist())
    held = [noted[row].kept for row in noted.keys() & rows if row in denied or _is_pressing(noted[row].kept, earliest)]
    return {name for kept in held for name, _ in kept.values()}


def _is_pressing(kept: dict[str, Any], now: float) -> bool:
    """Tell whether an agent was denied something lately: the last denial is the last note."""
    return bool(kept) and now - next(reversed(kept.values()))[1][-1] < PRESSED_S


def self_approved(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts that the agent itself approved, by what the event says; one cause an agent."""
    for i in scene.places.where(OF_KIND["policy"], OF_OUTCOME["ok"], OF_FIELD["attributes"]):
        event = scene.events[i]
        if any(event.attributes.get(name) == event.agent_id for name in APPROVERS):
            yield Hit(i, "self", {})


def approval_too_fast(scene: RuleScene) -> Iterator[Hit]:
    """Yield the approvals that came faster than a person reads, one after several others; one cause an agent."""
    for i in scene.places.where(OF_KIND["policy"], OF_OUTCOME["ok"], OF_FIELD["attributes"]):
        event = scene.events[i]
        took = _latency_of(event)
        if took is None or not any(isinstance(event.attributes.get(name), str) for name in APPROVERS):
            continue
        known = scene.known(i)
        before = 0 if known is None else known.kept.get("fast", 0)
        fast = min(before + 1, LEAST_FAST) if took < FAST_MS else 0
        if fast != before:
            scene.notes(i).kept["fast"] = fast
        if fast == LEAST_FAST:
            yield Hit(i, "fast", {"took": f"{took:,.0f} ms", "count": str(LEAST_FAST)})


def _latency_of(event: Event) -> float | None:
    """Return how many milliseconds an approver took, None if the event does not say; a claim below zero is none."""
    for name in LATENCIES:
        value = event.attributes.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0.0:
            return float(value)
    return event.duration_ms
