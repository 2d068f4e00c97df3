"""The verdict over a session of a real agent follows from what was seen, each step and each failure by itself."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from detector.demo.agents_summary import STEPS, Told, summary_table
from detector.schema.topics import TopicNames


def _told(**changed: object) -> Told:
    """Return what is told of a whole story, with some of it changed."""
    told = Told(TopicNames(), {})
    told.at = {"act": 100.0} | {name: 101.0 + n / 10 for n, name in enumerate(STEPS)}
    told.agent_id, told.tier, told.released, told.works_after = "codex/root", "isolate", True, True
    for name, value in changed.items():
        setattr(told, name, value)
    return told


def test_a_whole_story_passes_with_its_times() -> None:
    """Seconds count from the end of the act."""
    summary = _told().summary(7)
    assert summary.failures == ()
    assert summary.seconds == {"event": 1.0, "alert": 1.1, "command": 1.2, "applied": 1.3, "denied": 1.4}
    assert summary.as_dict()["seed"] == 7


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"false_alarms": 1}, "1 alerts of ordinary sessions"),
        ({"released": False}, "could not be released"),
        ({"works_after": False}, "did not work again"),
        ({"at": {"act": 1.0, "event": 2.0}, "released": False}, "did not come: alert"),
        ({"at": {}, "released": False}, "did not come: telemetry"),
    ],
)
def test_what_is_missing_is_a_failure_with_its_name(changed: dict[str, object], said: str) -> None:
    """A person reads what did not happen, at the end and in the exit status."""
    summary = _told(**changed).summary(1)
    assert any(said in one for one in summary.failures)
    stream = io.StringIO()
    Console(file=stream, width=300).print(summary_table(summary))
    assert said in " ".join(stream.getvalue().split())


def _finding(uid: str, session: str, score: float) -> dict[str, object]:
    unmapped = {"detector": {"session_id": session, "score": score}}
    return {"finding_info": {"uid": uid, "title": "t"}, "severity": "High", "unmapped": unmapped}


def test_alerts_of_other_sessions_are_false_alarms_once_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Updates of a finding are the same finding; the odd session's own is none of them."""
    told = _told()
    records = [("a", "odd", 3.0), ("b", "s1", 2.5), ("b", "s1", 2.6), ("c", "s2", 2.1), ("a", "odd", 4.0)]
    found = [(float(n), _finding(*one)) for n, one in enumerate(records)]
    monkeypatch.setattr(told, "_read", lambda _: iter(found))
    told._alert("odd")
    assert (told.false_alarms, told.score, told.at["alert"]) == (2, 4.0, 101.1)
