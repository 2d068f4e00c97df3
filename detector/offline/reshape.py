"""Labelled streams with another share of attacks, or with attacks at other times; deterministic from a seed.

Where a session is repeated, its copy has ids of its own, in events and labels, and its own time; events that are not
moved keep their order.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from detector.errors import SetupError
from detector.offline.analyst import drawn
from detector.offline.episodes import seconds
from detector.offline.labels import EventLabel, SessionLabel, check_labels
from detector.offline.scored import LineFacts, Scored, facts_of

_JITTER_S = 1_800.0
"""A copy begins at most this much before or after the harmless session whose time it takes: no two at one instant."""
_WAVE_BEGINS = 0.4
"""Share of the live part before a window of attacks: enough after it to see what it leaves behind."""
_DATED = {"credential": ("issued_at", "expires_at"), "grant": ("granted_at", "expires_at")}
"""Times within an event that move with it: what was valid stays valid."""

Body = dict[str, Any]


class LabelledStream(NamedTuple):
    """Events with what is true of them.

    Parameters
    ----------
    lines : iterable of bytes
        One event each, in the order they happened; walked over once if it is an iterator.
    sessions : dict of str to SessionLabel
        By session id.
    events : dict of str to EventLabel, optional
        By event id.
    files : (Path, Path or None), optional
        Where the labels are from, for the words of a refusal.
    """

    lines: Iterable[bytes]
    sessions: dict[str, SessionLabel]
    events: dict[str, EventLabel] | None = None
    files: tuple[Path, Path | None] = (Path("labels"), None)

    def check(self, scored: Scored) -> None:
        """Return if the labels belong to what was scored; SetupError if not."""
        check_labels(self.files[0], self.sessions, scored.sessions)
        if self.events is not None:
            check_labels(self.files[1] or self.files[0], self.events, scored.events)


def with_attack_share(stream: LabelledStream, share: float, seed: int) -> LabelledStream:
    """Return the stream with so many attacks among its live sessions.

    Below its own share attack sessions are left out, drawn with the seed; above it they are repeated, each as often as
    the others, at times drawn with the seed from those at which harmless sessions began.

    Parameters
    ----------
    stream : LabelledStream
        Read to its end.
    share : float
        Attacks of all live sessions, in [0, 1).
    seed : int
        Of the choice.

    Raises
    ------
    SetupError
        The share is out of its range, or there are no attacks to repeat, or events of attacks name no session.
    """
    if not 0.0 <= share < 1.0:
        raise SetupError(f"attack-share must be at least 0 and below 1, got {share:g}: it is a share of live sessions")
    lines = list(stream.lines)
    stream, facts = stream._replace(lines=lines), [facts_of(line) for line in lines]
    attacks = sorted(attacks_of(stream, facts), key=lambda name: (drawn(seed, "attack", name), name))
    harmless = sum(label.is_live and not label.is_attack for label in stream.sessions.values())
    wanted = round(share / (1.0 - share) * harmless)
    if wanted <= len(attacks):
        # a labelled attack without events is one less to find, too
        kept = set(attacks[:wanted])
        return _without(stream, facts, {name for name, one in stream.sessions.items() if _is_hit(one)} - kept)
    if not attacks:
        raise SetupError("attack-share must be 0 where no live session is an attack, got more: there is none to repeat")
    starts = _starts_of_harmless(stream, facts)
    copies = [(attacks[k % len(attacks)], k // len(attacks)) for k in range(len(attacks), wanted)]

    def begin(name: str, number: int) -> float:
        one = f"{name}/{number}"
        jitter = (2.0 * drawn(seed, "jitter", one) - 1.0) * _JITTER_S
        return max(starts[int(drawn(seed, "start", one) * len(starts))] + jitter, starts[0])

    return _with_copies(stream, facts, [(name, number, begin(name, number)) for name, number in copies])


def into_window(stream: LabelledStream, window_s: float, seed: int) -> LabelledStream:
    """Return the stream with all attacks of its live part within one window of time, each begun at a drawn time."""
    lines = list(stream.lines)
    stream, facts = stream._replace(lines=lines), [facts_of(line) for line in lines]
    attacks = attacks_of(stream, facts)
    live = [seconds(one.ts) for one in facts if one.session in stream.sessions and stream.sessions[one.session].is_live]
    first = min(live) + _WAVE_BEGINS * (max(live) - min(live))
    begins = {name: first + drawn(seed, "wave", name) * window_s for name in attacks}
    starts = _first_times(facts, set(attacks))
    moved, kept = [], []
    for line, one in zip(lines, facts, strict=True):
        if one.session in begins:
            body = shifted(msgspec.json.decode(line), begins[one.session] - starts[one.session])
            moved.append(msgspec.json.encode(body))
        else:
            kept.append(line)
    return stream._replace(lines=merged(kept, moved))


def attacks_of(stream: LabelledStream, facts: Iterable[LineFacts]) -> list[str]:
    """Return the live attack sessions that have events, in order of the first; SetupError if an event names none."""
    found: dict[str, None] = {}
    for one in facts:
        label = stream.sessions.get(one.session)
        if label is None or not _is_hit(label):
            continue
        if not one.session_id:
            raise SetupError(f"session_id of an attack's events must be given, got none for agent {one.agent_id}: its "
                             "attacks cannot be told from its other acts")  # fmt: skip
        found[one.session] = None
    return list(found)


def _is_hit(label: SessionLabel) -> bool:
    return label.is_live and label.is_attack


def _without(stream: LabelledStream, facts: list[LineFacts], gone: set[str]) -> LabelledStream:
    """Return the stream without some sessions, their events and their labels."""
    kept = [(line, one.session not in gone) for line, one in zip(stream.lines, facts, strict=True)]
    events = {one.event_id for one in facts if one.session in gone}
    return stream._replace(
        lines=[line for line, is_kept in kept if is_kept],
        sessions={name: label for name, label in stream.sessions.items() if name not in gone},
        events=None if stream.events is None else {k: v for k, v in stream.events.items() if k not in events},
    )


def _with_copies(
    stream: LabelledStream, facts: list[LineFacts], copies: Iterable[tuple[str, int, float]]
) -> LabelledStream:
    """Return the stream with sessions repeated: session, number of the copy, when it begins (epoch seconds)."""
    wanted = list(copies)
    names = {name for name, _, _ in wanted}
    bodies: dict[str, list[Body]] = {name: [] for name in names}
    for line, one in zip(stream.lines, facts, strict=True):
        if one.session in names:
            bodies[one.session].append(msgspec.json.decode(line))
    starts = _first_times(facts, names)
    sessions, events = dict(stream.sessions), None if stream.events is None else dict(stream.events)
    fresh_session = _fresh_names({*stream.sessions, *(one.session for one in facts)})
    fresh_event = _fresh_names({*(stream.events or ()), *(one.event_id for one in facts)})
    more: list[bytes] = []
    for name, number, begin in wanted:
        session = fresh_session(name, number)
        sessions[session] = stream.sessions[name]
        for body in bodies[name]:
            event = fresh_event(body["event_id"], number)
            if events is not None and body["event_id"] in events:
                events[event] = events[body["event_id"]]
            ids = {"event_id": event, "session_id": session}
            if "trace_id" in body:
                ids["trace_id"] = session
            more.append(msgspec.json.encode(shifted({**body, **ids}, begin - starts[name])))
    return stream._replace(lines=merged(stream.lines, more), sessions=sessions, events=events)


def _fresh_names(taken: set[str]) -> Callable[[str, int], str]:
    """Return a maker of names for copies that nothing else bears."""

    def fresh(name: str, number: int) -> str:
        mark = "~"
        while (found := f"{name}{mark}{number}") in taken:
            mark += "~"
        taken.add(found)
        return found

    return fresh


def shifted(body: Body, by_s: float) -> Body:
    """Return an event at another time; times within it that say what is valid move with it."""
    out = {**body, "ts": _later(body["ts"], by_s)}
    for part, names in _DATED.items():
        if isinstance(held := body.get(part), dict):
            out[part] = {**held, **{name: _later(held[name], by_s) for name in names if held.get(name)}}
    return out


def _later(ts: Any, by_s: float) -> Any:  # noqa: ANN401 - whatever the event says; what is no time stays as it is
    try:
        moved = datetime.fromisoformat(ts) + timedelta(seconds=by_s)
    except (OverflowError, TypeError, ValueError):
        return ts
    return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def merged(lines: Iterable[bytes], more: Iterable[bytes]) -> list[bytes]:
    """Return the lines, in their order, with more lines put in between at their time; of equals the first ones first.

    A line that is older than one before it keeps its place: nothing is put in between by it.
    """
    return [line for _, line in merge(_by_newest(lines), _by_time(more), key=lambda placed: placed[0])]


def _by_newest(lines: Iterable[bytes]) -> Iterator[tuple[float, bytes]]:
    newest = -math.inf
    for line in lines:
        newest = max(newest, seconds(facts_of(line).ts))
        yield newest, line


def _by_time(lines: Iterable[bytes]) -> list[tuple[float, bytes]]:
    placed = [(seconds(facts_of(line).ts), line) for line in lines]
    return sorted(placed, key=lambda one: one[0])


def _first_times(facts: Iterable[LineFacts], names: set[str]) -> dict[str, float]:
    """Return when the sessions of these names began, epoch seconds."""
    found: dict[str, float] = {}
    for one in facts:
        if one.session in names:
            at = seconds(one.ts)
            found[one.session] = min(found.get(one.session, at), at)
    return found


def _starts_of_harmless(stream: LabelledStream, facts: Iterable[LineFacts]) -> list[float]:
    """Return when the harmless live sessions began, in order of time."""
    names = {name for name, label in stream.sessions.items() if label.is_live and not label.is_attack}
    out: list[float] = []
    for at in _first_times(facts, names).values():
        insort(out, at)
    if not out:
        raise SetupError("live sessions must hold harmless ones, got none: attacks are repeated at their times")
    return out
