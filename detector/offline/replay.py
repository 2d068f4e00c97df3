"""Recorded events through the pipeline and the response stage, without a broker; as Kafka would shard them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from detector.errors import SetupError
from detector.offline.controls import Plan
from detector.offline.episodes import seconds
from detector.offline.order import OrderCheck
from detector.offline.partition import partition_of
from detector.profile.model import Profile
from detector.response.joined import JoinedStage
from detector.response.ladder import mode_of
from detector.schema.alert import Alert
from detector.schema.claims import agent_in
from detector.schema.command import Mode, PolicyLogEntry, PolicyState
from detector.schema.control import Control
from detector.schema.decode import Refusal
from detector.schema.record import Record
from detector.schema.tiding import PlacedTiding, Tiding, in_order

TOPIC = "agent.events"
"""Topic that stands in the evidence of replayed alerts."""


class _Outcome(Protocol):
    @property
    def alerts(self) -> list[Alert]: ...

    @property
    def refusals(self) -> Sequence[tuple[int, Refusal]]: ...

    @property
    def tidings(self) -> Sequence[PlacedTiding]: ...

    @property
    def counts(self) -> Counter[str]: ...


class ReplayPipeline(Protocol):
    """One partition's pipeline, as far as a replay needs it."""

    def process(self, records: list[Record]) -> _Outcome:
        """Return what a micro-batch led to."""

    def control(self, records: list[Control]) -> _Outcome:
        """Return what controls led to; they take effect at once."""

    def finish(self) -> _Outcome:
        """Close the open sessions."""


class _Key(msgspec.Struct, gc=False):
    agent_id: str
    ts: Any = None


