"""Scoring a stream: what is taken down of each event, and verdicts in between, wherever the batches are cut."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.offline.analyst import EVERY, Analyst, Desk
from detector.offline.core import Core
from detector.offline.scored import facts_of, score_stream, score_with_analyst
from tests.offline.stand_in import AnswerableStandIn, StandInCore, event
from tests.streams import fleet_stream, quick

ALWAYS = Analyst(answered=1.0, wrong=0.0, delay=2)


def _lines(count: int = 100) -> list[bytes]:
    """Return events of which every tenth alerts and closes a session."""
    return [
        event(number, session_id=f"s{number}", attributes={"score": 3.0, "end": 1} if number % 10 == 0 else {})
        for number in range(count)
    ]


def test_peer_groups_are_types_within_tenants() -> None:
    """As the detector keeps them; what is no text counts as left out."""
    named = [{"agent_type": "x"}, {"agent_type": "x", "tenant": "default"}, {"agent_type": "x", "tenant": "t"}, {}]
    assert [facts_of(event(1, **one)).group for one in named] == ["x", "x", "t/x", "default"]
    assert facts_of(event(1, agent_type=7, tenant=[])).group == "default"
    assert facts_of(b"[" * 100_000).event_id == facts_of(b"\xff").event_id == ""


def test_a_session_is_of_the_group_of_its_first_event() -> None:
    """Whoever declares another type at the end has not been measured in it."""
    lines = [event(1, session_id="s", agent_type="x"), event(2, session_id="s", agent_type="y")]
    assert score_stream(StandInCore(), lines).groups == {"s": "x"}


@pytest.mark.parametrize("size", [1, 7, 512])
def test_scores_do_not_depend_on_the_size_of_batches(size: int) -> None:
    """One score an event, in order."""
    lines = [event(number, attributes={"score": number / 100}) for number in range(50)]
    assert score_stream(StandInCore(), lines, size).scores.tolist() == [number / 100 for number in range(50)]


def test_an_empty_stream_is_scored() -> None:
    """Nothing came, nothing is wrong."""
    assert len(score_with_analyst(AnswerableStandIn(), [], Desk(ALWAYS, lambda _: False)).scores) == 0


def test_a_verdict_takes_effect_at_the_first_look_it_is_due() -> None:
    """The incident of event 0 is seen at the first look, two closes later its verdict comes: after event 31 or 47."""
    core = AnswerableStandIn()
    score_with_analyst(core, _lines(), Desk(ALWAYS, lambda _: True))
    places = [place for place, _ in core.controls]
    assert all(place % EVERY == 0 for place in places)
    assert [json.loads(one.value)["finding_uid"] for _, one in core.controls][:2] == [
        one.finding_uid for one in core.alerts[:2]
    ]
    # closed by then: 2 at 16, 4 at 32
    assert places[0] == 2 * EVERY


@settings(max_examples=20)
@given(size=st.integers(1, 40))
def test_the_places_of_verdicts_do_not_depend_on_the_cuts(size: int) -> None:
    """The looks are at numbers of events, the batches lie between them."""
    desks = [Desk(Analyst(0.7, 0.2, 2, 5), lambda name: name == "s10") for _ in range(2)]
    one, other = AnswerableStandIn(), AnswerableStandIn()
    score_with_analyst(one, _lines(), desks[0])
    score_with_analyst(other, _lines(), desks[1], size)
    assert one.controls == other.controls
    assert one.controls
    assert desks[0].facts() == desks[1].facts()


def test_the_real_detector_gives_the_same_in_any_cut_with_verdicts() -> None:
    """Scores, alerts and verdicts on them, byte for byte."""
    found = []
    for size in (1, 5, EVERY):
        core, desk = Core(quick()), Desk(Analyst(1.0, 0.3, 1), lambda name: name.endswith("1"))
        scored = score_with_analyst(core, fleet_stream()[:1_500], desk, size)
        found.append((scored.scores.tolist(), [one.model_dump() for one in scored.alerts], desk.facts()))
    assert found[0] == found[1] == found[2]
    assert found[0][2]["confirm"] + found[0][2]["dismiss"] > 0
    assert found[0][2]["unmatched"] == found[0][2]["refused"] == 0
    assert any(one["verdict"] for one in found[0][1])


def test_what_the_detector_no_longer_knows_is_counted() -> None:
    """An unmatched verdict is no answer."""
    desk = Desk(ALWAYS, lambda _: True)

    class Forgetful(AnswerableStandIn):
        def control(self, controls: object) -> object:  # type: ignore[override]
            known, self.alerts = self.alerts, []
            out = super().control(controls)  # type: ignore[arg-type]
            self.alerts = known
            return out

    score_with_analyst(Forgetful(), _lines(), desk)  # type: ignore[arg-type]
    assert desk.facts()["unmatched"] == desk.facts()["confirm"] > 0


def test_scores_are_those_without_an_analyst_where_verdicts_change_none() -> None:
    """The stand-in ignores them: the drive alone changes nothing."""
    plain = score_stream(StandInCore(), _lines())
    answered = score_with_analyst(AnswerableStandIn(), _lines(), Desk(ALWAYS, lambda _: True))
    assert np.array_equal(plain.scores, answered.scores, equal_nan=True)
    assert plain.alerts == answered.alerts
