"""A session that happens again, later or in another agent's hands: for asking what would be decided on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from detector.errors import SetupError
from detector.offline.episodes import seconds
from detector.offline.reshape import shifted
from detector.offline.scored import facts_of

_IDENTITY = ("agent_type", "agent_version", "zone", "tenant")
"""Fields that say who an agent is, beside its id: another one brings its own, or none."""


class Recurrence:
    """A session of a stream, to be repeated with ids of its own.

    Parameters
    ----------
    lines : sequence of bytes
        The stream, as far as it was read.
    session_id : str
        The session that is repeated.

    Attributes
    ----------
    agent_id : str
        Whose it is.
    peers, others : tuple of str
        Agents of its type, and of other types, by id; itself is in neither.

    Raises
    ------
    SetupError
        The session is not among the lines.
    """

    def __init__(self, lines: Sequence[bytes], session_id: str) -> None:
        facts = [facts_of(line) for line in lines]
        self._own = [line for line, one in zip(lines, facts, strict=True) if one.session == session_id]
        if not self._own:
            raise SetupError(f"session of a recurrence must be one of the stream, got {session_id}: take another")
        self.agent_id = facts_of(self._own[0]).agent_id
        self._name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(self.agent_id)}(?![A-Za-z0-9])")
        last = {one.agent_id: line for line, one in zip(lines, facts, strict=True) if one.agent_id}
        self._known: dict[str, dict[str, Any]] = {agent: msgspec.json.decode(line) for agent, line in last.items()}
        mine = self._group(self.agent_id)
        rest = sorted(self._known.keys() - {self.agent_id})
        self.peers = tuple(agent for agent in rest if self._group(agent) == mine)
        self.others = tuple(agent for agent in rest if self._group(agent) != mine)

    def _group(self, agent_id: str) -> tuple[Any, Any]:
        known = self._known[agent_id]
        return known.get("tenant"), known.get("agent_type")

    def at(self, begin: float, number: int, agent_id: str | None = None) -> list[bytes]:
        """Return the session again.

        Parameters
        ----------
        begin : float
            When it begins, epoch seconds; its pace stays.
        number : int
            Of the repetition: no two with the same.
        agent_id : str, optional
            In whose hands; its own agent's if left out. Whatever bears the one's id as a whole word then bears
            the other's, its credential for one: what is repeated is the act, and not a theft of names.

        Raises
        ------
        SetupError
            The agent was not seen on the stream.
        """
        agent = self.agent_id if agent_id is None else agent_id
        if agent not in self._known:
            raise SetupError(f"agent of a recurrence must be one of the stream, got {agent}: take one of peers")
        by_s = begin - seconds(facts_of(self._own[0]).ts)
        return [self._copied(line, f"again-{number}", f"again-{number}-{place}", agent, by_s)
                for place, line in enumerate(self._own)]  # fmt: skip

    def _copied(self, line: bytes, session: str, event: str, agent: str, by_s: float) -> bytes:
        body: dict[str, Any] = _renamed(msgspec.json.decode(line), self._name, agent)
        if agent != self.agent_id:
            body = {name: value for name, value in body.items() if name not in _IDENTITY}
            body |= {name: self._known[agent][name] for name in _IDENTITY if name in self._known[agent]}
        body |= {"event_id": event, "session_id": session}
        if "trace_id" in body:
            body["trace_id"] = session
        return msgspec.json.encode(shifted(body, by_s))


def _renamed(value: Any, whole: re.Pattern[str], new: str) -> Any:  # noqa: ANN401 - whatever an event holds
    """Return a value in which strings have another name wherever one stands as a whole word."""
    if isinstance(value, str):
        return whole.sub(lambda _: new, value)
    if isinstance(value, dict):
        return {name: _renamed(part, whole, new) for name, part in value.items()}
    return [_renamed(part, whole, new) for part in value] if isinstance(value, list) else value
