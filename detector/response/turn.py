"""One alert or release while it is decided on, and the decision that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from detector.schema.alert import Alert
from detector.schema.command import PolicyLogEntry, PolicyState

Published = PolicyState | PolicyLogEntry | Alert
"""What goes to the policy topic, to its log, or to the alerts."""


class StageDecision(NamedTuple):
    """What is to be published.

    Parameters
    ----------
    command : PolicyState or None
        New whole state of the alert's or the release's subject.
    entry : PolicyLogEntry
        The decision on it, with its cause; always there, also when nothing was done.
    incident : Alert or None
        Common-cause incident.
    records : tuple of PolicyState, PolicyLogEntry or Alert
        All of it, and what it means for others (who yields, whose held command is let through), in the order in which
        it is to be published.
    evicted : int
        Held commands that wait no longer because too many do.
    """

    command: PolicyState | None
    entry: PolicyLogEntry
    incident: Alert | None
    records: tuple[Published, ...] = ()
    evicted: int = 0


@dataclass(slots=True)
class Turn:
    """One alert or release while it is decided on: whose, when, and what is to be published so far.

    `now` is when its record was written, `receipt` the same or None where nobody knows (in replay), `note` what the
    log says of its clock.
    """

    tenant: str
    now: float
    receipt: float | None = None
    note: str = ""
    records: list[Published] = field(default_factory=list)
    evicted: int = 0

    def decided(
        self, command: PolicyState | None, entry: PolicyLogEntry, incident: Alert | None = None
    ) -> StageDecision:
        """Return the decision that all of it makes."""
        return StageDecision(command, entry, incident, tuple(self.records), self.evicted)


def dated(alert: Alert, receipt: float | None, skew_s: float) -> tuple[Alert, str]:
    """Return the alert with no time later than its record's, and what the log says of that."""
    if receipt is None or alert.time <= receipt:
        return alert, ""
    times = {name: min(getattr(alert, name), receipt) for name in ("time", "first_seen", "last_seen")}
    ahead = alert.time - receipt
    return alert.model_copy(update=times), ahead_by(ahead) if ahead > skew_s else ""


def ahead_by(seconds: float) -> str:
    """Return what the log says of a time that lies so many seconds ahead."""
    return f"; dated {seconds:.0f} s ahead of its record, taken as of then"
