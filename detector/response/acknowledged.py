"""Which commands were acknowledged: containment is a promise until an enforcement point has said that it holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

from detector.response.breaker import end_of
from detector.schema.acks import PolicyAck
from detector.schema.command import PolicyState

MOST_WATCHED: Final = 20_000
"""Subjects whose command is watched, and commands whose acknowledgement is remembered; the oldest leave first."""


class FirstAck(NamedTuple):
    """The first acknowledgement of a command: when, by the enforcement point's clock, and which point."""

    at: float
    point: str


class WatchedCommand(NamedTuple):
    """An enforced command: what it says, when it began to bind, and by when somebody must have acknowledged it."""

    state: PolicyState
    begins_at: float
    due_at: float


class ProvenCommand(NamedTuple):
    """A command that has just turned out to be acknowledged, and how many seconds that took."""

    state: PolicyState
    ack: FirstAck
    took_s: float


class AckWatch:
    """What stands and who acknowledged it, read from the two topics in any order; nothing here knows a clock.

    Any acknowledgement of a command counts, of whatever revision, point and kind: what was denied under it holds there.
    """

    def __init__(self) -> None:
        self._commands: OrderedDict[str, WatchedCommand] = OrderedDict()
        self._heard: OrderedDict[str, FirstAck] = OrderedDict()

    def note(self, state: PolicyState, written_at: float) -> ProvenCommand | None:
        """Take up a state that was written at `written_at`; return it if its command is new and acknowledged already.

        A further revision of the same command is due when the first one was.
        """
        known = self._commands.get(state.subject)
        if known is not None and state.revision <= known.state.revision:
            return None
        if state.mode != "enforce" or state.state == "released":
            self._commands.pop(state.subject, None)
            return None
        if known is not None and known.state.command_id == state.command_id:
            self._commands[state.subject] = known._replace(state=state)
            return None
        begins_at = max(state.begins_at, written_at)
        self._commands[state.subject] = WatchedCommand(state, begins_at, begins_at + state.ack_deadline_s)
        self._commands.move_to_end(state.subject)
        if len(self._commands) > MOST_WATCHED:
            self._commands.popitem(last=False)
        return self._proven(state.subject, state.command_id)

    def hear(self, ack: PolicyAck) -> ProvenCommand | None:
        """Take up an acknowledgement; return its command if this is the first one, and the command is known."""
        if ack.command_id in self._heard:
            return None
        self._heard[ack.command_id] = FirstAck(ack.first_at, ack.point)
        if len(self._heard) > MOST_WATCHED:
            self._heard.popitem(last=False)
        return self._proven(ack.subject, ack.command_id)

    def _proven(self, subject: str, command_id: str) -> ProvenCommand | None:
        known, ack = self._commands.get(subject), self._heard.get(command_id)
        if known is None or ack is None or known.state.command_id != command_id:
            return None
        return ProvenCommand(known.state, ack, max(0.0, ack.at - known.begins_at))

    def first_of(self, command_id: str) -> FirstAck | None:
        """Return the first acknowledgement of a command that was heard; None if there was none."""
        return self._heard.get(command_id)

    def in_force(self, now: float) -> Iterator[WatchedCommand]:
        """Yield the commands whose term is not over."""
        for one in self._commands.values():
            end = end_of(one.state)
            if end is not None and now < end:
                yield one

    def overdue(self, now: float) -> list[WatchedCommand]:
        """Return the commands in force that nobody has acknowledged by their deadline, the oldest first."""
        return [one for one in self.in_force(now) if now > one.due_at and one.state.command_id not in self._heard]
