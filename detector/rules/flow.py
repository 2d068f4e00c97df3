"""What goes where: private data sent on the word of something read outside, and memory written by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.places import in_order, texts_of
from detector.rules.rule import Hit, RuleScene, short
from detector.rules.words import SECRETS, found_in, groups_of, is_private
from detector.schema.event import Event

MOST_FLOWS: Final = 8
"""Sessions of an agent in which something from outside was read that are followed, the last ones."""
FROM_OUTSIDE: Final = frozenset({"untrusted", "external", "public_web", "web", "user_generated"})
"""Classes of data that somebody outside may have written."""


def toxic_flow(scene: RuleScene) -> Iterator[Hit]:
    """Yield the sends, to an address that a tool's answer named, after a read outside and then of private data."""
    places, noted = scene.places, scene.memory.rows(scene.rule)
    outside = in_order(places.of_kind("network"), places.named("outside"), places.having("data_class"))
    if not outside and not noted:
        return
    watched, from_outside = set(places.watched()), set(outside)
    private = in_order(places.named("private"), watched, places.having("data_class"))
    for i in in_order(outside, private, places.of_kind("message"), places.named("send")):
        event, known = scene.events[i], noted.get(scene.rows[i])
        if event.outcome != "ok" or event.session_id is None or (known is None and i not in from_outside):
            continue
        session = short(event.session_id)
        flow = None if known is None or known.agent != scene.names[i] else known.kept.get(session)
        if flow is not None and flow[1] and _is_sent(event):
            yield Hit(i, short(event.name), {"outside": flow[0], "private": flow[1]})
        elif flow is not None:
            if not flow[1] and (is_private(event) or (i in watched and found_in(SECRETS, texts_of(event)))):
                scene.notes(i).kept[session][1] = short(event.name)
        elif _is_from_outside(event):
            kept = scene.notes(i).kept
            kept[session] = [short(event.name), ""]
            while len(kept) > MOST_FLOWS:
                del kept[next(iter(kept))]


def _is_from_outside(event: Event) -> bool:
    """Tell whether an act reads what somebody outside may have written."""
    if event.data_class is not None and event.data_class.lower() in FROM_OUTSIDE:
        return True
    groups = groups_of(event.name)
    return "outside" in groups or (event.kind == "network" and "send" not in groups)


def _is_sent(event: Event) -> bool:
    """Tell whether an act sends data, and no money, to where a tool's answer, and no person, said."""
    groups = groups_of(event.name)
    if (event.kind != "message" and "send" not in groups) or "money" in groups:
        return False
    return event.arg_origin.get("target") == "tool"


def memory_tainted(scene: RuleScene) -> Iterator[Hit]:
    """Yield the writes to memory of a value that a tool's answer named, in a session that read outside before."""
    places = scene.places
    for i in in_order(places.of_kind("network", "memory"), places.named("outside")):
        event = scene.events[i]
        if event.outcome != "ok" or event.session_id is None:
            continue
        session = short(event.session_id)
        if event.kind != "memory":
            if _is_from_outside(event) and ((known := scene.known(i)) is None or session not in known.kept):
                kept = scene.notes(i).kept
                kept[session] = short(event.name)
                while len(kept) > MOST_FLOWS:
                    del kept[next(iter(kept))]
        elif "writing" in groups_of(event.name) and "tool" in event.arg_origin.values():
            known = scene.known(i)
            if known is not None and session in known.kept:
                yield Hit(i, short(event.target or event.name), {"outside": known.kept[session]})
