"""What a detection says of one event: by rule or by score, the same form."""

from __future__ import annotations

from typing import NamedTuple

from detector.schema.alert import Contribution, Evidence, Severity
from detector.schema.event import Event


class Finding(NamedTuple):
    """One thing found at one event; an incident is a set of findings by cause.

    Parameters
    ----------
    detection : str
        What found it, for example ``"behaviour.session"`` or ``"rule.credential_expired"``.
    cause : str
        Findings of one session with the same cause are one: the first alerts, later ones are folded and counted.
    event : Event
        Where it was found.
    evidence : Evidence
        Where that event's bytes stand.
    severity : {"low", "medium", "high", "critical"}
        How much it matters.
    contributions : tuple of Contribution
        Why, the most telling first.
    normal_if : str
        What would have made the event unremarkable.
    asi, atlas : tuple of str
        OWASP ASI and MITRE ATLAS ids.
    title : str
        One line.
    rarity : float or None
        -log10 of the share of sessions at least as strange; None from a detection that needs no history.
    over : int
        Events of the session past the alert level so far, this one included; 0 from a rule.
    is_of_newcomer : bool
        Whether it stands on what is new only to a registered agent that is itself new: too early to tell.
    """

    detection: str
    cause: str
    event: Event
    evidence: Evidence
    severity: Severity
    contributions: tuple[Contribution, ...]
    normal_if: str
    asi: tuple[str, ...]
    atlas: tuple[str, ...]
    title: str
    rarity: float | None = None
    over: int = 0
    is_of_newcomer: bool = False
