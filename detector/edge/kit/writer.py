"""An act of the agent becomes a native event on its way to the sink; what goes wrong with it is counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from detector.clock import Clock
from detector.edge.kit.keyed import Redactor
from detector.edge.kit.outbox import Outbox, Sink
from detector.edge.kit.said import kit_log
from detector.errors import SetupError
from detector.otlp.values import MAX_ATTRIBUTE, text
from detector.schema.event import Event, Kind, StrictEvent


@dataclass(frozen=True, slots=True)
class Actor:
    """The agent as its program knows it; the fields are those of an event.

    Parameters
    ----------
    agent_id : str
        Stable over restarts: what is learned, and what a command binds, goes by it.
    agent_type : str
        The peers it is compared with.
    """

    agent_id: str
    agent_type: str = "default"
    agent_version: str | None = None
    tenant: str | None = None
    zone: str | None = None
    spiffe_id: str | None = None
    on_behalf_of: str | None = None


def stamp(event_id: str, at: float) -> dict[str, Any]:
    """Return the id and time of an event."""
    return {"event_id": event_id, "ts": datetime.fromtimestamp(at, UTC)}


class EventWriter:
    """Write events of one actor.

    Parameters
    ----------
    sink : callable
        Takes agent id and JSON.
    actor : Actor
        Who acts.
    redactor : Redactor
        With the key.
    kinds : mapping of str to str
        Kind of a tool's calls, by its name.
    clock : callable
        Seconds since the epoch.

    Raises
    ------
    SetupError
        The actor's fields or the kinds are not those of an event.
    """

    def __init__(self, sink: Sink, actor: Actor, redactor: Redactor, kinds: Mapping[str, Kind], clock: Clock) -> None:
        self.redactor = redactor
        self.kinds = dict(kinds)
        self.clock = clock
        self._actor = {name: value for name in Actor.__slots__ if (value := getattr(actor, name)) is not None}
        try:
            probe = Event(**stamp("probe", self.clock()), **self._actor, kind="lifecycle", name="probe")
            for kind in ("lifecycle", *self.kinds.values()):
                msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(probe, kind=kind)), type=StrictEvent)
        except (msgspec.ValidationError, TypeError) as exc:
            raise SetupError(f"actor and kinds of the recorder must fit an event, got {exc}") from exc
        self._outbox = Outbox(sink)
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(("faults", "unfinished", "untold"), 0)

    def put(self, session_id: str, seq: int, fields: Mapping[str, Any]) -> None:
        """Hand one event to the outbox."""
        event = Event(**self._actor | {"session_id": session_id, "seq": seq, **fields})
        self._outbox.put(event.agent_id.encode(), msgspec.json.encode(event))

    def of_instance(self, instance: str | None) -> dict[str, Any]:
        """Return the fields of a sub-agent: it acts under the agent's id, as telemetry that is mapped names them."""
        name = text(instance, MAX_ATTRIBUTE)
        return {} if name is None else {"instance_id": name, "parent_agent_id": self._actor["agent_id"]}

    def of_caller(self, agent_id: str | None) -> dict[str, Any]:
        """Return the id of another agent than the recorder's, where one is known: who calls a server."""
        name = text(agent_id, MAX_ATTRIBUTE)
        return {} if name is None else {"agent_id": name}

    def count(self, name: str, more: int = 1) -> None:
        """Count what happened."""
        with self._lock:
            self._counts[name] += more

    def fault(self, exc: Exception) -> None:
        """Count an error of the kit's own; the first is logged, by its type: its text may hold content."""
        with self._lock:
            self._counts["faults"] += 1
            is_first = self._counts["faults"] == 1
        if is_first:
            kit_log().warning("kit_fault", error=type(exc).__name__)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Let no error of the kit's own out of a block: it is counted."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - the agent goes on, whatever it was
            self.fault(exc)

    def counts(self) -> dict[str, int]:
        """Return what became of events, by name."""
        box = self._outbox
        with self._lock:
            return {"written": box.written, "dropped": box.dropped, "failed": box.failed, **self._counts}

    def close(self) -> bool:
        """Write what waits, within five seconds; False if something was left over."""
        return self._outbox.close()
