"""The analyst: what is answered follows from seed and finding alone, and reaches the detector as a real verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alerts.storm import SENSOR
from detector.errors import SetupError
from detector.offline.analyst import Analyst, Desk, parse_analyst
from detector.schema.alert import Alert
from detector.schema.feedback import Verdict, feedback_adapter
from tests.offline.stand_in import alert

ALWAYS = Analyst(answered=1.0, wrong=0.0, delay=0)


def _alert(number: int, session: str = "s", agent: str = "a") -> Alert:
    return alert({"event_id": f"e{number}", "agent_id": agent, "session_id": session}, float(number))


def _uids(count: int) -> list[str]:
    return [f"{number:032x}" for number in range(count)]


def test_the_text_of_the_command_line_is_the_analyst() -> None:
    """As the help shows it; what is left out keeps its default."""
    assert parse_analyst("answered=.6,wrong=.05,delay=50,seed=0") == Analyst()
    assert parse_analyst(" delay = 7 , wrong=1") == Analyst(wrong=1.0, delay=7)
    assert parse_analyst("") == Analyst()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("answered=1.5", "answered of the analyst must be a share from 0 to 1, got 1.5"),
        ("wrong=nan", "wrong of the analyst must be a share from 0 to 1, got nan"),
        ("delay=-1", "delay of the analyst must be at least 0 closed sessions, got -1"),
        ("delay=2.5", "delay of the analyst must be a whole number, got '2.5'"),
        ("answers=.5", "must be one of answered, wrong, delay, seed, once, as NAME=NUMBER; got 'answers=.5'"),
        ("delay=1,delay=2", "got 'delay=2'"),
        ("answered", "answered of the analyst must be a number, got ''"),
    ],
)
def test_an_analyst_that_cannot_be_is_refused(text: str, said: str) -> None:
    """In one sentence that names the part."""
    with pytest.raises(SetupError) as caught:
        parse_analyst(text)
    assert said in str(caught.value)


def test_the_shares_answered_and_wrong_are_those_asked_for() -> None:
    """Of five thousand findings, within three standard deviations."""
    analyst = Analyst(answered=0.6, wrong=0.2, seed=3)
    said = [analyst.verdict_on(uid, is_attack=True) for uid in _uids(5_000)]
    answered = [one for one in said if one is not None]
    assert len(answered) / 5_000 == pytest.approx(0.6, abs=0.021)
    assert answered.count("dismiss") / len(answered) == pytest.approx(0.2, abs=0.022)


@given(number=st.integers(0, 2**32), seed=st.integers(0, 50))
def test_a_wrong_verdict_is_wrong_of_both_kinds(number: int, seed: int) -> None:
    """Whether it is answered, and whether wrongly, does not depend on what is true."""
    analyst, uid = Analyst(answered=0.5, wrong=0.5, seed=seed), f"{number:032x}"
    of_attack, of_harmless = (analyst.verdict_on(uid, is_attack=one) for one in (True, False))
    assert {of_attack, of_harmless} in ({None}, {"confirm", "dismiss"})
    assert (of_attack == "dismiss") == (of_attack is not None and analyst.errs_on(uid))


def test_another_seed_is_another_analyst() -> None:
    """Else means over seeds would be one run."""
    one, other = (
        [Analyst(seed=seed).verdict_on(uid, is_attack=True) for uid in _uids(200)] for seed in (0, 1)
    )  # fmt: skip
    assert one != other


def test_a_verdict_waits_for_so_many_closed_sessions() -> None:
    """Counted from the opening of its incident; it is given once."""
    desk = Desk(Analyst(1.0, 0.0, delay=3), lambda name: name == "bad")
    assert desk.look([_alert(1, "bad")], closed=10, at=1.0) == []
    assert desk.look([], closed=2, at=2.0) == []
    (control,) = desk.look([], closed=1, at=3.0)
    act = feedback_adapter.validate_json(control.value)
    assert isinstance(act, Verdict)
    assert (act.verdict, act.finding_uid, act.agent_id, act.at) == ("confirm", _alert(1, "bad").finding_uid, "a", 3.0)
    assert desk.look([], closed=9, at=4.0) == []


def test_an_incident_is_judged_by_the_session_that_opened_it() -> None:
    """Whoever joins it later, and however often it is told, there is one verdict."""
    desk = Desk(ALWAYS, lambda name: name == "bad")
    joined = _alert(1, "good").model_copy(update={"session_id": "bad", "activity": "update", "counter": 2})
    said = desk.look([_alert(1, "good"), joined, _alert(2, "bad")], closed=0, at=0.0)
    assert [feedback_adapter.validate_json(one.value).model_dump()["verdict"] for one in said] == ["dismiss", "confirm"]
    assert [one.offset for one in said] == [0, 1]
    assert desk.facts()["incidents"] == 2


def test_without_a_session_the_agent_is_who_was_asked_about() -> None:
    """As the labels name it then."""
    desk = Desk(ALWAYS, lambda name: name == "rogue")
    alone = _alert(1, agent="rogue").model_copy(update={"session_id": None})
    (said,) = desk.look([alone], closed=0, at=0.0)
    assert b'"confirm"' in said.value


def test_a_storm_gets_no_verdict() -> None:
    """It is many sessions in one incident, and nobody's."""
    desk = Desk(ALWAYS, lambda _: False)
    storm = _alert(1, agent=SENSOR).model_copy(update={"detection": "sensor.storm"})
    assert desk.look([storm], closed=5, at=0.0) == []
    assert desk.facts()["incidents"] == 0


def test_what_came_of_the_verdicts_is_counted() -> None:
    """Wrong ones, unanswered ones, and those the stream was too short for."""
    wrong = Desk(Analyst(1.0, 1.0, 0), lambda _: True)
    wrong.look([_alert(1), _alert(2)], closed=0, at=0.0)
    assert {name: wrong.facts()[name] for name in ("confirm", "dismiss", "wrong", "late")} == {
        "confirm": 0, "dismiss": 2, "wrong": 2, "late": 0,
    }  # fmt: skip
    late = Desk(Analyst(1.0, 0.0, 9), lambda _: True)
    late.look([_alert(1)], closed=0, at=0.0)
    assert (late.facts()["late"], late.facts()["confirm"]) == (1, 0)
    silent = Desk(Analyst(answered=0.0), lambda _: True)
    silent.look([_alert(1)], closed=0, at=0.0)
    assert silent.facts()["unanswered"] == 1


@given(cuts=st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_the_verdicts_do_not_depend_on_how_the_alerts_are_cut(cuts: list[int]) -> None:
    """The same findings, the same answers, in whatever portions they are told."""
    alerts = [_alert(number, f"s{number % 3}") for number in range(30)]
    analyst = Analyst(answered=0.5, wrong=0.3, delay=0, seed=2)
    whole = Desk(analyst, lambda name: name == "s1")
    want = [one.value for one in whole.look(alerts, closed=0, at=0.0)]
    desk, found, start = Desk(analyst, lambda name: name == "s1"), list[bytes](), 0
    for size in [*cuts, len(alerts)]:
        found += [one.value for one in desk.look(alerts[start : start + size], closed=0, at=0.0)]
        start += size
    assert found == want
    assert want
