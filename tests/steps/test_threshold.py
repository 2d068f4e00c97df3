"""The one owner of what alerts: levels, floor, trusted history, counts; and that it can be exchanged whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from detector.channels.context import JUDGED
from detector.channels.known import value_key
from detector.errors import StateError
from detector.intake.columns import AGENT, SESSION, TOOL_NAME, WHOLE_TARGET
from detector.pipeline import Pipeline
from detector.simulate.fleet import DAY_S
from detector.steps.casebook import Casebook
from detector.steps.cases import AlertedSession, Ruling, Said
from detector.steps.decisions import ALERT, NEAR, QUARANTINE, Ended, Passed
from detector.steps.promises import BudgetSettings
from detector.steps.threshold import BudgetThreshold
from detector.steps.workspace import Workspace, allocate_closes, allocate_judgements, allocate_workspace
from tests.streams import Script, feed, ordinary, quick, trained

SETTINGS = BudgetSettings(alerts=0.01, quarantine=0.001, floor=2.0, trusted_until=100.0)
WORK = allocate_workspace(256)
WORK.closes = allocate_closes(16)
WORK.judgements = allocate_judgements(512, 16)
WORK.clock = np.zeros(512)


def work(
    events: Sequence[tuple[int, float]], closes: Sequence[tuple[int, int]] = (), **fields: Any
) -> tuple[int, Workspace]:
    """Return a batch of events (session, rarity) and closes (before which event, session)."""
    n, judged = len(events), WORK.judgements
    WORK.context.state[:n] = JUDGED
    WORK.columns.ident[:n, SESSION] = [session for session, _ in events]
    WORK.columns.ts[:n] = WORK.clock[:n] = fields.get("ts", 1_000.0)
    judged.rarity[:n] = [rarity for _, rarity in events]
    judged.score[:n] = fields.get("score", 9.0)
    judged.ready[:n] = fields.get("ready", True)
    judged.references[:n] = fields.get("references", 1_000)
    judged.rises[:n] = fields.get("rises", True)
    WORK.columns.ident[:n, TOOL_NAME] = fields.get("tool", 1)
    WORK.columns.ident[:n, WHOLE_TARGET] = fields.get("target", 0)
    WORK.columns.ident[:n, AGENT] = fields.get("agent", 1)
    WORK.columns.parts_end[: n + 1] = np.arange(n + 1)
    WORK.columns.part[:n] = fields.get("part", (0, 0, 0))
    WORK.closes.count[0] = len(closes)
    for row, (at, session) in enumerate(closes):
        WORK.closes.at[row], WORK.closes.name[row] = at, session
        WORK.closes.seen[row] = fields.get("ts", 1_000.0)
        judged.closed_score[row] = fields.get("score", 9.0)
    return n, WORK


def decided(events: Sequence[tuple[int, float]], threshold: BudgetThreshold | None = None, **fields: Any) -> list[Any]:
    """Return what a threshold makes of a batch, without the numbers of cases and the level of the moment."""
    found = (threshold or BudgetThreshold(SETTINGS)).decide(*work(events, **fields))
    return [one._replace(case=0, alerts_from=None) if isinstance(one, Passed) else one for one in found]


def levels(threshold: BudgetThreshold) -> dict[int, tuple[int, int]]:
    """Return the level that each open session passed, and its events past the alert level."""
    return {session: (case.level, case.over) for session, case in threshold.cases.open.items()}


def test_every_event_past_a_level_passes_and_those_past_the_alert_level_are_counted() -> None:
    """One in a hundred alerts, one in a thousand quarantines; below, nothing that was not alerted before."""
    assert decided([(7, 0.5), (7, 1.99), (7, 2.0), (7, 3.0), (7, 2.5)]) == [
        Passed(2, 7, ALERT, 1),
        Passed(3, 7, QUARANTINE, 2),
        Passed(4, 7, ALERT, 3),
    ]


def test_what_comes_after_an_odd_event_passes_though_it_is_less_odd() -> None:
    """Whoever does a very odd, harmless thing first does not hide the harmful one."""
    threshold = BudgetThreshold(SETTINGS)
    assert decided([(7, 3.5)], threshold) == [Passed(0, 7, QUARANTINE, 1)]
    assert decided([(7, 2.5)], threshold, rises=False) == [Passed(0, 7, ALERT, 2)]
    assert levels(threshold) == {7: (QUARANTINE, 2)}


def test_an_event_near_the_level_passes_only_in_a_session_that_was_past_it() -> None:
    """Ten times the promised share, and it counts as none past the level; its twin in another session is silent."""
    threshold = BudgetThreshold(SETTINGS)
    assert decided([(8, 1.5), (7, 2.0), (7, 1.0), (7, 0.99), (8, 1.0)], threshold) == [
        Passed(1, 7, ALERT, 1),
        Passed(2, 7, NEAR, 1),
    ]
    assert decided([(7, 1.2), (7, 1.3)], threshold, closes=[(1, 7)]) == [Passed(0, 7, NEAR, 1), Ended(0, 7, 1)]


def test_evidence_below_the_floor_is_no_alarm_however_rare() -> None:
    """In a fleet whose sessions are all alike the rarest is still nothing."""
    assert decided([(7, 9.0)], score=1.999) == []
    assert decided([(7, 9.0)], score=2.0) == [Passed(0, 7, QUARANTINE, 1)]


@pytest.mark.parametrize("fields", [{"ts": 99.0}, {"ready": False}])
def test_trusted_history_and_a_window_too_young_are_silent(fields: dict[str, Any]) -> None:
    """Alerts begin when they may, and when a rarity means something."""
    threshold = BudgetThreshold(SETTINGS)
    assert decided([(7, 9.0)], threshold, **fields) == []
    assert levels(threshold) == {}


def test_a_close_comes_before_the_event_at_its_place_and_tells_how_many_were_over() -> None:
    """The next session of the same name begins anew."""
    threshold = BudgetThreshold(SETTINGS)
    assert decided([(7, 2.0), (7, 2.1), (7, 2.2)], threshold, closes=[(2, 7)]) == [
        Passed(0, 7, ALERT, 1),
        Passed(1, 7, ALERT, 2),
        Ended(0, 7, 2),
        Passed(2, 7, ALERT, 1),
    ]
    assert decided([], threshold, closes=[(0, 7), (0, 8)]) == [Ended(0, 7, 1)]
    assert (threshold.promises.held[0].closed, threshold.promises.held[0].alerted, levels(threshold)) == (3, 2, {})


def test_a_session_counts_as_spent_once_however_many_levels_it_passed() -> None:
    """Two of four closed: a half."""
    threshold = BudgetThreshold(SETTINGS)
    decided([(1, 2.0), (1, 3.0), (2, 3.0), (3, 1.0)], threshold, closes=[(4, 1), (4, 2), (4, 3), (4, 4)])
    assert (threshold.gauges()["promised"], threshold.gauges()["spent"]) == (0.01, 0.5)


def test_a_session_of_trusted_history_is_neither_promised_nor_spent() -> None:
    """Only sessions that were active since alerts may begin are counted."""
    threshold = BudgetThreshold(SETTINGS)
    decided([(1, 9.0)], threshold, closes=[(1, 1)], ts=99.0)
    assert (threshold.promises.held[0].closed, threshold.gauges()["spent"]) == (0, 0.0)
    decided([], threshold, closes=[(0, 1)], ts=100.0)
    assert (threshold.promises.held[0].closed, threshold.gauges()["spent"]) == (1, 0.0)


def test_a_promise_that_cannot_be_kept_yet_makes_no_isolation() -> None:
    """From fewer sessions than one over the promised share: the strictest level is not reached, and it is said."""
    assert decided([(7, 9.0)], references=99) == [Passed(0, 7, ALERT, 1, is_learning=True)]
    assert decided([(7, 9.0)], references=100) == [Passed(0, 7, QUARANTINE, 1)]


@pytest.mark.parametrize(("trusted", "learns"), [(float("-inf"), True), (100.0, False)])
def test_without_trusted_history_a_partition_learns_for_a_time_as_well(trusted: float, learns: bool) -> None:
    """Two days from its first event, and a beginning in 2099 falls back with the watermark."""
    settings = SETTINGS._replace(trusted_until=trusted, cold_s=2 * DAY_S)
    threshold = BudgetThreshold(settings)
    flags = []
    for at in (4_000 * DAY_S, 10 * DAY_S, 12 * DAY_S - 1.0, 12 * DAY_S):
        (passed,) = decided([(int(at), 9.0)], threshold, ts=at)
        flags.append(passed.is_learning)
    assert flags == [learns, learns, learns, False]
    assert threshold.gauges()["learning"] == 0.0


def told(threshold: BudgetThreshold, said: Said, case: int = 1) -> None:
    """Let a person say something of a case."""
    threshold.answer(threshold.cases.cases[case], Ruling(said))


def test_a_confirmed_cause_alerts_below_the_level_and_says_why() -> None:
    """At the score it was confirmed at, whatever the rest of the fleet does; it asks for no more than an alert."""
    threshold = BudgetThreshold(SETTINGS)
    decided([(1, 3.0)], threshold, closes=[(1, 1)], tool=5, target=6, score=4.0)
    told(threshold, "confirm")
    assert decided([(2, 0.1)], threshold, tool=5, target=6, score=4.0) == [Passed(0, 2, ALERT, 1, "confirmed")]
    assert decided([(3, 0.1)], threshold, tool=5, target=6, score=3.9) == []
    assert decided([(4, 0.1)], threshold, tool=5, target=7, score=9.0) == []


def test_a_value_of_a_confirmed_attack_alerts_above_the_median() -> None:
    """An indicator: whoever else uses it; below the median it is nothing, and after a dismissal neither."""
    threshold = BudgetThreshold(SETTINGS)
    threshold.cases.indicators[int(value_key(np.uint64(5), np.uint64(70), np.uint64(71)))] = "f" * 32
    uses = {"tool": 5, "part": (70, 71, 72), "score": 3.0}
    assert decided([(2, 0.31)], threshold, **uses) == [Passed(0, 2, ALERT, 1, "indicator")]
    assert decided([(3, 0.30)], threshold, **uses) == []
    assert decided([(4, 0.9)], threshold, tool=5, part=(70, 73, 72), score=3.0) == []
    threshold.cases.indicators.clear()
    assert decided([(5, 0.31)], threshold, **uses) == []


def test_false_alarms_narrow_the_share_and_confirmed_ones_do_not() -> None:
    """The same rarity alerts after a confirmation with quiet sessions, and not after three dismissals."""
    for said, kept in (("confirm", True), ("dismiss", False)):
        threshold = BudgetThreshold(SETTINGS)
        for k in range(1, 4):
            decided([(k, 2.5)], threshold, closes=[(1, k)], tool=k, target=k, agent=k)
            told(threshold, said, case=k)  # type: ignore[arg-type]
        decided([], threshold, closes=[(0, 100 + k) for k in range(16)] * 1)
        assert bool(decided([(50, 2.12)], threshold, tool=50, target=50)) is kept


def test_facts_bring_a_threshold_to_where_another_left_off() -> None:
    """Open sessions, levels, counts; plain values that a snapshot can hold."""
    threshold, again = BudgetThreshold(SETTINGS), BudgetThreshold(SETTINGS)
    decided([(1, 2.0), (2, 3.0), (3, 2.0)], threshold, closes=[(3, 3)])
    again.restore(threshold.facts())
    again.cases.restore(threshold.cases.facts())
    assert (again.facts(), again.cases.facts()) == (threshold.facts(), threshold.cases.facts())
    assert levels(again) == {1: (ALERT, 1), 2: (QUARANTINE, 1)}
    assert (again.promises.held[0].closed, again.promises.held[0].alerted) == (1, 1)
    assert decided([(1, 2.5), (1, 3.0)], again) == [Passed(0, 1, ALERT, 2), Passed(1, 1, QUARANTINE, 3)]
    with pytest.raises(StateError, match="threshold of a snapshot must be budget, got everything"):
        again.restore({"name": "everything"})


def test_nothing_is_spent_in_trusted_history() -> None:
    """Through the pipeline: odd sessions close, the gauge says 0; afterwards it counts."""
    script = Script()
    odd = [{"name": "exfiltrate", "target": f"https://d{n}.evil.example"} for n in range(4)]
    values = [*ordinary(script, 60), *script.session("odd", odd, agent_id="a-1"), *ordinary(script, 20, first=60)]
    pipeline = Pipeline(quick(), trusted_until=script.now + DAY_S)
    feed(pipeline, values)
    assert pipeline.gauges()["spent"] == 0.0
    assert pipeline.gauges()["sessions_closed"] == 81
    live = trained(Script())
    assert live.gauges()["spent"] == 0.0
    assert live.state.threshold.facts()["closed"] == 0


class Everything:
    """Another threshold: every judged event alerts, once a session; it keeps what it needs itself."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.cases = Casebook()

    def decide(self, events: int, work: Workspace) -> list[Passed | Ended]:
        """Return the first judged event of each session."""
        found: list[Passed | Ended] = []
        for i in range(events):
            session = int(work.columns.ident[i, SESSION])
            if work.context.state[i] == JUDGED and session not in self.seen:
                self.seen.add(session)
                found.append(Passed(i, session, ALERT, 1))
        return found

    def find(self, uid: str, agent: int) -> AlertedSession | None:
        """Return None: it remembers no case."""
        return None

    def answer(self, case: AlertedSession, answer: Ruling) -> None:
        """Leave verdicts alone."""

    @property
    def false_share(self) -> float:
        """Everything may be false."""
        return 1.0

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        return {"name": "everything", "seen": sorted(self.seen)}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        self.seen = set(facts["seen"])

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches."""
        return {"promised": 1.0, "spent": 1.0, "threshold": 0.0}


def test_another_threshold_decides_once_it_is_exchanged_and_no_score_changes() -> None:
    """Whole: levels, state and gauges; what lies below never asks what alerted."""
    script = Script()
    values = ordinary(script, 6)
    usual, other = Pipeline(quick()), Pipeline(quick())
    other.state.threshold = Everything()
    plain, found = feed(usual, values), feed(other, values)
    assert plain.alerts == []
    assert [one.activity for one in found.alerts] == ["create", "close"] * 6
    assert found.scores.tolist() == plain.scores.tolist()
    assert other.gauges()["promised"] == 1.0


def test_a_snapshot_holds_the_facts_of_whatever_decides_and_another_one_refuses_them() -> None:
    """A partition is not taken over by a threshold that cannot read its state."""
    script = Script()
    pipeline = Pipeline(quick())
    pipeline.state.threshold = Everything()
    feed(pipeline, ordinary(script, 2))
    with pytest.raises(StateError, match="threshold of a snapshot must be budget, got everything"):
        Pipeline.restore(quick(), pipeline.snapshot(full=True))
