"""What happens to a micro-batch of agent events, in order. READ FIRST.

bytes -> decode -> columns -> look: features against memory -> ask the models -> combine to evidence -> judge the
session -> threshold -> report; a session that is over closes and teaches, if the gate allows, before the next event
is looked at. Pure: no Kafka, no clock, no chance that is not seeded. The same records in the same order give the
same bytes out, however they are cut into batches; recovery, replay and audits rest on that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detector.channels.context import Context, KernelRules
from detector.intake.columns import Columns
from detector.intake.fill import fill_columns
from detector.memory.layout import OLDEST, Memory
from detector.memory.sessions import release_session
from detector.profile.model import Profile
from detector.schema.control import Control
from detector.schema.decode import decode
from detector.schema.record import Record
from detector.sketches.kernel import kernel
from detector.state.controls import apply_controls
from detector.state.deciding import decide
from detector.state.expected import mark_expected
from detector.state.partition import Partition
from detector.state.report import NO_EVENTS, Batch, Outcome, batches_of, report, settle_lines
from detector.state.restore import restore_partition
from detector.state.snapshot import snapshot_partition
from detector.steps.close import close, is_end, session_before
from detector.steps.combine import combine, score_by_forest, score_by_half_space
from detector.steps.judge import judge
from detector.steps.learn import learn
from detector.steps.look import enter, look
from detector.steps.workspace import AT_FINISH, STAYS, Closes, Scratch


@kernel
def _end(memory: Memory, rules: KernelRules, scratch: Scratch, closes: Closes, ending: tuple[int, int, int]) -> None:
    """End a session (slot, before which event, why): close it, learn from it, give its room back."""
    slot, at, reason = ending
    lesson = close(memory, rules, closes, slot, at, reason)
    learn(memory, rules, scratch, slot, lesson)
    release_session(memory, slot)


@kernel
def _walk(
    memory: Memory, rules: KernelRules, scratch: Scratch, columns: Columns, span: tuple[int, int], out: Context,
    closes: Closes,
) -> None:  # fmt: skip
    """Walk the events of a span: sessions that are over close and teach, then the event is looked at."""
    for i in range(span[0], span[1]):
        if not enter(memory, rules, columns, i, out):
            continue
        slot, reason = session_before(memory, rules, columns, i, out.agent[i])
        while reason != STAYS:
            _end(memory, rules, scratch, closes, (slot, i, reason))
            slot, reason = session_before(memory, rules, columns, i, out.agent[i])
        if not is_end(columns, i):
            look(memory, rules, scratch, columns, i, slot, out)


class Pipeline:
    """Scores the events of one partition and raises its alerts.

    Parameters
    ----------
    profile, seed, trusted_until, secret
        What is watched, how strictly; what is added to its seeds; event time (epoch seconds) before which everything is
        learned and nothing alerts; what texts are hashed under (the public key without). As of :class:`Partition`.

    Examples
    --------
    >>> from detector.profile.load import load_profile
    >>> outcome = Pipeline(load_profile()).process([Record(b"no event")])
    >>> outcome.refusals[0][1].reason
    'not_json'
    """

    def __init__(
        self, profile: Profile, seed: int = 0, trusted_until: float | None = None, secret: str | None = None
    ) -> None:
        self.state = Partition(profile, seed, trusted_until, secret)

    def process(self, records: Sequence[Record], tolerance_s: float | None = None) -> Outcome:
        """Return what came of records; an event out of `tolerance_s` of its record's time is refused."""
        decoded = decode(records, tolerance_s, self.state.past)
        outcome = Outcome(refusals=decoded.refusals)
        settle_lines(decoded, [self._score(batch, outcome) for batch in batches_of(records, decoded)], outcome)
        return outcome

    def control(self, records: Sequence[Control]) -> Outcome:
        """Return what came of controls, the second input: they take effect here, before the events that follow."""
        return apply_controls(self.state, records)

    def finish(self) -> Outcome:
        """Return what comes of closing every open session: the end of a replay."""
        state, work, outcome = self.state, self.state.work, Outcome()
        state.make_room(0)
        while (oldest := state.memory.ends[OLDEST]) >= 0:
            ending = (np.int64(oldest), np.int64(0), AT_FINISH)
            _end(state.memory, state.settings.rules, work.scratch, work.closes, ending)
        self._conclude(NO_EVENTS, 0, outcome)
        return outcome

    def _score(self, batch: Batch, outcome: Outcome) -> np.ndarray:
        """Return the scores of one micro-batch; its alerts and counts go into `outcome`."""
        state, settings, work = self.state, self.state.settings, self.state.work
        events, first, settled = len(batch.events), 0, 0
        fill_columns(batch.events, settings.reading, work.columns, work.marks)
        batch = batch.held_to_receipt(work.columns, outcome)
        state.make_room(events)
        mark_expected(state, batch.events)
        while first < events:
            span = (first, state.stretch(first))
            _walk(state.memory, settings.rules, work.scratch, work.columns, span, work.context, work.closes)
            score_by_forest(state.refit.forest, work, span)
            score_by_half_space(state.models, work, span)
            combine(settings.weights, work, span)
            settled = judge(settings.judge, state.standing, state.memory, work, (*span, settled))
            first = span[1]
        self._conclude(batch, settled, outcome)
        return work.judgements.score[:events].copy()

    def _conclude(self, batch: Batch, settled: int, outcome: Outcome) -> None:
        """Decide what alerts, report it, and mark what the next snapshot must hold."""
        state = self.state
        report(state, batch, decide(state, batch, settled, outcome), outcome)
        state.mark_for_snapshot(len(batch.events))

    def snapshot(self, *, full: bool = False) -> dict[str, bytes]:
        """Return the shards that changed since the last snapshot, or all of them; an empty one is to be dropped."""
        return snapshot_partition(self.state, full=full)

    @classmethod
    def restore(
        cls, profile: Profile, shards: Mapping[str, bytes], seed: int = 0, trusted_until: float | None = None,
        secret: str | None = None,
    ) -> Pipeline:  # fmt: skip
        """Return a pipeline that goes on where a snapshot left off; StateError if its shards do not fit."""
        pipeline = cls(profile, seed, trusted_until, secret)
        restore_partition(pipeline.state, shards)
        return pipeline

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches: agents, open sessions, threshold, budget promised and spent."""
        return self.state.gauges()
