"""Telemetry is a sensor that can be cut: numbers that never came, sessions that stopped without their end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from detector.rules.rule import Hit, RuleScene, short
from detector.schema.event import BRIDGED, NEVER_CAME
from detector.schema.marks import OF_FIELD, OF_KIND
from detector.schema.past import SESSION_END

GRACE_S: Final = 300.0
"""Seconds of the partition's time that a number may come late: as long as an OpenTelemetry exporter tries again."""
LEAST_RUN: Final = 8
"""Numbers in a row that show that a sender counts its events one by one, by session; before, nothing is said."""
MOST_SESSIONS: Final = 8
"""Sessions of an agent that are followed, the last ones: as many as may be open at once."""
MOST_HOLES: Final = 16
"""Stretches of missing numbers of an agent that are waited for; of more the first is told without waiting."""
LEAST_ENDED: Final = 20
"""Sessions an agent has ended by an event before one that is not ended is told: many programs never say an end."""
CUT_S: Final = 86_400.0
"""Seconds of the partition's time that a session may take: as long as one is held open at most."""
MOST_OPEN: Final = 16
"""Sessions of an agent whose end is waited for, the last ones."""


def telemetry_gap(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events at which numbers before them are given up: counted here, or by who saw all records."""
    for i in scene.places.having("seq"):
        event = scene.events[i]
        if event.seq is None:
            continue
        if BRIDGED in event.attributes:
            lost = event.attributes.get(NEVER_CAME)
            if isinstance(lost, int | float) and lost > 0:
                yield Hit(i, "lost", {"lost": f"{lost:.0f}", "session": short(event.session_id or "")})
        elif event.session_id is not None:
            kept = scene.notes(i).kept
            _follow(kept, short(event.session_id), event.seq, scene.clock[i])
            if kept["holes"] and (holes := _given_up(kept["holes"], scene.clock[i])):
                lost = sum(last - first + 1 for _, first, last, _ in holes)
                yield Hit(i, "lost", {"lost": str(lost), "session": holes[0][0]})


def _follow(kept: dict[str, Any], session: str, number: int, now: float) -> None:
    """Note a number of a session: it is the next one, leaves a hole before it, or fills one."""
    followed, holes = kept.setdefault("followed", {}), kept.setdefault("holes", [])
    following, run = followed.pop(session, (number, 0))
    if number > following and run >= LEAST_RUN:
        holes.append([session, following, number - 1, now])
    elif number < following:
        kept["holes"] = [part for hole in holes for part in _without(hole, session, number)]
    run = min(run + 1, LEAST_RUN) if number == following or run >= LEAST_RUN else 0
    followed[session] = (max(following, number + 1), run)
    while len(followed) > MOST_SESSIONS:
        del followed[next(iter(followed))]


def _without(hole: list[Any], session: str, number: int) -> list[list[Any]]:
    """Return what is left of a hole when a number of a session came late."""
    owner, first, last, at = hole
    if owner != session or not first <= number <= last:
        return [hole]
    return [part for part in ([owner, first, number - 1, at], [owner, number + 1, last, at]) if part[1] <= part[2]]


def _given_up(holes: list[list[Any]], now: float) -> list[list[Any]]:
    """Take out the holes that nobody waits for any longer, and return them."""
    over = len(holes) - MOST_HOLES
    given = [hole for at, hole in enumerate(holes) if at < over or now - hole[3] >= GRACE_S]
    holes[:] = [hole for hole in holes if hole not in given]
    return given


def session_cut(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events at which a session of an agent that ends its sessions has gone a day without an end."""
    for i in scene.places.where(OF_KIND["lifecycle"], OF_FIELD["session_id"]):
        event = scene.events[i]
        known, is_end = scene.known(i), event.name == SESSION_END
        if not is_end and (known is None or known.kept["ended"] < LEAST_ENDED):
            continue
        kept, now, session = scene.notes(i).kept, scene.clock[i], short(event.session_id or "")
        waited = kept.setdefault("open", {})
        if is_end:
            waited.pop(session, None)
            kept["ended"] = min(kept.get("ended", 0) + 1, LEAST_ENDED)
        else:
            waited.setdefault(session, now)
        cut = [one for one, since in waited.items() if now - since >= CUT_S]
        for one in cut:
            del waited[one]
        for one in list(waited)[: max(0, len(waited) - MOST_OPEN)]:
            del waited[one]
        if cut:
            yield Hit(i, "cut", {"session": cut[0], "sessions": str(len(cut))})
