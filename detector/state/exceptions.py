"""Suppressions as controls: one that a person says stands from its place in the input on, until it is over or ended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from detector.alerts.suppressed import told
from detector.channels.catalogue import BY_NAME
from detector.intake.columns import PLACE, agent_name
from detector.memory.layout import NOW
from detector.rules import RULES
from detector.sketches.hashing import hash_text
from detector.steps.suppressions import Suppressed

if TYPE_CHECKING:
    from detector.schema.suppression import Suppression, SuppressionEnd
    from detector.state.partition import Partition
    from detector.state.report import Outcome


def suppress(state: Partition, act: Suppression, outcome: Outcome) -> str:
    """Let a suppression stand; return why it may not, empty if it does or did already."""
    if act.id in state.suppressions.held:
        outcome.counts["suppressions_repeated"] += 1
        return ""
    if act.channel is not None and act.channel not in BY_NAME and act.channel not in RULES:
        return f"channel of a suppression must be a channel or a rule, got {act.channel[:64]!r}: see docs/reference"
    fault = state.suppressions.begin(_held(state, act), float(state.memory.clock[NOW]))
    outcome.counts["suppressions_begun"] += not fault
    return fault


def end(state: Partition, act: SuppressionEnd, outcome: Outcome) -> None:
    """End a suppression; what it hid is told once more if anything was told of it. One that stands not is counted."""
    one = state.suppressions.end(act.id)
    if one is None:
        outcome.counts["suppressions_unmatched"] += 1
        return
    outcome.counts["suppressions_ended"] += 1
    if one.counter:
        one.counter += 1
        outcome.say(told(one, "close", float(state.memory.clock[NOW]), state.profile.id))


def _held(state: Partition, act: Suppression) -> Suppressed:
    """Return a suppression with what it names as the columns have it."""
    keyed, promise = state.settings.keyed, state.settings.threshold
    level, floor = state.evidence_at(promise.alerts), promise.floor
    return Suppressed(
        uid=act.id, owner=act.owner, reason=act.reason, scope=act.scope,
        tool=0 if act.tool is None else int(hash_text(act.tool, keyed.key)),
        target=0 if act.target is None else int(np.uint64(hash_text(act.target, keyed.key)) & PLACE),
        agent=0 if act.agent_id is None else agent_name(act.agent_id, act.tenant, keyed),
        group=0 if act.group is None else agent_name(act.group, act.tenant, keyed),
        channel=act.channel or "", level=max(level, floor) if math.isfinite(level) else floor,
        is_strong=act.strong or act.agent_id is not None, until=act.until,
    )  # fmt: skip
