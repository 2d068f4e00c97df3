"""Clients and servers of the Model Context Protocol: what a client asks for, or a server is asked, goes to a recorder."""

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

Asked = Callable[..., Awaitable[Any]]


def record_client(client: Any, recorder: Recorder, session_id: str, *, server: str | None = None) -> None:  # noqa: ANN401
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
    hashes: OrderedDict[str, str] = OrderedDict()
    prefix = "" if server is None else f"mcp__{server}__"

    def begin(call_id: str, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        talk = recorder.conversation(session_id)
        first = args[0] if args else kwargs.get(_CALLS[method])
        if method == READ:
            talk.called(call_id, prefix + READ, {"uri": str(first)})
            return
        arguments = args[1] if len(args) > 1 else kwargs.get("arguments")
        name = str(first) if method == CALL else PROMPT
        note = CallNote(tool_hash=hashes.get(name) if method == CALL else None)
        talk.called(call_id, prefix + name, arguments or {}, note)

    def recorded(method: str, ask: Asked) -> Asked:
        @wraps(ask)
        async def inner(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the client's signature
            call_id = uuid.uuid4().hex
            with recorder.writer.guard():
                begin(call_id, method, args, kwargs)
            try:
                answer = await ask(*args, **kwargs)
            except BaseException as exc:
                recorder.conversation(session_id).returned(call_id, _said(exc), outcome="error")
                raise
            _ended(recorder.conversation(session_id), call_id, answer)
            return answer

        return inner

    list_tools = client.list_tools

    @wraps(list_tools)
    async def listed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the client's signature
        found = await list_tools(*args, **kwargs)
        with recorder.writer.guard():
            for tool in found.tools:
                hashes[tool.name] = definition_hash(tool.name, tool.description, tool.input_schema)
                while len(hashes) > MOST_TOOLS:
                    hashes.popitem(last=False)
        return found

    client.call_tool = recorded(CALL, client.call_tool)
    client.read_resource = recorded(READ, client.read_resource)
    client.get_prompt = recorded(PROMPT, client.get_prompt)
    client.list_tools = listed


class RecordedServer:
    """Middleware of a server that tells a recorder what is asked of it: ``MCPServer(middleware=[RecordedServer(...)])``.

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
    read = answer.get if isinstance(answer, Mapping) else lambda name: getattr(answer, name, None)
    outcome: Outcome = "error" if read("is_error") or read("isError") else "ok"
    structured = read("structured_content") or read("structuredContent")
    parts = [read(name) for name in ("content", "contents", "messages")]
    output = [part for part in (*parts, structured) if part]
    talk.returned(call_id, output[0] if len(output) == 1 else output, outcome=outcome)


def _said(exc: BaseException) -> str:
    """Return what an error says to the one who asked; a bug's own words are no output."""
    return exc.error.message if isinstance(exc, MCPError) else ""
