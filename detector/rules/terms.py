"""Terms that are over: credentials and grants used after they ended, by the event's own clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from detector.rules.rule import Hit, RuleScene

SKEW = timedelta(minutes=5)
"""Clocks of agent and issuer may differ by this much before a use counts as late: Kerberos' customary bound [1]_.

References
----------
.. [1] RFC 4120, section 3.1.3 and 8.2: clocks within five minutes.
"""


def credential_expired(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events whose credential had expired; one cause a credential."""
    for i in scene.places.having("credential"):
        event = scene.events[i]
        if event.credential is not None:
            late = _late(event.ts, event.credential.expires_at)
            if late is not None:
                yield Hit(i, event.credential.id, {"credential": event.credential.id, "late": late})


def grant_expired(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events under a grant that had ended; one cause a grant."""
    for i in scene.places.having("grant"):
        event = scene.events[i]
        if event.grant is not None:
            late = _late(event.ts, event.grant.expires_at)
            if late is not None:
                yield Hit(i, event.grant.id, {"grant": event.grant.id, "late": late})


def _late(used: datetime, ends: datetime | None) -> str | None:
    """Return by how much a use came after the end, in whole seconds; None if it did not."""
    if ends is None or used - ends <= SKEW:
        return None
    return str(timedelta(seconds=int((used - ends).total_seconds())))