_key = msgspec.json.Decoder(_Key)


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How a stream is replayed.

    Parameters
    ----------
    partitions : int
        Partitions of the topic: each has a pipeline of its own and learns alone.
    seed : int
        Of the pipelines.
    trusted_until : float, optional
        Event time, epoch seconds, before which everything is learned.
    mode : {"enforce", "shadow"}, optional
        Of the commands; the profile's own if left out.
    secret : str, optional
        The workers' DETECTOR_STATE_KEY: hashes are then theirs, to the last collision.
    """

    partitions: int = 1
    seed: int = 0
    trusted_until: float | None = None
    mode: Mode | None = None
    secret: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.partitions < 1:
            message = f"partitions of a replay must be at least 1, got {self.partitions}; give the topic's number"
            raise SetupError(message)


@dataclass(slots=True)
class Replayed:
    """What a stretch of events led to, in order.

    Parameters
    ----------
    alerts : list of Alert
        Alerts, and common-cause incidents of the response stage.
    commands : list of PolicyState
        What would stand on ``agent.policy``.
    log : list of PolicyLogEntry
        Every decision, hash-chained per tenant.
    counts : Counter
        What the pipelines counted.
    refused : Counter
        Lines that are no event as they stand, by reason; ``refused_scored`` of the counts were scored all the same.
    tidings : list of Tiding
        What the response stage was told of who called whom.
    """

    alerts: list[Alert] = field(default_factory=list)
    commands: list[PolicyState] = field(default_factory=list)
    log: list[PolicyLogEntry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    tidings: list[Tiding] = field(default_factory=list)


def _pipeline(profile: Profile, settings: ReplaySettings) -> ReplayPipeline:
    # imported here: the pipeline brings numba along, and help must not wait for it
    from detector.pipeline import Pipeline

    return Pipeline(profile, seed=settings.seed, trusted_until=settings.trusted_until, secret=settings.secret)


class Replay:
    """A stream replayed batch by batch; the same lines give the same output.

    Parameters
    ----------
    profile : Profile
        What is watched, and what is done about it.
    settings : ReplaySettings
        Partitions, seed, trusted time, mode.
    make : callable, optional
        Makes the pipeline of one partition; the real one if left out.
    plan : Plan, optional
        Controls, and where each takes effect.
    """

    def __init__(
        self,
        profile: Profile,
        settings: ReplaySettings,
        make: Callable[[Profile, ReplaySettings], ReplayPipeline] | None = None,
        plan: Plan | None = None,
    ) -> None:
        self._plan = plan
        self._pipelines = [(make or _pipeline)(profile, settings) for _ in range(settings.partitions)]
        self._offsets = [0] * settings.partitions
        self.idle_s = profile.sessions.idle_s
        self._order = [OrderCheck(self.idle_s, profile.time.step_s) for _ in range(settings.partitions)]
        levels = profile.levels
        mode = mode_of(profile.profile.status, settings.mode or profile.response.mode)
        self._response = JoinedStage(profile.response, profile.id, levels, mode)

    def feed(self, lines: Sequence[bytes]) -> Replayed:
        """Return what some more events, one a line, led to.

        Parameters
        ----------
        lines : sequence of bytes
            In the order in which they were recorded; every partition keeps its own order.
        """
        count = len(self._pipelines)
        shares: list[list[Record]] = [[] for _ in range(count)]
        for line in lines:
            agent_id, at = _agent_and_time(line)
            partition = 0 if agent_id is None else partition_of(agent_id, count)
            self._order[partition].note(at)
            shares[partition].append(Record(line, None, TOPIC, partition, self._offsets[partition]))
            self._offsets[partition] += 1
        return self._answer(
            [outcome for partition, share in enumerate(shares) for outcome in self._walk(partition, share)]
        )

    def finish(self) -> Replayed:
        """Return what closing the open sessions led to; nothing may be fed after it."""
        outcomes: list[_Outcome] = []
        for partition, pipeline in enumerate(self._pipelines):
            late = [] if self._plan is None else self._plan.rest(partition)
            outcomes += [pipeline.control([control]) for control in late]
            outcomes.append(pipeline.finish())
        out = self._answer(outcomes)
        if self._plan is not None:
            out.counts["controls_not_journaled"] += self._plan.unplaced
            out.counts["controls_without_their_events"] += self._plan.left
        return out

    def _walk(self, partition: int, share: list[Record]) -> Iterator[_Outcome]:
        """Yield what the records of one partition led to, each control between the two records it stands between."""
        pipeline, plan, start = self._pipelines[partition], self._plan, 0
        if plan is not None:
            for at, record in enumerate(share):
                due = plan.before(partition, record.offset, record.value)
                if due and at > start:
                    yield pipeline.process(share[start:at])
                    start = at
                # one at a time, as the worker does: together they could be cut otherwise
                yield from (pipeline.control([control]) for control in due)
        if share[start:]:
            yield pipeline.process(share[start:])
        if plan is not None:
            yield from (pipeline.control([one]) for one in plan.behind(partition, self._offsets[partition]))

    @property
    def lines(self) -> int:
        """How many lines were fed so far."""
        return sum(self._offsets)

    @property
    def late(self) -> int:
        """How many events came longer after a younger one of their partition than a session stays open without one."""
        return sum(order.late for order in self._order)

    @property
    def largest_step_back_s(self) -> float:
        """The most seconds by which one of those was older."""
        return max(order.largest_s for order in self._order)

    def _answer(self, outcomes: list[_Outcome]) -> Replayed:
        """Return alerts in the order of event time, partition, and what the response stage makes of them."""
        out = Replayed()
        for outcome in outcomes:
            out.counts.update(outcome.counts)
            out.refused.update(refusal.reason for _, refusal in outcome.refusals)
        said = (one for outcome in outcomes for one in in_order(outcome.alerts, outcome.tidings))
        for one in sorted(said, key=_time_of):
            if isinstance(one, Tiding):
                out.tidings.append(one)
                out.alerts += self._response.on_tiding(one)
                continue
            out.alerts.append(one)
            for record in self._response.on_alert(one).records:
                if isinstance(record, PolicyState):
                    out.commands.append(record)
                elif isinstance(record, PolicyLogEntry):
                    out.log.append(record)
                else:
                    out.alerts.append(record)
        out.counts.update(self._response.take_counts())
        return out


def _time_of(one: Alert | Tiding) -> float:
    return one.at if isinstance(one, Tiding) else one.time


def _agent_and_time(line: bytes) -> tuple[str | None, float]:
    """Return agent and time of an event; None of what names no agent: the first partition refuses it; 0 for no time.

    A line has no key: the agent that can be read of a broken one is where it was sent.
    """
    try:
        key = _key.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return agent_in(line), 0.0
    return key.agent_id, seconds(key.ts)
