"""All rules over a batch: each looks once, in order; what was told of the same agent before this batch is folded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from detector.rules.declared import DeclaredAgent
from detector.rules.inventory import Inventory
from detector.rules.memory import RuleMemory
from detector.rules.places import Places
from detector.rules.rule import Hit, Rule, RuleEntry, RuleScene
from detector.schema.event import Event


class Acts(NamedTuple):
    """A batch as rules see it: events; of each watermark, receipt (or NaN), agent's row and name, and its marks.

    `may_alert`: whether a rule may speak of it; `where` returns where an event stands; before `quiet_until` nobody is
    missed; `declared`: what the registry says of the agent of each, nothing of anybody where it is empty; `elsewhere`:
    places of agents whose entry is another tenant's.
    """

    events: Sequence[Event]
    clock: np.ndarray
    receipt: np.ndarray
    rows: np.ndarray
    names: np.ndarray
    marks: np.ndarray
    may_alert: np.ndarray
    where: Callable[[int], tuple[str, int, int, int]]
    quiet_until: float = -math.inf
    declared: Sequence[DeclaredAgent | None] = ()
    inventory: Inventory | None = None
    elsewhere: frozenset[int] = frozenset()


def find(rules: Sequence[Rule], acts: Acts, memory: RuleMemory) -> Iterator[tuple[RuleEntry, Hit]]:
    """Yield what rules find, rule by rule, with the entry that says how to tell it; changes their memory.

    A finding about an agent that is silent is told once by its rule, at whatever event; not before `quiet_until`.

    A rule looks at repeated events and trusted history too, and remembers them; it only does not speak of them.
    """
    count = len(acts.events)
    # views give plain numbers, one by one: notes hold no numpy, and most places are never asked for
    clock, rows, names = (column[:count].data for column in (acts.clock, acts.rows, acts.names))
    places = Places(acts.events, acts.marks[:count])
    heard = np.where(np.isnan(acts.receipt[:count]), acts.clock[:count], acts.receipt[:count]).data
    for entry, look in rules:
        told = (acts.where, acts.declared, acts.inventory, acts.elsewhere)
        scene = RuleScene(acts.events, clock, heard, rows, names, entry.name, memory, places, *told)
        for hit in look(scene):
            i = hit.event
            if hit.about is not None:
                if clock[i] >= acts.quiet_until:
                    yield entry, hit
                continue
            if not acts.may_alert[i]:
                continue
            if entry.once == "session" or not memory.is_told(entry.name, (rows[i], names[i]), hit.cause, clock[i]):
                yield entry, hit
