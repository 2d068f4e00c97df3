"""A release covers the causes it names and what was heard before it; anything further is a new matter."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detector.response.stage import ResponseStage
from detector.schema.alert import Alert
from detector.schema.command import MOST_CAUSES, PolicyState, cause_key
from tests.response.scenes import release_of, restarted, stage_of, states_of, told

MakeAlert = Callable[..., Alert]
ONE, BOTH = ("rule.a/1",), ("rule.a/1", "rule.b/2")


def _released(make_alert: MakeAlert, causes: tuple[str, ...] = ONE) -> ResponseStage:
    """Return a stage in which kim released, at 2,000, a limit of a finding of some causes, heard at 1,000."""
    stage = stage_of()
    stage.on_alert(make_alert(time=1_000.0, causes=causes), 1_000.0)
    assert stage.on_release(release_of(2_000.0), 2_000.0).command is not None
    return stage


def _later(make_alert: MakeAlert, causes: tuple[str, ...], score: float = 2.1, time: float = 2_500.0) -> Alert:
    return make_alert(score=score, time=time, causes=causes, counter=2, activity="update")


def test_a_further_cause_of_a_released_finding_is_contained(make_alert: MakeAlert) -> None:
    """Twenty odd acts after a release are not one matter because they happen in one session."""
    stage = _released(make_alert)
    decision = stage.on_alert(_later(make_alert, BOTH), 2_500.0)
    assert told(decision) == [("agent-1", "issued")]
    assert decision.command is not None
    assert decision.command.reason.causes == (cause_key("rule.a/1"), cause_key("rule.b/2"))


def test_the_causes_that_were_released_stay_released(make_alert: MakeAlert) -> None:
    """The further cause's harmless twin; one more record of the same says nothing new."""
    stage = _released(make_alert, BOTH)
    for causes in (ONE, BOTH, ()):
        decision = stage.on_alert(_later(make_alert, causes), 2_500.0)
        assert (decision.command, decision.entry.detail) == (None, "kim released this finding")


def test_a_second_release_covers_the_further_cause_too(make_alert: MakeAlert) -> None:
    """An incident's causes only grow, so the last answer names them all; a third is new again."""
    stage = _released(make_alert)
    stage.on_alert(_later(make_alert, BOTH), 2_500.0)
    assert stage.on_release(release_of(3_000.0), 3_000.0).command is not None
    assert stage.on_alert(_later(make_alert, BOTH, time=3_500.0), 3_500.0).command is None
    assert stage.on_alert(_later(make_alert, (*BOTH, "c"), time=3_500.0), 3_500.0).command is not None


def test_a_further_cause_while_contained_is_remembered_for_the_release(make_alert: MakeAlert) -> None:
    """It prolongs the term as a second finding does, and the release then covers both."""
    stage = stage_of()
    stage.on_alert(make_alert(time=1_000.0, causes=ONE), 1_000.0)
    longer = stage.on_alert(_later(make_alert, BOTH, time=1_500.0), 1_500.0).command
    assert longer is not None
    assert (longer.revision, longer.expires_at) == (2, 5_100.0)
    assert stage.on_alert(_later(make_alert, BOTH, time=1_600.0), 1_600.0).command is None
    stage.on_release(release_of(2_000.0), 2_000.0)
    assert stage.on_alert(_later(make_alert, BOTH), 2_500.0).command is None


def test_what_was_heard_before_the_release_is_covered_when_it_comes_back(make_alert: MakeAlert) -> None:
    """A crash delivers records again: one that was skipped before the release must not undo it."""
    stage = stage_of()
    stage.on_alert(make_alert(score=3.0, time=1_000.0, causes=ONE), 1_000.0)
    weaker = _later(make_alert, BOTH, time=1_500.0)
    other = make_alert(time=1_600.0, event_id="e-2", causes=("c",))
    assert told(stage.on_alert(weaker, 1_500.0)) == told(stage.on_alert(other, 1_600.0)) == [("agent-1", "skipped")]
    stage.on_release(release_of(2_000.0), 2_000.0)
    for alert in (weaker, other):
        again = stage.on_alert(alert, alert.time)
        assert (again.command, again.entry.detail) == (None, "heard before kim released")
    assert stage.on_alert(make_alert(time=1_600.0, event_id="e-3"), 2_000.0).command is None
    assert stage.on_alert(make_alert(time=1_600.0, event_id="e-3"), 2_000.1).command is not None


