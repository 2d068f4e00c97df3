"""One incident, and what each verdict on it would change: the same state gone on with several times.

A run is stopped where a person has the incident before him, as a checkpoint would hold it; each branch is restored from
there, is given its verdicts as the worker's second input, and goes on with the same events. What differs between two
branches is the verdicts' doing and nothing else.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from detector.channels.context import JUDGED
from detector.errors import SetupError
from detector.offline.analyst import EVERY
from detector.offline.course import Course, Heard
from detector.offline.labels import session_of
from detector.offline.scored import facts_of
from detector.offline.sources import BATCH
from detector.offline.study import Stream
from detector.pipeline import Pipeline
from detector.profile.model import Profile
from detector.response.ladder import mode_of
from detector.response.stage import ResponseStage
from detector.schema.alert import Alert, Basis
from detector.schema.command import PolicyLogEntry, PolicyState, subject_of
from detector.schema.control import Control
from detector.schema.feedback import Scope, Verdict, VerdictKind, feedback_id
from detector.schema.record import Record
from detector.state.report import Outcome


class Stopped(NamedTuple):
    """A run stopped where a person has an incident before him.

    Parameters
    ----------
    records : tuple of Alert
        What was told of its session up to there, in order.
    lines : int
        Events of the stream that were read.
    at : float
        Newest event time among them, epoch seconds.
    shards : dict of str to bytes
        The whole state, as a checkpoint holds it.
    policy : tuple of PolicyState or PolicyLogEntry
        What the response stage published so far, as it is restored from.
    profile, seed, trusted_until
        What it was scored with; as of :class:`~detector.pipeline.Pipeline`.
    """

    records: tuple[Alert, ...]
    lines: int
    at: float
    shards: dict[str, bytes]
    policy: tuple[PolicyState | PolicyLogEntry, ...]
    profile: Profile
    seed: int
    trusted_until: float

    @property
    def alert(self) -> Alert:
        """The record that a person reads: the last one that tells of an act."""
        return [one for one in self.records if one.activity in {"create", "update"}][-1]

    def verdict(
        self, kind: VerdictKind, reason: str, *, by: str = "ada", until: float | None = None, scope: Scope = "agent"
    ) -> Verdict:
        """Return a verdict on the incident, as ``detector verdict`` writes it; it is given now, in event time.

        `until` is in whole seconds there, so it is here.
        """
        uid, agent = self.alert.finding_uid, self.alert.agent_id
        return Verdict(
            agent_id=agent, tenant=self.alert.tenant, by=by, reason=reason, at=self.at, finding_uid=uid, verdict=kind,
            until=None if until is None else float(int(until)), scope=scope,
            id=feedback_id(f"{agent}/{uid}/{kind}", by, reason, self.at),
        )  # fmt: skip

    def branch(self, verdicts: Sequence[Verdict] = ()) -> Branch:
        """Return the run gone on with from here, after these verdicts."""
        return Branch(self, verdicts)


def stop_at(stream: Stream, profile: Profile, session_id: str, *, seed: int = 0) -> Stopped:
    """Return the run of a stream up to where the finding of a session was closed: all of it can be read there.

    Parameters
    ----------
    stream : Stream
        Its history is trusted.
    profile : Profile
        What is watched.
    session_id : str
        One that alerts; the run goes on to the end of the stream if it is never closed.
    seed : int, default=0
        Of the pipeline.

    Raises
    ------
    SetupError
        The session does not alert.
    """
    pipeline = Pipeline(profile, seed, stream.live_start)
    stage = _stage(profile)
    records: list[Alert] = []
    policy: list[PolicyState | PolicyLogEntry] = []
    read = 0
    while read < len(stream.lines) and not (records and records[-1].activity == "close"):
        outcome = pipeline.process(_records(stream.lines[read : read + EVERY], read))
        read += EVERY
        policy += _answers(stage, outcome)
        records += [alert for alert in outcome.alerts if session_of(alert) == session_id]
    if not records:
        raise SetupError(f"session of a stop must be one that alerts on {stream.name}, got {session_id}: take another")
    at = pipeline.gauges()["watermark"]
    shards = pipeline.snapshot(full=True)
    read = min(read, len(stream.lines))
    return Stopped(tuple(records), read, at, shards, tuple(policy), profile, seed, stream.live_start)


class Branch:
    """A run gone on with after some verdicts.

    Parameters
    ----------
    stopped : Stopped
        Where it begins.
    verdicts : sequence of Verdict
        Given one after the other, before the next event.

    Attributes
    ----------
    answers : list of Alert
        What was told of the incident in answer: its record with the verdict on it.
    """

    def __init__(self, stopped: Stopped, verdicts: Sequence[Verdict] = ()) -> None:
        self._pipeline = Pipeline.restore(stopped.profile, stopped.shards, stopped.seed, stopped.trusted_until)
        self._stage = _stage(stopped.profile)
        states = [one for one in stopped.policy if isinstance(one, PolicyState)]
        self._stage.restore(states, [one for one in stopped.policy if isinstance(one, PolicyLogEntry)])
        self._read = stopped.lines
        self.answers: list[Alert] = []
        for number, act in enumerate(verdicts):
            outcome = self._pipeline.control([Control(number, act.model_dump_json().encode())])
            _answers(self._stage, outcome)
            self.answers += outcome.alerts

    @property
    def gauges(self) -> dict[str, float]:
        """The figures an operator watches."""
        return self._pipeline.gauges()

    @property
    def threshold(self) -> float:
        """Score from which a session alerts for its rarity, -log10 of a share of sessions."""
        return self._pipeline.state.threshold.gauges()["threshold"]

    def standing(self, alert: Alert) -> PolicyState | None:
        """Return what the response stage holds against the agent of an alert, None if it never said anything of it."""
        return self._stage.states.get(subject_of(alert.tenant, alert.agent_id))

    def hear(self, lines: Sequence[bytes]) -> Heard:
        """Return what is decided on one more session.

        Parameters
        ----------
        lines : sequence of bytes
            Its events, one a line, at most :data:`~detector.offline.sources.BATCH`.

        Raises
        ------
        SetupError
            There are none, too many, or one of them is refused.
        """
        if not 0 < len(lines) <= BATCH:
            raise SetupError(f"events of a session to hear must be 1 to {BATCH}, got {len(lines)}: leave some out")
        threshold = self.threshold
        outcome = self._feed(lines)
        if outcome.refusals:
            raise SetupError(f"events of a session to hear must be readable, got {outcome.refusals[0][1].detail}")
        work, one = self._pipeline.state.work, facts_of(lines[0])
        is_act = work.context.state[: len(lines)] == JUDGED
        score = float(work.judgements.rarity[: len(lines)][is_act].max(initial=0.0))
        evidence = float(np.nanmax(outcome.scores, initial=0.0))
        own = [alert for alert in outcome.alerts if session_of(alert) == one.session and alert.activity == "create"]
        basis, place = (own[0].basis, own[0].incident_sessions) if own else (None, 0)
        return Heard(one.session, one.agent_id, bool(own), score, threshold, evidence, basis, place)

    def go_on(self, lines: Iterable[bytes]) -> Course:
        """Return what comes of more events of the stream."""
        rest = list(lines)
        scores, alerted = [np.empty(0)], dict[str, Basis]()
        for start in range(0, len(rest), BATCH):
            outcome = self._feed(rest[start : start + BATCH])
            scores.append(outcome.scores)
            for alert in outcome.alerts:
                if alert.activity == "create":
                    alerted.setdefault(session_of(alert), alert.basis)
        return Course(np.concatenate(scores), alerted)

    def _feed(self, lines: Sequence[bytes]) -> Outcome:
        outcome = self._pipeline.process(_records(lines, self._read))
        self._read += len(lines)
        _answers(self._stage, outcome)
        return outcome


def command_line(verdict: Verdict) -> str:
    """Return the command that gives a verdict on Kafka, quoted for a shell."""
    parts = ["detector", "verdict", verdict.finding_uid, verdict.verdict]
    parts += ["--by", verdict.by, "--reason", verdict.reason]
    if verdict.until is not None:
        parts += ["--until", datetime.fromtimestamp(verdict.until, UTC).strftime("%Y-%m-%dT%H:%M:%S")]
        parts += ["--scope", verdict.scope]
    return shlex.join(parts)


def _stage(profile: Profile) -> ResponseStage:
    mode = mode_of(profile.profile.status, profile.response.mode)
    return ResponseStage(profile.response, profile.id, profile.levels, mode)


def _answers(stage: ResponseStage, outcome: Outcome) -> list[PolicyState | PolicyLogEntry]:
    """Return what the response stage publishes on the alerts of an outcome."""
    said = [record for alert in outcome.alerts for record in stage.on_alert(alert).records]
    return [record for record in said if isinstance(record, PolicyState | PolicyLogEntry)]


def _records(lines: Sequence[bytes], start: int) -> list[Record]:
    return [Record(line, offset=start + place) for place, line in enumerate(lines)]
