"""What goes where: private data sent on the word of something read outside, and memory written by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.places import OF_NAME, in_order, texts_of
from detector.rules.rule import Hit, RuleScene, short
from detector.rules.words import SECRETS, groups_of, is_private
from detector.schema.event import Event
from detector.schema.marks import OF_FIELD, OF_KIND, OF_OUTCOME, WATCHED

MOST_FLOWS: Final = 8
"""Sessions of an agent in which something from outside was read that are followed, the last ones."""
FROM_OUTSIDE: Final = frozenset({"untrusted", "external", "public_web", "web", "user_generated"})
"""Classes of data that somebody outside may have written."""
_READING: Final = OF_KIND["network"] | OF_NAME["outside"] | OF_FIELD["data_class"]
_PRIVATE: Final = OF_NAME["private"] | WATCHED | OF_FIELD["data_class"]
_WENT_WELL, _IN_SESSION = OF_OUTCOME["ok"], OF_FIELD["session_id"]
_SENDING: Final = (OF_KIND["message"] | OF_NAME["send"], OF_FIELD["arg_origin"], _WENT_WELL, _IN_SESSION)


def toxic_flow(scene: RuleScene) -> Iterator[Hit]:
    """Yield the sends, to an address that a tool's answer named, after a read outside and then of private data."""
    places, noted = scene.places, scene.memory.rows(scene.rule)
    read = places.where(_READING, _WENT_WELL, _IN_SESSION)
    if not read and not noted:
        return
    watched, private = places.watched(), set(places.where(_PRIVATE, _WENT_WELL, _IN_SESSION))
    for i in in_order(read, private, places.where(*_SENDING)):
        event, known = scene.events[i], noted.get(scene.rows[i])
        session = short(event.session_id or "")
        flow = None if known is None or known.agent != scene.names[i] else known.kept.get(session)
        if flow is not None and flow[1]:
            if _is_sent(event):
                yield Hit(i, short(event.name), {"outside": flow[0], "private": flow[1]})
        elif flow is not None:
            if i in private and (is_private(event) or (i in watched and SECRETS.in_texts(texts_of(event)))):
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
    if event.arg_origin.get("target") != "tool":
        return False
    groups = groups_of(event.name)
    return (event.kind == "message" or "send" in groups) and "money" not in groups


def memory_tainted(scene: RuleScene) -> Iterator[Hit]:
    """Yield the writes to memory of a value that a tool's answer named, in a session that read outside before."""
    places = scene.places
    for i in places.where(OF_KIND["network"] | OF_KIND["memory"] | OF_NAME["outside"], _WENT_WELL, _IN_SESSION):
        event = scene.events[i]
        session = short(event.session_id or "")
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
