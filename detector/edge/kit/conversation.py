"""What is said and done in one conversation: each call an event, with where its values came from."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar

from detector.edge.kit.acts import Act, described
from detector.edge.kit.origins import Provenance
from detector.edge.kit.sizes import size_of
from detector.edge.kit.writer import EventWriter, stamp
from detector.otlp.values import MAX_ATTRIBUTE, amount, text
from detector.schema.event import Outcome

MOST_OPEN: Final = 256
"""Calls of a conversation without a result; the oldest is then written without one."""

P = ParamSpec("P")
T = TypeVar("T")


def guarded(
    method: Callable[Concatenate[Conversation, P], T],
) -> Callable[Concatenate[Conversation, P], T | None]:
    """Return a method that raises nothing into the agent: an error is counted."""

    @wraps(method)
    def inner(self: Conversation, *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return method(self, *args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - the agent goes on, whatever it was
            self.writer.fault(exc)
            return None

    return inner  # type: ignore[return-value] # mypy names its first parameter, which is only passed by position


class CallNote(NamedTuple):
    """What a library knows of a call beside its arguments.

    Parameters
    ----------
    tool_hash : str, optional
        Digest of the tool's definition.
    instance : str, optional
        Name of the sub-agent that calls.
    tells_origins : bool
        False where the user's words are not heard: on a server.
    agent_id : str, optional
        Who calls, where it is not the recorder's actor: on a server.
    """

    tool_hash: str | None = None
    instance: str | None = None
    tells_origins: bool = True
    agent_id: str | None = None


class ModelAnswer(NamedTuple):
    """What is told of a model's answer: never its words."""

    model: str
    tokens_in: float | None = None
    tokens_out: float | None = None
    duration_ms: float | None = None
    outcome: Outcome = "ok"


_PLAIN_CALL: Final = CallNote()


class Conversation:
    """One conversation of an agent; made by a recorder."""

    def __init__(self, writer: EventWriter, session_id: str, written: int | None) -> None:
        self.writer = writer
        self.session_id = session_id
        self.written = written or 0
        self._provenance = Provenance(is_whole=written is None)
        self._open: OrderedDict[str, Act] = OrderedDict()
        self._lock = threading.RLock()

    @guarded
    def user_said(self, words: object) -> None:
        """Remember the user's words: text, or whatever holds it."""
        with self._lock:
            self._provenance.user_said(words)

    @guarded
    def tool_said(self, output: object) -> None:
        """Remember what came from outside without a call: a retrieved document, a resource, a peer's message."""
        with self._lock:
            self._provenance.tool_returned(output)

    @guarded
    def called(self, call_id: str, tool: str, arguments: object, note: CallNote = _PLAIN_CALL) -> None:
        """Begin a call: its place, digests and origins are taken now, before its own output is heard.

        Parameters
        ----------
        call_id : str
            Names the call until it returned; of two open ones with one id the first is written without a result.
        tool : str
            Its name.
        arguments : object
            A dictionary, its JSON, or the one value without name.
        note : CallNote
            What else is known of it.
        """
        with self._lock:
            if call_id in self._open:
                self._finish(call_id, {})
            while len(self._open) >= MOST_OPEN:
                self._finish(next(iter(self._open)), {})
            begun = self.writer.clock()
            fields = stamp(uuid.uuid4().hex, begun)
            fields |= {
                "kind": self.writer.kinds.get(tool, "tool_call"),
                "name": self.writer.redactor.tool(str(tool)),
            }
            fields |= {"tool_hash": text(note.tool_hash, MAX_ATTRIBUTE), **self.writer.of_instance(note.instance)}
            fields |= self.writer.of_caller(note.agent_id)
            self._open[call_id] = Act(begun, fields)
            provenance = self._provenance if note.tells_origins else None
            act, untold = described(arguments, self.writer.redactor, provenance)
            self.writer.count("untold", untold)
            fields |= act

    @guarded
    def returned(self, call_id: str, output: object = None, *, outcome: Outcome = "ok") -> None:
        """End a call: its event is written, its output remembered. An unknown call's output is remembered too.

        Parameters
        ----------
        call_id : str
            As it was called by.
        output : object
            What the tool returned, or the error that the model is shown.
        outcome : {"ok", "error", "denied"}
            How it ended.
        """
        with self._lock:
            try:
                self._provenance.tool_returned(output)
            finally:
                if (act := self._open.get(call_id)) is not None:
                    took = max(0.0, self.writer.clock() - act.begun) * 1_000
                    size = size_of(output)
                    self._finish(call_id, {"duration_ms": took, "bytes_out": size, "outcome": outcome})

    @guarded
    def model_answered(self, answer: ModelAnswer, *, instance: str | None = None) -> None:
        """Write that a model was called."""
        took = amount(answer.duration_ms)
        fields = stamp(uuid.uuid4().hex, self.writer.clock() - (took or 0.0) / 1_000)
        fields |= {"kind": "llm_call", "name": "chat", "model": text(str(answer.model), MAX_ATTRIBUTE)}
        fields |= {"tokens_in": amount(answer.tokens_in), "tokens_out": amount(answer.tokens_out)}
        fields |= {"duration_ms": took, "outcome": answer.outcome, **self.writer.of_instance(instance)}
        self._write(fields)

    @guarded
    def handed_over(self, to: str, *, instance: str | None = None) -> None:
        """Write that another agent of the program goes on; names of a program's agents are in clear."""
        peer = text(to, MAX_ATTRIBUTE)
        fields = {"kind": "message", "name": "handoff", "peer_agent_id": peer, "target": peer}
        fields |= stamp(uuid.uuid4().hex, self.writer.clock())
        self._write(fields | self.writer.of_instance(instance))

    @guarded
    def close(self) -> None:
        """Write the calls that never returned, without duration and result."""
        with self._lock:
            while self._open:
                self._finish(next(iter(self._open)), {})

    def _finish(self, call_id: str, result: dict[str, Any]) -> None:
        act = self._open.pop(call_id)
        if not result:
            self.writer.count("unfinished")
        self._write(act.fields | result)

    def _write(self, fields: dict[str, Any]) -> None:
        with self._lock:
            seq, self.written = self.written, self.written + 1
            self.writer.put(self.session_id, seq, fields)
