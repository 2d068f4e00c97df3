"""Clients and servers of the Model Context Protocol: what one asks for, or is asked, goes to a recorder."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError

from detector.edge.kit.acts import definition_hash
from detector.edge.kit.conversation import CallNote, Conversation
from detector.edge.kit.recorder import Recorder
from detector.schema.event import Outcome

MOST_TOOLS: Final = 1_024
"""Definitions whose digests are held; a tool whose definition is not held has none in its events."""
READ: Final = "resources/read"
PROMPT: Final = "prompts/get"
CALL: Final = "tools/call"
SELF: Final = "server"
_CALLS: Final = {CALL: "name", READ: "uri", PROMPT: "name"}

_OUTPUTS: Final = ("content", "contents", "messages", "structured_content", "structuredContent")
_ERRORS: Final = ("is_error", "isError")
"""Names in the library, and over the wire."""

Asked = Callable[..., Awaitable[Any]]


def record_client(client: Any, recorder: Recorder, session_id: str, *, server: str | None = None) -> None:
    """Make a client tell a recorder of the tools, resources and prompts it asks for.

    The methods of this one client are replaced by ones that do the same. The user's words are told by the program:
    ``recorder.conversation(session_id).user_said(...)``; until then no value is said to come from nowhere.

    Parameters
    ----------
    client : mcp.Client or mcp.ClientSession
        Of one conversation; not both of them for one connection.
    recorder : Recorder
        Writes the events.
    session_id : str
        The conversation.
    server : str, optional
        Stands before the names of its tools, as some agents' telemetry writes them: ``mcp__SERVER__tool``.
    """
    listener = _Listener(recorder, session_id, "" if server is None else f"mcp__{server}__")
    client.call_tool = listener.recorded(CALL, client.call_tool)
    client.read_resource = listener.recorded(READ, client.read_resource)
    client.get_prompt = listener.recorded(PROMPT, client.get_prompt)
    client.list_tools = listener.listed(client.list_tools)


class _Listener:
    """What stands before the methods of one client."""

    def __init__(self, recorder: Recorder, session_id: str, prefix: str) -> None:
        self._recorder = recorder
        self._session = session_id
        self._prefix = prefix
        self._hashes: OrderedDict[str, str | None] = OrderedDict()

    def recorded(self, method: str, ask: Asked) -> Asked:
        """Return a method that asks and is recorded."""

        @wraps(ask)
        async def inner(*args: Any, **kwargs: Any) -> Any:
            call_id = uuid.uuid4().hex
            with self._recorder.writer.guard():
                self._begin(call_id, method, args, kwargs)
            try:
                answer = await ask(*args, **kwargs)
            except BaseException as exc:
                self._recorder.conversation(self._session).returned(call_id, _said(exc), outcome="error")
                raise
            with self._recorder.writer.guard():
                _ended(self._recorder.conversation(self._session), call_id, answer)
            return answer

        return inner

    def listed(self, ask: Asked) -> Asked:
        """Return a method that lists tools, whose definitions are digested."""

        @wraps(ask)
        async def inner(*args: Any, **kwargs: Any) -> Any:
            found = await ask(*args, **kwargs)
            with self._recorder.writer.guard():
                for tool in found.tools:
                    self._hashes[tool.name] = definition_hash(tool.name, tool.description, tool.input_schema)
                    while len(self._hashes) > MOST_TOOLS:
                        self._hashes.popitem(last=False)
            return found

        return inner

    def _begin(self, call_id: str, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        talk = self._recorder.conversation(self._session)
        first = args[0] if args else kwargs.get(_CALLS[method])
        if method == READ:
            talk.called(call_id, self._prefix + READ, {"uri": str(first)})
            return
        arguments = args[1] if len(args) > 1 else kwargs.get("arguments")
        name = str(first) if method == CALL else PROMPT
        note = CallNote(tool_hash=self._hashes.get(name) if method == CALL else None)
        talk.called(call_id, self._prefix + name, arguments or {}, note)


class RecordedServer:
    """Middleware of a server, ``MCPServer(middleware=[RecordedServer(...)])``: tells a recorder what is asked of it.

    A server hears no user: its events tell no origins. Who calls is the recorder's actor, unless `caller` knows better;
    what one of them asks for is one conversation, which the detector ends when it pauses.

    Parameters
    ----------
    recorder : Recorder
        Writes the events.
    caller : callable, optional
        Takes the request's context, gives the id of the agent that calls: out of what the server verified, a token or
        certificate; never out of what the request says of itself.
    """

    def __init__(
        self, recorder: Recorder, caller: Callable[[ServerRequestContext[Any, Any]], str | None] | None = None
    ) -> None:
        self._recorder = recorder
        self._caller = caller

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Pass a request on, and record it if it asks for a tool, a resource or a prompt."""
        if ctx.method not in _CALLS or ctx.request_id is None:
            return await call_next(ctx)
        call_id, agent_id = uuid.uuid4().hex, None
        with self._recorder.writer.guard():
            agent_id = self._caller(ctx) if self._caller else None
        session = f"mcp/{agent_id or SELF}"
        with self._recorder.writer.guard():
            self._begin(self._recorder.conversation(session), call_id, ctx, agent_id)
        try:
            answer = await call_next(ctx)
        except BaseException as exc:
            self._recorder.conversation(session).returned(call_id, _said(exc), outcome="error")
            raise
        with self._recorder.writer.guard():
            _ended(self._recorder.conversation(session), call_id, answer)
        return answer

    def _begin(
        self, talk: Conversation, call_id: str, ctx: ServerRequestContext[Any, Any], agent_id: str | None
    ) -> None:
        params = ctx.params or {}
        note = CallNote(tells_origins=False, agent_id=agent_id)
        named = params.get(_CALLS[ctx.method])
        if ctx.method == READ:
            talk.called(call_id, READ, {"uri": named}, note)
        else:
            arguments = params.get("arguments")
            talk.called(call_id, str(named) if ctx.method == CALL else PROMPT, arguments or {}, note)


def _ended(talk: Conversation, call_id: str, answer: object) -> None:
    """End a call by its answer: an object of the protocol, or the dictionary that goes over the wire."""
    held = answer if isinstance(answer, Mapping) else {name: getattr(answer, name, None) for name in _OUTPUTS + _ERRORS}
    outcome: Outcome = "error" if any(held.get(name) for name in _ERRORS) else "ok"
    output = [part for name in _OUTPUTS if (part := held.get(name))]
    talk.returned(call_id, output[0] if len(output) == 1 else output, outcome=outcome)


def _said(exc: BaseException) -> str:
    """Return what an error says to the one who asked; a bug's own words are no output."""
    return exc.error.message if isinstance(exc, MCPError) else ""
