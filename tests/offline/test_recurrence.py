"""A session that happens again, in the same hands or in others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.errors import SetupError
from detector.offline.recurrence import Recurrence


def _event(number: int, agent: str, kind: str, session: str, **more: Any) -> bytes:
    return msgspec.json.encode({
        "event_id": f"e{number}", "ts": f"2026-03-02T08:00:0{number}.000Z", "agent_id": agent, "agent_type": kind,
        "session_id": session, "kind": "tool_call", "name": "send", **more,
    })  # fmt: skip


LINES = [
    _event(1, "a", "clerk", "s", trace_id="t", credential={"id": "cred-a"}, zone="eu"),
    _event(2, "b", "clerk", "u", agent_version="2"),
    _event(3, "c", "coder", "v"),
    _event(4, "a", "clerk", "s", attributes={"to": ["a@x.example", 7]}),
]


def test_the_agents_of_its_kind_are_told_from_others() -> None:
    """Itself is neither."""
    again = Recurrence(LINES, "s")
    assert (again.agent_id, again.peers, again.others) == ("a", ("b",), ("c",))


def test_a_session_again_has_ids_and_times_of_its_own() -> None:
    """All else is as it was, its pace too."""
    first, second = (msgspec.json.decode(line) for line in Recurrence(LINES, "s").at(1_772_445_601.0, 3))
    was = msgspec.json.decode(LINES[0])
    assert first == {
        **was, "event_id": "again-3-0", "session_id": "again-3", "trace_id": "again-3",
        "ts": "2026-03-02T10:00:01.000Z",
    }  # fmt: skip
    assert (second["ts"], second["event_id"], second["session_id"]) == (
        "2026-03-02T10:00:04.000Z",
        "again-3-1",
        "again-3",
    )
    assert "trace_id" not in second


def test_in_other_hands_it_bears_the_other_name() -> None:
    """As a whole word, in its credential and arguments too; type, version and zone are the other agent's."""
    first, second = (msgspec.json.decode(line) for line in Recurrence(LINES, "s").at(0.0, 1, "b"))
    assert (first["agent_id"], first["credential"], first["agent_version"]) == ("b", {"id": "cred-b"}, "2")
    assert "zone" not in first
    assert second["attributes"] == {"to": ["b@x.example", 7]}


def test_what_is_not_on_the_stream_is_refused() -> None:
    """A session or an agent that nobody saw."""
    with pytest.raises(SetupError, match="session of a recurrence must be one of the stream, got x"):
        Recurrence(LINES, "x")
    with pytest.raises(SetupError, match="agent of a recurrence must be one of the stream, got x"):
        Recurrence(LINES, "s").at(0.0, 1, "x")
