"""A profile: every number an analyst may turn, in sections, each with its default and its limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, create_model, field_validator

from detector.channels.catalogue import WEIGHTS
from detector.profile.classes import Classes, RiskClass
from detector.profile.section import Factor, Hourly, Name, Seconds, Section, Share, Weight, Whole
from detector.profile.trees import Forest, HalfSpace
from detector.response.ladder import ClassLadder, Levels, level_of
from detector.response.settings import ResponseSettings
from detector.rules import RULES, SHIPPED

Status = Literal["experimental", "test", "stable", "deprecated"]


class Identity(Section):
    """``[profile]``: name and version must match the folder; only a stable profile may command."""

    name: Name
    version: Whole
    status: Status
    owner: Annotated[str, Field(min_length=1, max_length=256)]
    description: Annotated[str, Field(min_length=1, max_length=2_048)]


class Sessions(Section):
    """``[sessions]``: where a session ends, in seconds of event time, and what one may hold at most.

    Parameters
    ----------
    idle_s, age_s : float
        A session closes after this long without an event, and at this age.
    open_per_agent : int
        Sessions of one agent open at once; the next one closes the oldest.
    observations : int
        Cap of remembered observations per session; one that could pass it is closed, and the next event opens another.
    """

    idle_s: Seconds = 1_800.0
    age_s: Seconds = 86_400.0
    open_per_agent: Whole = 8
    observations: Whole = 4_096


class Time(Section):
    """``[time]``: `step_s` is the most one event may advance the watermark, in seconds."""

    step_s: Seconds = 86_400.0


class Features(Section):
    """``[features]``: `ignored_attributes` are glob patterns of attribute names that are no argument of a call."""

    ignored_attributes: tuple[Annotated[str, Field(min_length=1, max_length=1_024)], ...] = (
        "error_class",
        "n_tool_calls",
        "otlp.agent_from",
        "otlp.source",
        "src_*",
    )


class Learning(Section):
    """``[learning]``: what a closed session teaches.

    Parameters
    ----------
    probation_s : float
        A new key counts as known only this long after it was first learned.
    gate_p : float
        Sessions at or below this p-value teach no keys, transitions or level counters.
    histogram_p : float
        Sessions at or below this one teach nothing but the session-score histogram.
    warm_sessions : int
        Closed sessions of the partition before its p-values mean something; alerts begin after them.
    agent_prior : int
        Pseudo-sessions of the back-off from agent to peer group to fleet.
    expected_s : float
        From an agent's first event in a version that the registry newly lists, what is new and declared is no alarm.
    """

    probation_s: Seconds = 86_400.0
    gate_p: Share = 0.25
    histogram_p: Share = 0.125
    warm_sessions: Whole = 50
    agent_prior: Whole = 20
    expected_s: Annotated[float, Field(strict=True, ge=0.0, le=604_800.0)] = 86_400.0


_WEIGHTS: dict[str, Any] = {name: (Weight, default) for name, default in WEIGHTS.items()}


# the base is made of the catalogue
class ChannelWeights(create_model("_Weights", __base__=Section, **_WEIGHTS)):  # type: ignore[misc]
    """``[weights]``: what each channel's -log10 p, and each model's, counts for in the sum.

    One field for each channel and model of ``channels/catalogue.toml``, with its default there.
    """


class RuleSettings(Section):
    """``[rules]``: `enabled` names the detections by rule that are on.

    `registered` is how many entries of the registry a partition holds, at 512 bytes each on average.
    """

    enabled: tuple[str, ...] = SHIPPED
    registered: Annotated[int, Field(strict=True, ge=1, le=4_194_304)] = 1_048_576

    @field_validator("enabled")
    @classmethod
    def _are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(names) - set(RULES))
        if unknown:
            raise ValueError(f"must name rules among {', '.join(RULES)}, got {', '.join(unknown)}")
        return names


class Risk(Section):
    """``[risk]``: factors on the evidence of an event, each 1 where it does not apply.

    Parameters
    ----------
    not_ok : float
        The call failed or was denied: it did no harm.
    read : float
        Pure reads (kind ``data_access``).
    no_tool_origin : float
        Events with origins, none of which is ``tool``.
    other_origin : float
        A part whose origin is ``user``, ``none`` or unknown.
    echo : float
        A value that was a target or argument earlier in the session.
    """

    not_ok: Factor = 0.3
    read: Factor = 0.5
    no_tool_origin: Factor = 0.5
    other_origin: Factor = 0.5
    echo: Factor = 0.5


class AgentCorrection(Section):
    """``[agent_correction]``: score times ``clip((m_all / m_agent) ** exponent, low, high)``.

    `m_agent` is the mean of the agent's past session scores, each capped at `cap`, shrunk with `prior_sessions`
    pseudo-sessions to the fleet's mean. The narrow clip keeps a persistent attacker from buying silence.
    """

    exponent: Annotated[float, Field(strict=True, ge=0.0, le=1.0)] = 0.5
    low: Factor = 0.75
    high: Annotated[float, Field(strict=True, ge=1.0, le=2.0)] = 1.15
    prior_sessions: Whole = 100
    cap: Annotated[float, Field(strict=True, gt=0.0, le=100.0)] = 6.0


class SessionBudget(Section):
    """``[budget]``: what the operator is willing to look at, as shares of closed sessions.

    Parameters
    ----------
    alerts, quarantine : float
        Share of sessions that may alert, and that may be isolated automatically.
    window : int
        Recent sessions the threshold is a quantile of.
    least : int
        Fewest sessions before there is a threshold.
    tail : float
        Share of the window the tail model is fitted to; 0 switches it off.
    origin_share : float
        Share of the budget that goes to the voice with origins; the rest to the voice without.
    cold_s : float
        Event time for which a partition without trusted history is learning: its findings by score are medium at most.
        So are those from fewer than ``1 / alerts`` sessions, however long it runs.
    hourly_incidents, newcomer_incidents, agent_incidents, reserve_incidents : int
        Incidents of a partition that may be opened in an hour: by established agents, by all others, by one agent;
        and beyond, each stronger than all opened before. What is beyond is folded into one, ``sensor.storm``.
    """

    alerts: Share = 0.01
    quarantine: Share = 0.002
    window: Annotated[int, Field(strict=True, ge=10, le=1_000_000)] = 2_000
    least: Whole = 40
    tail: Annotated[float, Field(strict=True, ge=0.0, le=0.5)] = 0.05
    origin_share: Share = 0.8
    cold_s: Annotated[float, Field(strict=True, ge=0.0, le=31_536_000.0)] = 172_800.0
    hourly_incidents: Hourly = 40
    newcomer_incidents: Hourly = 10
    agent_incidents: Hourly = 8
    reserve_incidents: Annotated[int, Field(strict=True, ge=0, le=100_000)] = 8


class MemoryLimits(Section):
    """``[memory]``: caps of everything that is remembered; tables are powers of two.

    Parameters
    ----------
    agents : int
        Agents with a row of their own; beyond, the least useful newcomer leaves, and established agents last.
    agent_keys, agent_numbers, agent_tools : int
        Per agent: remembered keys, running means, tools.
    group_keys, group_contexts, group_numbers : int
        Per peer group: remembered keys, level-counter contexts, running means.
    groups : int
        Rows of peer groups of a partition: the fleet's, one that is shared by types that find none, and the types'.
    recent_ids : int
        Event ids per agent within which a repeat is recognised.
    """

    agents: Annotated[int, Field(strict=True, ge=2, le=4_194_304)] = 131_072
    agent_keys: Whole = 512
    agent_numbers: Whole = 64
    agent_tools: Whole = 24
    group_keys: Whole = 32_768
    group_contexts: Whole = 4_096
    group_numbers: Whole = 4_096
    groups: Annotated[int, Field(strict=True, ge=3, le=65_536)] = 256
    recent_ids: Whole = 16


class Profile(Section):
    """One version of one profile: what is watched, how strictly, and what may be done about it.

    Examples
    --------
    >>> profile = Profile(profile=Identity(name="mine", version=2, status="test", owner="me", description="mine"))
    >>> profile.id, profile.isolate_score > profile.limit_score
    ('mine/v2', True)
    """

    profile: Identity
    sessions: Sessions = Sessions()
    time: Time = Time()
    features: Features = Features()
    learning: Learning = Learning()
    weights: ChannelWeights = ChannelWeights()
    rules: RuleSettings = RuleSettings()
    risk: Risk = Risk()
    agent_correction: AgentCorrection = AgentCorrection()
    forest: Forest = Forest()
    half_space: HalfSpace = HalfSpace()
    budget: SessionBudget = SessionBudget()
    memory: MemoryLimits = MemoryLimits()
    response: ResponseSettings = ResponseSettings()
    classes: Classes = Field(default=(), validation_alias=AliasChoices("class", "classes"))

    @property
    def id(self) -> str:
        """Name and version as they stand in alerts and ids, for example ``default/v1``."""
        return f"{self.profile.name}/v{self.profile.version}"

    @property
    def limit_score(self) -> float:
        """Alert score from which an agent is limited; out of reach (300) if the budget is zero."""
        return level_of(self.budget.alerts) if self.response.limit_score is None else self.response.limit_score

    @property
    def isolate_score(self) -> float:
        """Alert score from which an agent is isolated; out of reach (300) if the budget is zero."""
        return level_of(self.budget.quarantine) if self.response.isolate_score is None else self.response.isolate_score

    def shares_of(self, one: RiskClass) -> tuple[float, float]:
        """Return the shares of a class's sessions that may alert, and be isolated: its own, else the profile's."""
        alerts = self.budget.alerts if one.alerts is None else one.alerts
        return alerts, min(self.budget.quarantine, alerts) if one.quarantine is None else one.quarantine

    def scores_of(self, one: RiskClass) -> tuple[float, float]:
        """Return the alert scores from which an agent of a class is limited, and isolated."""
        own, (alerts, quarantine) = one.response, self.shares_of(one)
        limit = self.limit_score if one.alerts is None else level_of(alerts)
        isolate = self.isolate_score if one.quarantine is None else level_of(quarantine)
        limit = limit if own.limit_score is None else own.limit_score
        return limit, max(isolate, limit) if own.isolate_score is None else own.isolate_score

    @property
    def levels(self) -> Levels:
        """All scores as the response stage reads them, those of the classes by name."""
        ladders = {
            one.name: ClassLadder(*self.scores_of(one), one.response.most, one.response.limit_s, one.response.isolate_s)
            for one in self.classes
        }
        return Levels(self.limit_score, self.isolate_score, ladders)
