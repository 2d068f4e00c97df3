"""What is known of the alerts that were read: the newest state of each finding, grouped by incident, within a cap."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from detector.schema.alert import Alert
from detector.sinks.ocsf_read import decode
from detector.views.reading import StoredRecord

MOST_FINDINGS = 2_000
"""Findings that are held, the newest; about ten kilobytes each at most."""
MOST_COUNTERS = 100_000
"""Findings of which the last counter is remembered, so that repeats are known."""
SEVERITIES = ("low", "medium", "high", "critical")


class Sighting(NamedTuple):
    """A state of a finding, and the record that told it."""

    alert: Alert
    record: StoredRecord

    @property
    def incident(self) -> str:
        """What it is grouped by; records from before the field are incidents of their own."""
        return self.alert.incident_uid or self.alert.finding_uid


class AlertFilter(NamedTuple):
    """Which alerts are looked at; an empty text is no condition, an incident's beginning will do."""

    agent: str = ""
    incident: str = ""

    def takes(self, one: Sighting) -> bool:
        """Tell whether a sighting is looked at."""
        if self.agent and one.alert.agent_id != self.agent:
            return False
        return one.incident.startswith(self.incident) or one.alert.finding_uid.startswith(self.incident)


class FindingBook:
    """The newest state of each finding; past the caps the oldest leave, and are counted.

    Parameters
    ----------
    wanted : AlertFilter
        Which alerts are looked at.
    most : int
        Findings held.
    """

    def __init__(self, wanted: AlertFilter, most: int = MOST_FINDINGS) -> None:
        self._wanted = wanted
        self._most = most
        self._counters: OrderedDict[str, int] = OrderedDict()
        self._held: OrderedDict[str, Sighting] = OrderedDict()
        self.counts: Counter[str] = Counter()
        """records, repeats, no_alert (not this product's), other (the filter's), left_out (findings past the cap)."""

    def take(self, record: StoredRecord) -> Sighting | None:
        """Return what a record tells that was not known; None if nothing."""
        self.counts["records"] += 1
        try:
            seen = Sighting(decode(record.value), record)
        except ValueError:
            self.counts["no_alert"] += 1
            return None
        if not self._wanted.takes(seen):
            self.counts["other"] += 1
            return None
        uid, counter = seen.alert.finding_uid, seen.alert.counter
        if counter <= self._counters.get(uid, 0):
            self.counts["repeats"] += 1
            return None
        self._counters[uid] = counter
        self._counters.move_to_end(uid)
        if len(self._counters) > MOST_COUNTERS:
            self._counters.popitem(last=False)
        # what a view shows of it; its acts are a long list that nobody sees here
        self._held[uid] = Sighting(seen.alert.model_copy(update={"evidence": ()}), record._replace(value=b""))
        self._held.move_to_end(uid)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
            self.counts["left_out"] += 1
        return seen

    def incident(self, uid: str) -> list[Sighting]:
        """Return the findings of one incident that are held, in the order they were last told."""
        return [one for one in self._held.values() if one.incident == uid]

    def incidents(self) -> Iterator[list[Sighting]]:
        """Yield the findings of each incident that is held, the incident told last at the end."""
        groups: OrderedDict[str, list[Sighting]] = OrderedDict()
        for one in sorted(self._held.values(), key=lambda one: one.record.at):
            groups.setdefault(one.incident, []).append(one)
            groups.move_to_end(one.incident)
        yield from groups.values()


def rank(severity: str) -> int:
    """Return how bad a severity is, 0 for the least."""
    return SEVERITIES.index(severity)
