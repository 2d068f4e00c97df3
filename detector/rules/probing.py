"""Trying doors: many different things denied, or not there, under one agent in a short time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.counting import digest_of, distinct
from detector.rules.places import ACTS
from detector.rules.rule import Hit, RuleScene, short
from detector.schema.marks import OF_FIELD, OF_OUTCOME

LEAST_DENIED: Final = 8
"""Different things denied to an agent within :data:`DENIED_S` that are told; one more than a muddled errand meets."""
DENIED_S: Final = 3_600.0
"""Seconds of the partition's time."""
LEAST_MISSED: Final = 16
"""Different targets of one tool that failed within :data:`MISSED_S` that are told."""
MISSED_S: Final = 600.0
"""Seconds of the partition's time: who guesses names guesses fast."""


def access_probing(scene: RuleScene) -> Iterator[Hit]:
    """Yield the denials of one thing after many others, far beyond what this agent meets; one cause an agent."""
    for i in scene.places.acts_that("denied"):
        event = scene.events[i]
        thing = digest_of(event.name, event.target)
        count = distinct(scene.notes(i).kept, "denied", thing, scene.clock[i], (LEAST_DENIED, DENIED_S))
        if count:
            yield Hit(i, "denied", {"count": str(count)})


def enumeration(scene: RuleScene) -> Iterator[Hit]:
    """Yield the failures of one tool on many different targets, far beyond what this agent meets; one cause a tool."""
    for i in scene.places.where(ACTS, OF_OUTCOME["error"], OF_FIELD["target"]):
        event = scene.events[i]
        tool, thing = short(event.name), digest_of(event.target)
        count = distinct(scene.notes(i).kept, tool, thing, scene.clock[i], (LEAST_MISSED, MISSED_S))
        if count:
            yield Hit(i, tool, {"count": str(count)})
