"""The recorder: what an agent's program tells of itself is written as native events, conversation by conversation."""

from __future__ import annotations

import atexit
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from detector.clock import Clock, system_clock
from detector.edge.kit.conversation import Conversation
from detector.edge.kit.keyed import Redactor
from detector.edge.kit.outbox import Sink
from detector.edge.kit.writer import Actor, EventWriter
from detector.otlp.values import MAX_ATTRIBUTE, text
from detector.schema.event import Kind

MOST_CONVERSATIONS: Final = 64
"""Conversations whose texts are held; the one longest unused is forgotten."""
MOST_FORGOTTEN: Final = 4_096
"""Forgotten conversations that are known as such, with how many events they had."""


class Recorder:
    """Write what agents do as events to a sink. No method of a conversation raises, waits, or keeps without bound.

    Parameters
    ----------
    sink : callable
        Takes agent id and JSON: :class:`~detector.edge.kit.outbox.KafkaEvents`,
        :class:`~detector.edge.kit.outbox.JsonLines`, or one of your own.
    actor : Actor
        Who acts.
    redactor : Redactor, optional
        With the key; from the environment if not given.
    kinds : mapping of str to str, optional
        Kind of a tool's calls, by its name, where it is not ``tool_call``: ``{"read_file": "data_access"}``.
    clock : callable, optional
        Seconds since the epoch.

    Raises
    ------
    SetupError
        The actor's fields are not those of an event, or there is no key. After this nothing raises.
    """

    def __init__(
        self,
        sink: Sink,
        actor: Actor,
        *,
        redactor: Redactor | None = None,
        kinds: Mapping[str, Kind] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        made = redactor or Redactor.from_environment()
        self.writer = EventWriter(sink, actor, made, kinds or {}, clock)
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Conversation] = OrderedDict()
        self._forgotten: OrderedDict[str, int] = OrderedDict()
        atexit.register(self.close)

    def conversation(self, session_id: str | None = None, *, is_continued: bool = False) -> Conversation:
        """Return the conversation of an id, a new one without id; what is held of others may be forgotten for it.

        One that comes back after it was forgotten, or that another process began, tells no origin ``none``: the value
        may have been said before.
        """
        session_id = text(session_id if session_id is None else str(session_id), MAX_ATTRIBUTE) or uuid.uuid4().hex
        with self._lock:
            if (found := self._held.get(session_id)) is not None:
                self._held.move_to_end(session_id)
                return found
            known = self._forgotten.pop(session_id, 0 if is_continued else None)
            made = self._held[session_id] = Conversation(self.writer, session_id, known)
            old = self._held.popitem(last=False)[1] if len(self._held) > MOST_CONVERSATIONS else None
        if old is not None:
            old.close()
            with self._lock:
                self._forgotten[old.session_id] = old.written
                while len(self._forgotten) > MOST_FORGOTTEN:
                    self._forgotten.popitem(last=False)
        return made

    def counts(self) -> dict[str, int]:
        """Return what became of events: written, dropped, failed; faults; calls without result; origins not told."""
        return self.writer.counts()

    def close(self) -> bool:
        """Write the open calls and what waits, within five seconds; False if something was left over."""
        atexit.unregister(self.close)
        with self._lock:
            held = list(self._held.values())
        for one in held:
            one.close()
        return self.writer.close()
