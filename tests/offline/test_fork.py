"""One incident, gone on with after each verdict: what a verdict changes, and that nothing else does."""

from __future__ import annotations

import shlex
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from detector.desk import commands, feedback
from detector.desk.writing import FeedbackPlace
from detector.errors import SetupError
from detector.offline.core import Core
from detector.offline.course import difference
from detector.offline.fork import Stopped, command_line, stop_at
from detector.offline.recurrence import Recurrence
from detector.offline.study import Stream, made_up_stream
from detector.profile.load import load_profile
from detector.schema.feedback import Scope

HOUR = 3_600.0


@pytest.fixture(scope="module")
def stream() -> Stream:
    """Return a small fleet with one attack of each kind."""
    return made_up_stream(agents=30, attacks_of_each=1)


@pytest.fixture(scope="module")
def stopped(stream: Stream) -> Stopped:
    """Return the run stopped at its strongest alert on an attack."""
    core = Core(load_profile(), trusted_until=stream.live_start)
    core.process(stream.lines)
    core.finish()
    found = [one for one in core.alerts if one.score and one.session_id and stream.sessions[one.session_id].is_attack]
    strongest = max(found, key=lambda one: one.score or 0.0)
    return stop_at(stream, load_profile(), strongest.session_id or "")


@pytest.fixture(scope="module")
def again(stream: Stream, stopped: Stopped) -> Recurrence:
    """Return the incident's session, to happen again."""
    return Recurrence(stream.lines[: stopped.lines], stopped.alert.session_id or "")


def _told(stopped: Stopped, again: Recurrence, verdicts: list[Any], times: int = 9) -> list[bool]:
    branch = stopped.branch(verdicts)
    return [branch.hear(again.at(stopped.at + number * HOUR, number)).is_told for number in range(1, times + 1)]


def test_the_run_stops_where_the_finding_is_closed(stream: Stream, stopped: Stopped) -> None:
    """All of it was told, nothing was read much further, and the record to read is not the close."""
    assert stopped.records[0].activity == "create"
    assert stopped.records[-1].activity == "close"
    assert stopped.alert.activity in {"create", "update"}
    assert stopped.lines < len(stream.lines)
    assert stopped.at >= stopped.alert.last_seen


def test_a_session_that_never_alerts_is_refused(stream: Stream) -> None:
    """The caller is told, rather than given the end of the stream."""
    with pytest.raises(SetupError, match="must be one that alerts on simulated, got nobody"):
        stop_at(stream, load_profile(), "nobody")


def test_a_branch_without_a_verdict_goes_on_as_the_run_would_have(stream: Stream, stopped: Stopped) -> None:
    """Same scores and same alerts as of a run that was never stopped."""
    core = Core(load_profile(), trusted_until=stream.live_start)
    whole = core.process(stream.lines)[stopped.lines :]
    course = stopped.branch().go_on(stream.lines[stopped.lines :])
    assert course.scores.tolist() == pytest.approx(whole.tolist(), nan_ok=True, abs=0.0)
    later = {one.session_id for one in core.alerts if one.activity == "create" and one.time > stopped.at}
    assert later <= set(course.alerted)


def test_what_nobody_spoke_of_alerts_again(stopped: Stopped, again: Recurrence) -> None:
    """The same session an hour later, as the second of its incident; its score is past the level."""
    one = stopped.branch().hear(again.at(stopped.at + HOUR, 1))
    assert (one.is_told, one.basis, one.incident_sessions) == (True, "score", stopped.alert.incident_sessions + 1)
    assert one.score >= one.threshold == pytest.approx(2.0)


def test_a_dismissed_cause_is_quiet_and_its_fourth_session_shown(stopped: Stopped, again: Recurrence) -> None:
    """Quiet three times, told, quiet until the eighth; the evidence is what it was: nothing was taught."""
    dismiss = [stopped.verdict("dismiss", "harmless")]
    assert _told(stopped, again, dismiss) == [False, False, False, True, False, False, False, True, False]
    lines = again.at(stopped.at + HOUR, 1)
    assert stopped.branch(dismiss).hear(lines).evidence == stopped.branch().hear(lines).evidence


