"""What alarms point at, act by act: each act is its own agent's, whosever incident it stands in."""

from __future__ import annotations

import numpy as np

from detector.offline.acts import judge_events
from detector.offline.labels import EventLabel, SessionLabel
from detector.offline.metrics import Resampling
from detector.offline.scored import Scored
from detector.schema.alert import Evidence
from tests.offline.stand_in import alert


def _act(event: str, at: float) -> Evidence:
    return Evidence(topic="t", partition=0, offset=0, line=0, event_id=event, ts=at, kind="k", name="n", target=None,
                    outcome="ok")  # fmt: skip


def test_acts_of_a_joined_incident_are_counted_under_their_own_agents() -> None:
    """The session of b joins the incident of a: two agents were called out, and both windows were hit."""
    first = alert({"event_id": "e0", "agent_id": "a", "session_id": "s1"}, 10.0)
    joined = first.model_copy(
        update={"session_id": "s2", "time": 500.0, "counter": 2, "evidence": (_act("e0", 10.0), _act("e1", 500.0))}
    )
    scored = Scored(["e0", "e1"], ["s1", "s2"], ["a", "b"], [10.0, 500.0], np.array([3.0, 3.0]), [first, joined])
    labels = {"e0": EventLabel(True, "k"), "e1": EventLabel(True, "k")}
    sessions = {name: SessionLabel("", "", True, True, "k") for name in ("s1", "s2")}
    found = judge_events(scored, labels, sessions, Resampling(0), 60.0)
    assert found["windows"] == {"n": 2, "hit": 2}
    assert found["episodes"] == {"gap_s": 60.0, "n": 2, "right": 2, "false": 0}