def test_an_alert_dated_before_the_release_but_written_after_it_is_a_new_matter(make_alert: MakeAlert) -> None:
    """Who sends the event writes its time: to date it back must not make it covered. In replay nobody knows better."""
    dated_back = make_alert(time=900.0, event_id="e-2")
    assert _released(make_alert).on_alert(dated_back, 2_500.0).command is not None
    decision = _released(make_alert).on_alert(dated_back)
    assert (decision.command, decision.entry.detail) == (None, "older than what kim released")


def test_a_stronger_tier_of_the_released_causes_is_contained(make_alert: MakeAlert) -> None:
    """As before: the answer was to a limit."""
    assert _released(make_alert).on_alert(_later(make_alert, ONE, score=3.0), 2_500.0).command is not None


def test_an_answer_from_before_the_field_covers_the_whole_finding(make_alert: MakeAlert) -> None:
    """States of an earlier version are read, and mean what they meant."""
    (state,) = states_of(_released(make_alert).states.values())
    told_before = state.model_dump(mode="json", by_alias=True)
    for part, names in (("answer", ("causes", "taken_at")), ("reason", ("causes",))):
        for name in names:
            del told_before[part][name]
    for name in ("established", "strongest", "confirmed_by", "yielded_to"):
        del told_before[name]
    old = PolicyState.model_validate(told_before)
    assert (old.established, old.answer and old.answer.causes) == (True, None)
    assert restarted([old]).on_alert(_later(make_alert, BOTH), 2_500.0).command is None
    assert restarted([old]).on_alert(_later(make_alert, BOTH, score=3.0), 2_500.0).command is not None


def test_a_limit_from_before_the_field_is_not_prolonged_by_causes_nobody_wrote_down(make_alert: MakeAlert) -> None:
    """Whether a cause is further cannot be told: the finding is named already."""
    state = stage_of().on_alert(make_alert(time=1_000.0, causes=ONE), 1_000.0).command
    assert state is not None
    old = state.model_copy(update={"reason": state.reason.model_copy(update={"causes": None})})
    assert restarted([old]).on_alert(_later(make_alert, BOTH, time=1_500.0), 1_500.0).command is None


def test_what_is_remembered_of_causes_is_bounded(make_alert: MakeAlert) -> None:
    """However many an alert names, and however long the names are; what is not remembered is not covered."""
    causes = tuple(f"{index}" * 5_000 for index in range(MOST_CAUSES + 1))
    stage = _released(make_alert, causes)
    (state,) = states_of(stage.states.values())
    assert state.answer is not None
    assert len(state.answer.causes or ()) == MOST_CAUSES
    assert len(state.model_dump_json()) < 8_192
    assert stage.on_alert(_later(make_alert, causes[:-1]), 2_500.0).command is None


@pytest.mark.parametrize("years", [0.5, 73.0])
def test_a_release_of_an_alert_of_2099_does_not_outdate_what_comes_later(make_alert: MakeAlert, years: float) -> None:
    """Neither now nor of a state that an earlier version wrote with its cause in the future."""
    stage = stage_of()
    stage.on_alert(make_alert(time=1_000.0 + years * 31_536_000.0), 1_000.0)
    stage.on_release(release_of(2_000.0), 2_000.0)
    (state,) = states_of(stage.states.values())
    assert state.answer is not None
    assert state.answer.cause_at == 1_000.0
    assert stage.on_alert(make_alert(time=3_000.0, event_id="e-2"), 3_000.0).command is not None
    before = state.answer.model_copy(update={"cause_at": 4e9, "taken_at": None})
    old = restarted([state.model_copy(update={"answer": before})])
    assert old.on_alert(make_alert(time=3_000.0, event_id="e-2"), 3_000.0).command is not None


def test_a_cause_that_an_earlier_version_dated_ahead_is_lifted_as_of_the_release(make_alert: MakeAlert) -> None:
    """What the answer names as its cause is never later than the answer."""
    old = stage_of().on_alert(make_alert(time=4e9)).command
    assert old is not None
    released = restarted([old]).on_release(release_of(2_000.0), 2_000.0).command
    assert released is not None
    assert released.answer is not None
    assert released.answer.cause_at == 2_000.0
