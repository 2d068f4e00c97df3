"""An event as the kernels saw it, for whoever explains it."""

from __future__ import annotations

import numpy as np

from detector.alerts.explain import NOTHING_USUAL, Seen, UsualThere
from detector.channels.context import (
    ARGUMENT_PART,
    ATTRIBUTE_NUMBER,
    OF_ARGUMENT,
    OF_TARGET,
    OTHER_ORIGIN,
    SIZE_NUMBER,
    TARGET_PART,
    Context,
)
from detector.channels.usual import NOBODY, OWN
from detector.channels.values import NOVELTY
from detector.schema.event import Event
from detector.state.known import known_at
from detector.state.partition import Partition
from detector.state.registered import is_registered


def seen_at(state: Partition, event: Event, i: int) -> Seen:
    """Return an event as the kernels saw it."""
    work, weights = state.work, state.settings.weights
    context, columns, evidence = work.context, work.columns, work.evidence
    parts, numbers = int(columns.parts_end[i]), int(columns.numbers_end[i])
    which = context.which[i]
    is_plain = bool(work.judgements.plain_leads[i]) or not context.origin[i]
    is_discounted = not is_plain and context.origin[i] == OTHER_ORIGIN
    channels = weights.plain if is_plain else weights.origin
    return Seen(
        event=event,
        bits=context.bits[i],
        logs=np.append(context.logs[i], (evidence.forest[i], evidence.half_space[i])),
        weights=np.append(channels, (weights.forest, weights.half_space)),
        ready=np.append(context.ready[i], (evidence.has_forest[i], evidence.has_half_space[i])),
        factor=float(evidence.factor[i]) * (weights.no_tool_origin if is_discounted else 1.0),
        part=(int(which[TARGET_PART]) - parts, int(which[ARGUMENT_PART]) - parts),
        level=(_level_of(context, i, OF_TARGET, TARGET_PART), _level_of(context, i, OF_ARGUMENT, ARGUMENT_PART)),
        number=(int(which[SIZE_NUMBER]) - numbers, int(which[ATTRIBUTE_NUMBER]) - numbers),
        measured=context.number[i],
        known=known_at(state, i),
        usual=(_usual_at(state, i, OF_TARGET), _usual_at(state, i, OF_ARGUMENT)),
        is_registered=is_registered(state, event, i),
    )


def _level_of(context: Context, i: int, side: int, part: int) -> int:
    """Return how novel a side of an event is: nothing where it has none, whatever stood in its place before.

    A target that is left out where one always stood has a level without being there.
    """
    is_told = context.which[i, part] >= 0 or (side == OF_TARGET and context.ready[i, NOVELTY])
    return int(context.level[i, side]) if is_told else 0


def _usual_at(state: Partition, i: int, side: int) -> UsualThere:
    """Return the usual values beside the oddest target or argument of an event, the most frequent first."""
    context = state.work.context
    if context.usual_of[i, side] == NOBODY:
        return NOTHING_USUAL
    pairs = zip(context.usual[i, side].tolist(), context.usual_count[i, side].tolist(), strict=True)
    told = sorted(((count, state.texts.known[value]) for value, count in pairs if count), key=lambda one: -one[0])
    return UsualThere("own" if context.usual_of[i, side] == OWN else "peers", tuple((text, n) for n, text in told))
