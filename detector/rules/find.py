"""All rules over a batch: each looks once, in order; what was told of the same agent before this batch is folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from detector.rules.declared import DeclaredAgent
from detector.rules.inventory import Inventory
from detector.rules.memory import RuleMemory
from detector.rules.rule import Hit, Rule, RuleEntry, RuleScene
from detector.schema.event import Event


class Acts(NamedTuple):
    """A batch as rules see it: events; of each the watermark, its agent's row and name, whether it may alert.

    And what the registry says of its agent: nothing of anybody where it is empty.
    """

    events: Sequence[Event]
    clock: np.ndarray
    rows: np.ndarray
    names: np.ndarray
    may_alert: np.ndarray
    declared: Sequence[DeclaredAgent | None] = ()
    inventory: Inventory | None = None


def find(rules: Sequence[Rule], acts: Acts, memory: RuleMemory) -> Iterator[tuple[RuleEntry, Hit]]:
    """Yield what rules find, rule by rule, with the entry that says how to tell it; changes their memory.

    A rule looks at repeated events and trusted history too, and remembers them; it only does not speak of them.
    """
    count = len(acts.events)
    clock, rows, names = (column[:count].tolist() for column in (acts.clock, acts.rows, acts.names))
    for entry, look in rules:
        for hit in look(RuleScene(acts.events, clock, rows, names, entry.name, memory, acts.declared, acts.inventory)):
            i = hit.event
            if not acts.may_alert[i]:
                continue
            if entry.once == "session" or not memory.is_told(entry.name, (rows[i], names[i]), hit.cause, clock[i]):
                yield entry, hit