def test_what_is_safe_is_less_strange_from_then_on(stopped: Stopped, again: Recurrence) -> None:
    """It was taught, so that the evidence falls; and containment that it caused is lifted."""
    safe = stopped.branch([stopped.verdict("safe", "a new job")])
    before = stopped.branch().standing(stopped.alert)
    after = safe.standing(stopped.alert)
    assert before is not None
    assert after is not None
    assert (before.state, after.state) == ("quarantined", "released")
    lines = again.at(stopped.at + HOUR, 1)
    assert safe.hear(lines).evidence < stopped.branch().hear(lines).evidence


def test_a_confirmed_one_yields_to_nobody_and_raises_what_comes_after(stopped: Stopped, again: Recurrence) -> None:
    """Its state bears the name of who confirmed; it left the reference, so that the same act is rarer."""
    confirm = stopped.branch([stopped.verdict("confirm", "an attack", by="eve")])
    standing = confirm.standing(stopped.alert)
    assert standing is not None
    assert standing.confirmed_by == "eve"
    assert [one.verdict.verdict for one in confirm.answers if one.verdict] == ["confirm"]
    lines = again.at(stopped.at + HOUR, 1)
    assert confirm.hear(lines).score > stopped.branch().hear(lines).score


def test_a_disabled_cause_is_back_when_its_time_is_over(stopped: Stopped, again: Recurrence) -> None:
    """Not told before, told after; a peer's is told all the while, unless it was disabled for the group."""
    until = stopped.at + 3.5 * HOUR
    mine = [stopped.verdict("disable", "a test", until=until)]
    assert _told(stopped, again, mine, 5) == [False, False, False, True, True]
    lines = again.at(stopped.at + HOUR, 1, again.peers[0])
    assert stopped.branch(mine).hear(lines).is_told
    assert not stopped.branch([stopped.verdict("disable", "a test", until=until, scope="group")]).hear(lines).is_told


def test_what_is_taken_back_decides_nothing(stopped: Stopped, again: Recurrence) -> None:
    """Told as if nobody had spoken, with the same scores."""
    undone = [stopped.verdict("dismiss", "harmless"), stopped.verdict("undo", "it was not")]
    assert _told(stopped, again, undone) == _told(stopped, again, [])


def test_a_dismissal_rescores_nothing(stream: Stream, stopped: Stopped) -> None:
    """Whatever comes next on the stream has the score it would have had."""
    rest = stream.lines[stopped.lines :]
    dismissed = stopped.branch([stopped.verdict("dismiss", "harmless")]).go_on(rest)
    assert difference(stopped.branch().go_on(rest), dismissed).rescored == 0


@pytest.mark.parametrize(("lines", "said"), [([], "must be 1 to 512, got 0"), ([b"{}"], "must be readable")])
def test_what_is_no_session_is_refused(stopped: Stopped, lines: list[bytes], said: str) -> None:
    """None, and one that is no event."""
    with pytest.raises(SetupError, match=said):
        stopped.branch().hear(lines)


@pytest.mark.parametrize("kind", ["confirm", "disable"])
def test_the_command_gives_the_verdict_it_stands_for(
    stopped: Stopped, monkeypatch: pytest.MonkeyPatch, kind: Literal["confirm", "disable"]
) -> None:
    """A shell takes it apart as it was put together; the reason is somebody's text."""
    asked: list[feedback.VerdictRequest] = []

    def take(_: feedback.FeedbackClient, request: feedback.VerdictRequest) -> FeedbackPlace:
        asked.append(request)
        return FeedbackPlace(0, 0)

    monkeypatch.setattr(feedback.FeedbackClient, "verdict", take)
    whose = (stopped.alert.agent_id, stopped.alert.tenant)
    monkeypatch.setattr(feedback.FeedbackClient, "whose", lambda _, uid: whose)
    until = stopped.at + HOUR if kind == "disable" else None
    scope: Scope = "agent" if until is None else "group"
    given = stopped.verdict(kind, "it's $(odd); `so`", until=until, scope=scope)
    words = shlex.split(command_line(given))
    assert words[0] == "detector"
    ran = CliRunner().invoke(commands.app, words[1:])
    assert ran.exit_code == 0, ran.output
    (request,) = asked
    assert {name: getattr(given, name) for name in request._fields} == request._asdict()
