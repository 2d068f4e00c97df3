"""Recorded sessions as a fleet's history: other times and names, and every record is an event exactly as it was."""

from __future__ import annotations

import gzip
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from detector.demo.agents import FLEET, PROGRAMS
from detector.demo.codex import CODEX
from detector.demo.program import Program
from detector.demo.recorded import DAY_S, RecordedFleet, RecordedSession, history, moved, read_recording, written
from detector.errors import SetupError
from detector.otlp.explain import explain
from detector.schema.event import Event

UNTIL = 1_795_965_091.0
SMALL = RecordedFleet(("ada", "grace"), days=2, sessions=2)


EACH = pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))


def _sessions(program: Program) -> list[RecordedSession]:
    return read_recording(program.recording, program.session_id)


def _events(raw: bytes) -> list[Event]:
    return [one.event for one in explain(raw) if one.event is not None]


@EACH
def test_the_shipped_recording_is_two_dozen_sessions_of_the_real_program(program: Program) -> None:
    """Each with a beginning, calls that ran, and tokens; the paths and words of nobody."""
    sessions = _sessions(program)
    assert len(sessions) == 24
    for one in sessions:
        kinds = Counter(event.kind for event in _events(one.request.SerializeToString()))
        assert kinds["tool_call"] >= 4
        assert kinds["llm_call"] == kinds["tool_call"] + 1
        assert 0.0 < one.ends - one.begins < 60.0
    assert b"/tmp/" not in gzip.decompress(program.recording.read_bytes())


@EACH
def test_a_moved_session_is_the_same_but_for_time_name_and_id(program: Program) -> None:
    """Kinds, tools, targets, outcomes and the spacing of its records stay; of the old id nothing does."""
    session = _sessions(program)[0]
    before = _events(session.request.SerializeToString())
    raw = moved(session, UNTIL, "ada", "x").SerializeToString()
    assert session.name.encode() in session.request.SerializeToString()
    assert session.name.encode() not in raw
    after = _events(raw)
    assert [(one.kind, one.name, one.target, one.outcome, one.tokens_in) for one in after] == [
        (one.kind, one.name, one.target, one.outcome, one.tokens_in) for one in before
    ]
    assert {one.agent_id for one in after} == {f"{program.source}/ada"}
    assert {one.session_id for one in after}.isdisjoint({one.session_id for one in before})
    shifts = {round((b.ts - a.ts).total_seconds(), 2) for a, b in zip(before, after, strict=True)}
    assert shifts == {round(UNTIL - session.begins, 2)}


def test_a_history_is_whole_in_order_and_before_its_end() -> None:
    """Everybody has their sessions on each of the last days; no two are one; the same seed is the same."""
    sessions = _sessions(CODEX)
    requests = list(history(sessions, SMALL, UNTIL, seed=1))
    assert requests == list(history(sessions, SMALL, UNTIL, seed=1))
    assert requests != list(history(sessions, SMALL, UNTIL, seed=2))
    starts = [_events(raw)[0] for raw in requests]
    assert Counter(one.agent_id for one in starts) == {"codex/ada": 4, "codex/grace": 4}
    assert len({one.session_id for one in starts}) == len(requests) == 8
    times = [one.ts.timestamp() for one in starts]
    assert all(a <= b for a, b in pairwise(times))
    assert UNTIL - 3 * DAY_S < min(times) < max(times) < UNTIL


def test_the_demos_fleet_is_large_enough_to_speak_at_full_strength() -> None:
    """A finding by score is more than medium once a hundred sessions have closed."""
    assert len(FLEET.people) * FLEET.days * FLEET.sessions > 100


def test_a_file_without_sessions_is_refused(tmp_path: Path) -> None:
    """With its name."""
    written([], tmp_path / "none.gz")
    with pytest.raises(SetupError, match=r"none\.gz"):
        read_recording(tmp_path / "none.gz", CODEX.session_id)
