"""Suppressions: who answers for which, until when, and what they hid, from what stands on the topics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from detector.schema.alert import Alert
from detector.schema.feedback import feedback_adapter
from detector.schema.suppression import DETECTION, Suppression, SuppressionEnd
from detector.sinks.ocsf_read import decode
from detector.views.reading import StoredRecord
from detector.views.shown import MOST_TEXT, count_of, moment, shown

MOST_KNOWN: Final = 4_096
"""Suppressions that are told apart, the newest; 64 can stand in a partition."""
_MARK: Final = DETECTION.encode()


@dataclass(slots=True)
class ShownSuppression:
    """One suppression, its end if a person ended it, and the last record about it of each partition."""

    act: Suppression
    partitions: set[int] = field(default_factory=set)
    end: SuppressionEnd | None = None
    told: dict[int, Alert] = field(default_factory=dict)

    @property
    def acts(self) -> int:
        """Acts that it hid, as far as was told."""
        return sum(one.events for one in self.told.values())

    @property
    def sessions(self) -> int:
        """Sessions that it applied to, as far as was told."""
        return sum(one.events_over for one in self.told.values())

    @property
    def strongest(self) -> float | None:
        """Rarity of the strongest act it hid, None if none was told."""
        return max((one.contributions[0].value for one in self._hiding()), default=None)

    @property
    def last(self) -> float | None:
        """Event time of the last act it hid, None if none was told."""
        return max((one.last_seen for one in self._hiding()), default=None)

    def _hiding(self) -> list[Alert]:
        return [one for one in self.told.values() if one.events and one.contributions]

    def is_over(self, now: float) -> bool:
        """Tell whether it stands no longer at a time; the workers go by event time, and close it."""
        closed = bool(self.told) and all(one.activity == "close" for one in self.told.values())
        return self.end is not None or closed or (self.act.until is not None and now >= self.act.until)


def standing_of(feedback: Iterable[StoredRecord], alerts: Iterable[StoredRecord]) -> list[ShownSuppression]:
    """Return the suppressions of the feedback topic with what the alerts say of them, the oldest first."""
    found: dict[str, ShownSuppression] = {}
    for record in feedback:
        if b"suppression" in record.value:
            _say(found, record)
    for record in alerts:
        alert = _told(record)
        one = None if alert is None else found.get(alert.event_id)
        if alert is None or one is None:
            continue
        before = one.told.get(alert.partition)
        if before is None or alert.counter > before.counter:
            one.told[alert.partition] = alert
    return sorted(found.values(), key=lambda one: one.act.at)


def _say(found: dict[str, ShownSuppression], record: StoredRecord) -> None:
    """Note a suppression, or the end of one."""
    try:
        act = feedback_adapter.validate_json(record.value)
    except ValidationError:
        return  # the worker has made a dead letter of it
    if isinstance(act, Suppression):
        found.setdefault(act.id, ShownSuppression(act)).partitions.add(record.partition)
        while len(found) > MOST_KNOWN:
            del found[next(iter(found))]
    elif isinstance(act, SuppressionEnd) and act.id in found:
        found[act.id].end = act


def _told(record: StoredRecord) -> Alert | None:
    """Return what an alert says of a suppression, None if it is about something else."""
    if _MARK not in record.value:
        return None
    try:
        alert = decode(record.value)
    except (ValueError, KeyError, TypeError):
        return None  # not ours
    return alert if alert.detection == DETECTION else None


def suppression_lines(found: Iterable[ShownSuppression], now: float) -> Iterator[str]:
    """Yield suppressions as they are read in a terminal."""
    for one in found:
        act = one.act
        scope = ", ".join(f"{place} {shown(value)}" for place, value in act.scope.items())
        state = "over" if one.is_over(now) else "stands"
        yield f"{state:<8}{act.id}"
        yield f"  scope    {scope}{' of everyone' if act.everyone else f' (tenant {shown(act.tenant)})'}"
        until = moment(act.until) if act.until is not None else "no end: told again at the 4th, 8th, 16th session"
        yield f"  until    {until}; said {moment(act.at)}, partitions {', '.join(map(str, sorted(one.partitions)))}"
        yield f"  owner    {shown(act.owner)}: {shown(act.reason, MOST_TEXT)}"
        if one.strongest is None or one.last is None:
            yield "  hid      nothing so far"
        else:
            hid = f"at least {count_of(one.acts, 'act')} of {count_of(one.sessions, 'session')}"
            yield f"  hid      {hid}, the strongest of score {one.strongest:.2f}, the last told {moment(one.last)}"
        if one.end is not None:
            yield f"  ended    {moment(one.end.at)} by {shown(one.end.by)}: {shown(one.end.reason, MOST_TEXT)}"


def suppression_body(one: ShownSuppression, now: float) -> dict[str, Any]:
    """Return one suppression as plain JSON values."""
    return {
        "id": one.act.id,
        "stands": not one.is_over(now),
        "scope": one.act.scope,
        "everyone": one.act.everyone,
        "strong": one.act.strong,
        "tenant": one.act.tenant,
        "owner": one.act.owner,
        "reason": one.act.reason,
        "said_at": one.act.at,
        "until": one.act.until,
        "partitions": sorted(one.partitions),
        "hid": {"acts": one.acts, "sessions": one.sessions, "strongest": one.strongest, "last": one.last},
        "ended": None if one.end is None else one.end.model_dump(include={"by", "reason", "at"}),
    }
