"""What the texts of an act tell: stores of credentials looked for, commands that no ordinary errand needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.places import texts_of
from detector.rules.rule import Hit, RuleScene, short
from detector.rules.words import SECRETS, SHELLS

LEAST_STORES: Final = 3
"""Kinds of stores of credentials that one session looks into before it is told, of those that errands do need."""
MOST_LOOKING: Final = 8
"""Sessions of an agent that looked into a store that are followed, the last ones."""


def secret_harvest(scene: RuleScene) -> Iterator[Hit]:
    """Yield the looks into a store that no errand needs, or of a session into several others; one cause a store."""
    for i in scene.places.watched():
        event, texts = scene.events[i], texts_of(scene.events[i])
        if not (found := SECRETS.in_texts(texts)):
            continue
        kept = scene.notes(i).kept
        session = short(event.session_id or "")
        stores = kept.pop(session, [])
        kept[session] = stores = [*stores, *(one.name for one in found if one.name not in stores)]
        while len(kept) > MOST_LOOKING:
            del kept[next(iter(kept))]
        alone = [one.name for one in found if one.alone]
        if alone or len(stores) >= LEAST_STORES:
            yield Hit(i, alone[0] if alone else "several", {"store": alone[0] if alone else ", ".join(stores)})


def shell_attack(scene: RuleScene) -> Iterator[Hit]:
    """Yield the commands that run what they fetched or decoded, or hand a shell to somebody; one cause a form."""
    for i in scene.places.watched():
        event = scene.events[i]
        if forms := SHELLS.in_texts(texts_of(event)):
            yield Hit(i, forms[0].name, {"form": forms[0].name})
