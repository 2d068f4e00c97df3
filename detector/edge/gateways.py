"""What gateways are answered: Envoy's Authorization/Check and agentgateway's ExtMcp/CheckRequest, bytes to bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from detector.edge import wire
from detector.edge.callers import MOST_SUBJECTS, CallTold, Trust
from detector.edge.calls import AGENTGATEWAY, ENVOY, HookCall
from detector.edge.mcp import McpCalls, calls_of_message, calls_of_params
from detector.edge.point import EnforcementPoint
from detector.edge.verdict import GateVerdict
from detector.schema.acks import MOST_NAME

ROUTE: Final = "detector.calls"
"""Key of a route's `context_extensions`, which the gateway's configuration sets: mcp, model, or anything else."""
MODEL_CALL: Final = "chat"
"""What a call of a model goes by, as in the telemetry of gateways."""
SESSION: Final = "mcp-session-id"
OK, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 0, 7, 8
FORBIDDEN, TOO_MANY = 403, 429
MCP_DENIED: Final = -32001
"""The JSON-RPC error that agentgateway answers a refused call with; ours to Envoy is the same."""
EXT_DENIED, EXT_EXHAUSTED = 1, 2
MOST_SERVICES: Final = 16
"""Servers behind one call that its tool is named with."""


class _Asked(NamedTuple):
    """One request: who, what, and in which form a refusal is told."""

    told: CallTold
    calls: McpCalls
    like: HookCall
    is_mcp: bool


class Gateways:
    """Answers gateways by what an enforcement point says, each request under every name that its caller may have.

    What cannot be read denies. A batch is judged call by call until one is denied, and then none of it runs.

    Parameters
    ----------
    point : EnforcementPoint
        Answers, counts and acknowledges.
    trust : Trust
        Which places of a request name the agent.
    """

    def __init__(self, point: EnforcementPoint, trust: Trust) -> None:
        self._point, self._trust = point, trust

    def check(self, raw: bytes) -> bytes:
        """Return Envoy's CheckResponse to a CheckRequest."""
        like = HookCall(ENVOY)
        try:
            asked = _of_envoy(wire.CheckRequest.FromString(raw).attributes, like)
        except (DecodeError, json_format.Error, RecursionError):
            return _to_envoy(self._point.refuse(like, "unreadable"), None)
        return _to_envoy(self._verdict(asked), asked)

    def check_request(self, raw: bytes) -> bytes:
        """Return agentgateway's McpRequestResult to an McpRequest."""
        like = HookCall(AGENTGATEWAY)
        try:
            asked = _of_agentgateway(wire.McpRequest.FromString(raw), like)
        except (DecodeError, json_format.Error, RecursionError):
            return _to_agentgateway(self._point.refuse(like, "unreadable"))
        return _to_agentgateway(self._verdict(asked))

    def check_response(self, _: bytes) -> bytes:
        """Return a pass to what a server answered: the call was judged before it was made."""
        return _to_agentgateway(GateVerdict(is_denied=False, why="free"))

    def _verdict(self, asked: _Asked) -> GateVerdict:
        """Return the first denial of a request's calls, or the last of what allowed them."""
        verdict = GateVerdict(is_denied=False, why="free")
        if not asked.calls.calls:
            return verdict
        subjects = self._trust.subjects(asked.told)
        if len(subjects) > MOST_SUBJECTS or (not subjects and self._trust.unnamed == "deny"):
            return self._point.refuse(asked.calls.calls[0], "unnamed")
        for call in asked.calls.calls:
            verdict = self._point.judge(subjects, call)
            if verdict.is_denied:
                return verdict
        if verdict.state is not None and not asked.calls.is_whole:
            return self._point.refuse(asked.like, "unreadable")
        return verdict


def _of_envoy(attributes: Any, like: HookCall) -> _Asked:  # noqa: ANN401 - made at run time
    """Return what a CheckRequest says."""
    http = attributes.request.http
    headers = _headers([*http.headers, *http.header_map.headers])
    told = CallTold(
        _text(attributes.source.principal),
        headers,
        {_text(one.key): _plain(one.value) for one in attributes.metadata.filters},
    )
    like = like._replace(session_id=_first(headers, SESSION), call_id=_text(http.id)[:MOST_NAME])
    route = next((_text(one.value) for one in attributes.extensions if one.key == ROUTE.encode()), "")
    body, method = http.raw_body or http.body, _text(http.method)
    if route == "mcp" and not body and method in {"GET", "DELETE", "OPTIONS"}:
        return _Asked(told, McpCalls([]), like, is_mcp=True)  # a stream that is opened, a session that is ended
    if route == "mcp":
        return _Asked(told, calls_of_message(body, like), like, is_mcp=True)
    calls = [like._replace(tools=(MODEL_CALL,))] if route == "model" else [like]
    return _Asked(told, McpCalls(calls), like, is_mcp=False)


def _of_agentgateway(request: Any, like: HookCall) -> _Asked:  # noqa: ANN401 - made at run time
    """Return what an McpRequest says."""
    headers = _headers(request.headers)
    told = CallTold("", headers, _plain(request.metadata))
    like = like._replace(session_id=_first(headers, SESSION))
    services = tuple(_text(one) for one in request.services[:MOST_SERVICES])
    return _Asked(told, McpCalls(calls_of_params(_text(request.method), request.params, services, like)), like, True)


def _to_envoy(verdict: GateVerdict, asked: _Asked | None) -> bytes:
    answer = wire.CheckResponse()
    if verdict.state is not None:
        answer.metadata.update(
            {"answer": verdict.why, "command_id": verdict.state.command_id, "revision": verdict.state.revision}
        )
    if not verdict.is_denied:
        answer.status.code = OK
        answer.ok.SetInParent()
        return bytes(answer.SerializeToString())
    is_rate = verdict.why == "rate"
    answer.status.code = RESOURCE_EXHAUSTED if is_rate else PERMISSION_DENIED
    answer.status.message = verdict.says
    answer.denied.status.code = TOO_MANY if is_rate else FORBIDDEN
    header = answer.denied.headers.add().header
    header.key, header.value = b"content-type", b"text/plain; charset=utf-8"
    answer.denied.body = verdict.says + "\n"
    if asked is not None and asked.is_mcp:
        header.value = b"application/json"
        error = {"code": MCP_DENIED, "message": verdict.says}
        answer.denied.body = json.dumps({"jsonrpc": "2.0", "id": asked.calls.rpc_id, "error": error})
    return bytes(answer.SerializeToString())


def _to_agentgateway(verdict: GateVerdict) -> bytes:
    answer = wire.McpResult()
    if verdict.is_denied:
        answer.error.code = EXT_EXHAUSTED if verdict.why == "rate" else EXT_DENIED
        answer.error.reason = verdict.says
    else:
        getattr(answer, "pass").SetInParent()
    return bytes(answer.SerializeToString())


def _headers(pairs: Iterable[Any]) -> dict[str, list[str]]:
    """Return headers by lower-case name, whichever of the two fields their value stands in."""
    found: dict[str, list[str]] = {}
    for one in pairs:
        found.setdefault(_text(one.key).lower(), []).append(_text(one.value or getattr(one, "raw_value", b"")))
    return found


def _first(headers: Mapping[str, list[str]], name: str) -> str:
    return next(iter(headers.get(name, ())), "")[:MOST_NAME]


def _plain(struct: Any) -> Mapping[str, Any]:  # noqa: ANN401 - made at run time
    """Return a Struct as JSON would say it."""
    if not struct.fields:
        return {}
    found: Mapping[str, Any] = json_format.MessageToDict(struct)
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
