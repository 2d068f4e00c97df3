"""What happens to a micro-batch of agent events, in order. READ FIRST.

bytes -> decode -> columns -> features against memory -> scorers -> calibrated evidence -> session
score -> alert within a budget; a session teaches, if the gate allows, when it closes. Pure: no
Kafka, no clock, no chance that is not seeded. The same records in the same order give the same
bytes out, however they are cut into batches; recovery, replay and audits rest on that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.intake.columns import BATCH
from detector.intake.fill import fill_columns
from detector.profile.model import Profile
from detector.schema.alert import Alert
from detector.schema.decode import Decoded, Refusal, decode
from detector.schema.record import Record
from detector.scorers.forest import evidence as ask_forest
from detector.state.partition import Partition
from detector.state.report import Found, follow_incidents, scores_of
from detector.state.restore import restore_partition
from detector.state.snapshot import snapshot_partition
from detector.steps.close import close_all
from detector.steps.combine import ask_half_space, combine
from detector.steps.judge import judge, settle_rest
from detector.steps.look import observe


@dataclass(slots=True)
class Outcome:
    """What came of a batch.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_events + n_refused,)
        Evidence of each event and refused line in input order, high is strange: NaN where it was
        refused or repeated, 0 for events that are only context.
    alerts : list of Alert
        In the order of the events that caused them.
    refusals : list of (int, Refusal)
        Index of the record, and why.
    counts : Counter of str
        What else happened, for the worker to count.
    """

    scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    alerts: list[Alert] = field(default_factory=list)
    refusals: list[tuple[int, Refusal]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Pipeline:
    """Scores the events of one partition and raises its alerts.

    Parameters
    ----------
    profile : Profile
        What is watched, how strictly.
    seed : int, default=0
        Added to the profile's seeds.
    trusted_until : float or None
        Event time (epoch seconds) before which everything is learned and nothing alerts.

    Examples
    --------
    >>> from detector.profile.load import load_profile
    >>> outcome = Pipeline(load_profile()).process([Record(b"no event")])
    >>> outcome.refusals[0][1].reason
    'not_json'
    """

    def __init__(self, profile: Profile, seed: int = 0, trusted_until: float | None = None) -> None:
        self.state = Partition(profile, seed, trusted_until)

    def process(self, records: Sequence[Record], tolerance_s: float | None = None) -> Outcome:
        """Return what came of records; an event out of `tolerance_s` of its record's time is refused."""
        decoded = decode(records, tolerance_s)
        outcome = Outcome(refusals=decoded.refusals)
        found = [self._batch(records, decoded, start, outcome) for start in range(0, len(decoded.events), BATCH)]
        outcome.scores = scores_of(decoded, found)
        outcome.counts["unknown_fields"] += decoded.unknown.total()
        return outcome

    def _batch(self, records: Sequence[Record], decoded: Decoded, start: int, outcome: Outcome) -> np.ndarray:
        """Return the scores of one micro-batch; its alerts and counts go into `outcome`."""
        state = self.state
        settings, work = state.settings, state.work
        events = decoded.events[start : start + BATCH]
        columns = fill_columns(events, settings.ignored, work.columns)
        state.make_room(len(events))
        settled = 0
        for span in state.spans(len(events)):
            memory, models = state.memory, state.models
            observe(memory, settings.rules, work.scratch, columns, span, work.context, work.closes)
            work.evidence.forest[slice(*span)] = 0.0
            if state.refit.forest is not None:
                ask_forest(state.refit.forest, work.context.residual[slice(*span)], work.evidence.forest[slice(*span)])
            ask_half_space(models, work.context, span, work.evidence)
            combine(settings.weights, columns, work.context, span, work.evidence)
            settled = judge(
                settings.budget, state.standing, memory, work.context, work.evidence, work.closes, (*span, settled),
                work.verdicts,
            )  # fmt: skip
        settle_rest(settings.budget, state.standing, state.memory, work.closes, settled, work.verdicts)
        follow_incidents(state, Found(records, decoded, start, events), outcome.alerts, outcome.counts)
        return work.verdicts.score[: len(events)].copy()

    def finish(self) -> Outcome:
        """Return what comes of closing every open session: the end of a replay."""
        state, outcome = self.state, Outcome()
        state.make_room(0)
        close_all(state.memory, state.settings.rules, state.work.scratch, state.work.closes)
        settle_rest(state.settings.budget, state.standing, state.memory, state.work.closes, 0, state.work.verdicts)
        follow_incidents(state, None, outcome.alerts, outcome.counts)
        return outcome

    def snapshot(self, *, full: bool = False) -> dict[str, bytes]:
        """Return the shards that changed since the last snapshot, or all of them; an empty one is to be dropped."""
        return snapshot_partition(self.state, full=full)

    @classmethod
    def restore(
        cls, profile: Profile, shards: Mapping[str, bytes], seed: int = 0, trusted_until: float | None = None
    ) -> Pipeline:
        """Return a pipeline that goes on where the shards of a snapshot left off.

        Raises
        ------
        StateError
            If a shard is missing, or does not fit this profile.
        """
        pipeline = cls(profile, seed, trusted_until)
        restore_partition(pipeline.state, shards)
        return pipeline

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches: agents, open sessions, threshold, budget promised and spent."""
        return self.state.gauges()
