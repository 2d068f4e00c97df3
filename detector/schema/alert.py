"""What the detector found out, and why: the alert as it crosses the product's own topics."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from detector.schema.zone_cut import ZoneCut

Voice = Literal["own", "peers", "fleet", "forest", "half_space", "rule"]
Activity = Literal["create", "update", "close", "verdict"]
Basis = Literal["score", "confirmed", "indicator"]
Severity = Literal["low", "medium", "high", "critical"]

NOBODY = "*"
"""Agent id of what is nobody's finding: no verdict and no release is for it."""
_OWN_WORDS = ("sensor.", "response.")
_SEPARATOR = "\x1f"


def _is_none(value: object) -> bool:
    """Tell whether a field says nothing: then it is not written, and alerts are what they were before it was there."""
    return not value


def _is_untold(value: object) -> bool:
    """Tell whether a count is not known; nought is a count."""
    return value is None


class _AlertPart(BaseModel):
    """Frozen, finite, nothing unknown: what every part of an alert has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class UsualValue(_AlertPart):
    """A value that is usual where another one was seen: its text, capped and escaped; sessions that taught it."""

    value: str
    sessions: int = Field(ge=1)


class Contribution(_AlertPart):
    """What one channel added to an act's evidence, observed against expected.

    Parameters
    ----------
    channel : str
        Name of the channel, as in the profile's weights, or of the rule.
    value : float
        What it added to the act's evidence, in decades.
    bits : float
        Its own surprise, before calibration, in bits; of a size standard deviations.
    observed, expected : str
        What was seen and what would have been usual, in words.
    voice : str
        Who knew it: the agent's own history, its peers, the fleet, a model or a rule.
    n : int
        Observations behind the expectation.
    usual : tuple of UsualValue
        Of a value that stands out: the values learned most often in its place, the agent's own if it has any, else its
        peers', the most frequent first; `usual_of` says whose they are. Empty where none came back so far, and in
        records from before the fields.
    """

    channel: str
    value: float = Field(description="Evidence that it added to the act's, in decades.")
    bits: float = Field(description="Surprise of the value, -log2 p; of a size standard deviations.")
    observed: str
    expected: str
    voice: Voice
    n: int = Field(ge=0)
    usual: tuple[UsualValue, ...] = Field(default=(), description="Values learned most often there, with sessions.")
    usual_of: Literal["own", "peers"] | None = Field(default=None, description="Whose usual values they are.")


class Argument(_AlertPart):
    """An argument of an act as it may be shown: name and value capped, what a terminal would obey escaped."""

    name: str
    value: str


class Evidence(_AlertPart):
    """One event behind an alert and where its bytes stand: topic, partition, offset, line of the record.

    `cause` is what the act stands for; `strength` how strong it is, on the scale of scores: the rarity of a session
    that does nothing stranger, or a rule's risk put on that scale. Both are empty in records from before the fields,
    and so is what shows the act itself: `sizes` that it reported, by the event's field names; `about`, who and what it
    was about, likewise; `arguments`, those to look at first; `arguments_left` counts those that are not shown.
    """

    topic: str
    partition: int
    offset: int
    line: int
    event_id: str
    ts: float
    kind: str
    name: str
    target: str | None
    outcome: str
    cause: str = ""
    strength: float = Field(
        default=0.0, ge=0.0, description="Rarity, -log10 of a share of sessions, or a rule's risk put on that scale."
    )
    sizes: dict[str, float] = Field(default_factory=dict, description="Sizes that the event reports, by field.")
    about: dict[str, str] = Field(
        default_factory=dict, description="User, peer, credential, ... of the event, by field."
    )
    arguments: tuple[Argument, ...] = Field(default=(), description="Arguments to look at first, values capped.")
    arguments_left: int = Field(default=0, ge=0, description="Arguments that are not shown.")


class EarlierSession(_AlertPart):
    """A session that was in an incident before: its finding, agent and session id, capped and escaped."""

    finding_uid: str
    agent_id: str
    session_id: str | None


class ContainedNote(_AlertPart):
    """The command that already bound the agent when the alert was told, as its partition had heard of it.

    `tier` is what held at that time, `since` and `until` are seconds since the epoch (None: until a person lifts it).
    `acknowledged_by` is the enforcement point that first said it obeys; empty while none has.
    """

    tier: str
    command_id: str
    since: float
    until: float | None
    acknowledged_by: str = ""


class VerdictNote(_AlertPart):
    """What a named person said of a finding, and when (seconds since the epoch)."""

    verdict: str
    by: str
    reason: str
    at: float


class Alert(_AlertPart):
    """One state of one incident. Consumers drop repeats by (`finding_uid`, `counter`).

    Times are seconds since the epoch, UTC, of events. `score` is the session's rarity: -log10 of the share of recent
    sessions at least as strange, so 2 is one in a hundred; None while only rules have spoken. `threshold` is on the
    same scale: the score from which a session alerted then. `risk` is 0 to 100; `partition_agents` counts the
    established agents of the partition that alerts. `causes` are what was found, in the order it was; `folded` counts
    what was found of causes beyond the most that are listed; `evidence` holds the strongest acts, one a cause;
    `verdict` is what a person said last.
    `incident_uid` is the finding that opened the incident this one belongs to: sessions of one cause within a week are
    one, whoever's they are; `incident_sessions` counts them up to this one. Empty and 1 in records from before the
    fields. `incident_earlier` names the newest of those before it, if they are remembered and of the same tenant.
    `basis` says why its session alerted: its rarity, a confirmed cause, or a value of a confirmed attack.
    `learning`: the sessions it was held against, or the time since the first event, are too few to keep what the budget
    promises, or a registered agent is new and does what its peers do; such a finding by score is medium at most, and
    asks for no response.
    `established`: this agent was seen on several days before, or history about it is trusted; the response stage gives
    newcomers places of their own. Records from before the field count as established.
    `own_sessions` and `peer_sessions` say on how much the expectations of the last act rest, `recent_sessions` how many
    sessions the score was held against; 0 in records from before the fields. `recent_as_strange` counts those of them
    that were at least as strange, None where there is no score, and in records from before the field. The score carries
    on beyond what so many sessions can show, by the tail of the others; the two counts do not.
    `risk_class` names the agent's class in the profile, by which it was judged and is answered; empty for the profile
    itself. `outside_hours`: its last act was outside the hours of that class, so the finding is a step more severe.
    """

    finding_uid: str = Field(pattern=r"^[0-9a-f]{32}$")
    counter: int = Field(ge=1)
    activity: Activity
    tenant: str
    agent_id: str
    agent_type: str
    agent_version: str | None
    zone: str | None
    session_id: str | None
    profile: str
    detection: str
    title: str
    time: float
    first_seen: float
    last_seen: float
    event_id: str
    score: float | None = Field(
        description="Rarity of the session: -log10 of a share, that of recent sessions as strange; 2 is 1 in 100."
    )
    threshold: float | None = Field(
        description="Score from which a session alerted then, -log10 of a share of sessions: 2 is 1 in 100."
    )
    risk: Annotated[int, Field(ge=0, le=100, description="For people, 0 to 100: 50 at a score of 2.")]
    severity: Severity
    events: int = Field(ge=0)
    events_over: int = Field(ge=0)
    contributions: tuple[Contribution, ...]
    normal_if: str
    evidence: tuple[Evidence, ...]
    asi: tuple[str, ...]
    atlas: tuple[str, ...]
    partition_agents: int = Field(ge=0)
    partition: int = Field(ge=0)
    causes: tuple[str, ...] = ()
    folded: int = Field(default=0, ge=0)
    verdict: VerdictNote | None = None
    incident_uid: str = Field(
        default="", description="Finding that opened the incident: sessions of one cause within a week are one."
    )
    incident_sessions: int = Field(default=1, ge=1, description="Sessions of the incident up to this one.")
    incident_earlier: tuple[EarlierSession, ...] = Field(
        default=(), description="The newest sessions of the incident before this one, of the same tenant."
    )
    basis: Basis = Field(
        default="score", description="Why its session alerted: rarity, a confirmed cause, a confirmed attack's value."
    )
    learning: bool = Field(default=False, description="Too early to tell: medium at most, no response.")
    established: bool = Field(
        default=True,
        description="This agent was seen on several days before, or history about it is trusted.",
    )
    own_sessions: int = Field(
        default=0, ge=0, description="Closed sessions of the agent that were known at its last act."
    )
    peer_sessions: int = Field(
        default=0, ge=0, description="Closed sessions of its peers that were known at its last act."
    )
    recent_sessions: int = Field(default=0, ge=0, description="Recent sessions that the score was held against.")
    recent_as_strange: int | None = Field(
        default=None, ge=0, exclude_if=_is_untold, description="Of these, so many were at least as strange."
    )
    contained: ContainedNote | None = Field(
        default=None,
        exclude_if=_is_none,
        description="The command that already binds the agent, as far as its partition has heard.",
    )
    risk_class: str = Field(
        default="", exclude_if=_is_none, description="Risk class of the agent, empty for the profile itself."
    )
    outside_hours: bool = Field(
        default=False, exclude_if=_is_none, description="The last act was outside the hours of its risk class."
    )
    cut: ZoneCut | None = Field(
        default=None,
        exclude_if=_is_none,
        description="Edges between declared zones to cut where the agent is isolated.",
    )

    @property
    def is_nobodys(self) -> bool:
        """Whether it is about no single agent: what the detector says of itself, or of a whole fleet.

        The id alone does not tell: an agent may call itself ``*``, and is somebody all the same.
        """
        return self.agent_id == NOBODY and self.detection.startswith(_OWN_WORDS)


OF_SEVERAL = ("response.lateral_path", "response.credential_shared", "response.cascade")
"""Detections that several agents make together: no partition knows such a finding, so no verdict on it is kept."""


def finding_uid(  # noqa: PLR0913 - the six parts are the contract of the id
    tenant: str, agent_id: str, session_id: str | None, event_id: str, detection: str, profile: str
) -> str:
    """Return the incident's id, 32 hexadecimal digits: the same finding has the same id on every machine.

    Parameters
    ----------
    tenant, agent_id, session_id : str
        Whose session; a session without id counts as the empty string.
    event_id : str
        First event past the threshold.
    detection, profile : str
        What found it, for example ``"default/v1"`` for the profile.
    """
    parts = _SEPARATOR.join((tenant, agent_id, session_id or "", event_id, detection, profile))
    return hashlib.sha256(parts.encode()).hexdigest()[:32]
