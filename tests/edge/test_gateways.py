"""What gateways are told, over real gRPC on loopback: who is denied, in which form, and what is acknowledged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from detector.edge import wire
from detector.edge.callers import Trust, place_of
from detector.edge.gateways import Gateways
from detector.edge.grpc_server import ENVOY_SERVICE, EXT_MCP_SERVICE, GrpcServer
from detector.schema.command import Constraints
from tests.edge.questions import envoy_question, mcp_question, tool
from tests.edge.states import SUBJECT, record, released, state
from tests.edge.test_point import Scene

TENANT, _, AGENT = SUBJECT.partition("/agent/")
TRUST = Trust(
    agents=(place_of("principal"), place_of("header:x-agent-id"), place_of("metadata:jwt/sub")), tenants=(TENANT,)
)


class Called(Scene):
    """A point behind a gRPC server on a free port, and what a gateway would send."""

    def __init__(self, trust: Trust = TRUST, **settings: Any) -> None:
        super().__init__(**settings)
        self.server = GrpcServer(Gateways(self.point, trust), self.metrics, "127.0.0.1:0")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.server.start()}")

    def close(self) -> None:
        self.channel.close()
        self.server.stop()

    def send(self, service: str, method: str, raw: bytes) -> bytes:
        answer: bytes = self.channel.unary_unary(f"/{service}/{method}")(raw, timeout=5.0)
        return answer

    def check(self, body: object = None, agent: str = AGENT, route: str = "mcp", **http: Any) -> Any:
        """Return Envoy's answer to a request with a body, by a peer with a certificate."""
        raw = envoy_question(body, agent, route=route, **http)
        return wire.CheckResponse.FromString(self.send(ENVOY_SERVICE, "Check", raw))

    def check_mcp(self, method: str, params: object, agent: str = AGENT, service: str = "crm") -> Any:
        """Return agentgateway's answer to a method, by a caller whose token was verified."""
        raw = mcp_question(method, params, agent, service)
        return wire.McpResult.FromString(self.send(EXT_MCP_SERVICE, "CheckRequest", raw))


@pytest.fixture
def called() -> Iterator[Called]:
    made = Called()
    made.point.confirmed(1_000.0)
    yield made
    made.close()


def test_a_contained_agent_is_denied_by_envoy_and_by_agentgateway_and_its_twin_by_neither(called: Called) -> None:
    """One state, two protocols, each in its own form; both answers are acknowledged with tool and product."""
    command = state()
    called.point.heard(*record(command))
    held = called.check(tool("lookup", 7), mcp_session_id=b"s-1")
    assert (held.status.code, held.denied.status.code) == (7, 403)
    said = json.loads(held.denied.body)
    assert (said["id"], said["error"]["code"]) == (7, -32001)
    assert f"command {command.command_id}" in said["error"]["message"]
    assert held.metadata["command_id"] == command.command_id
    refused = called.check_mcp("tools/call", {"name": "lookup"})
    assert refused.error.code == 1
    assert command.command_id in refused.error.reason
    free = called.check(tool("lookup"), agent="other")
    assert (free.status.code, free.HasField("ok"), free.HasField("denied")) == (0, True, False)
    assert called.check_mcp("tools/call", {"name": "lookup"}, agent="other").HasField("pass")
    told = [(ack.status, ack.product, ack.tool, ack.session_id, ack.call_id) for ack in called.acks[1:]]
    assert told == [("denied", "envoy", "lookup", "s-1", "7"), ("denied", "agentgateway", "lookup", "", "")]


def test_a_barred_tool_is_denied_and_another_is_acknowledged_as_allowed(called: Called) -> None:
    """By the tool's own name, and by server and tool as coding agents write them."""
    rules = Constraints(deny_tools=("send_*", "mcp__crm__export"))
    called.point.heard(*record(state(tier="limit", constraints=rules)))
    assert called.check(tool("send_mail")).denied.status.code == 403
    assert called.check(tool("lookup")).status.code == 0
    assert called.check_mcp("tools/call", {"name": "export"}).error.code == 1
    assert called.check_mcp("tools/call", {"name": "export"}, service="files").HasField("pass")
    assert [(ack.status, ack.why) for ack in called.acks[1:]] == [
        ("denied", "tool"), ("allowed", ""), ("denied", "tool"), ("allowed", ""),
    ]  # fmt: skip


def test_a_limit_counts_over_both_protocols_and_says_that_it_is_one(called: Called) -> None:
    """Two a minute, whichever way they come; a handshake is none of them."""
    called.point.heard(*record(state(tier="limit", constraints=Constraints(rate_per_min=2.0))))
    for _ in range(5):
        assert called.check({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).status.code == 0
        assert called.check(method=b"GET").status.code == 0
        assert called.check_mcp("notifications/initialized", {}).HasField("pass")
    assert called.check(tool("a")).status.code == 0
    assert called.check_mcp("tools/call", {"name": "b"}).HasField("pass")
    late = called.check(tool("c"))
    assert (late.status.code, late.denied.status.code) == (8, 429)
    assert called.check_mcp("tools/call", {"name": "d"}).error.code == 2
    called.monotonic.now += 60.0
    called.point.confirmed(called.monotonic())
    assert called.check(tool("e")).status.code == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing, because the gateway sends no body along"),
        pytest.param(b'{"method":"tools/call","params":{"na', id="cut"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"method":"ping","method":"tools/call","params":{"name":"x"}}', id="two methods"),
        pytest.param(
            b'{"method":"ping","Method":"tools/call","params":{"name":"x"}}', id="to a reader in Go, two methods"
        ),
        pytest.param(b'{"method":"tools/call","params":{"name":"lookup","NAME":"x"}}', id="two names"),
        pytest.param(b'{"method":"tools/call","params":{"name":7}}', id="no name"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"result":{"secret":1}}', id="an answer to the server"),
        pytest.param(b"[]", id="empty batch"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_what_cannot_be_read_is_a_call_of_no_known_tool(called: Called, body: bytes) -> None:
    """Denied to whom any tool is barred, though `lookup` is allowed by name; let through for whom nothing binds."""
    rules = Constraints(deny_tools=("*",), allow_tools=("lookup", "ping"))
    called.point.heard(*record(state(tier="limit", constraints=rules)))
    assert called.check(tool("lookup")).status.code == 0
    assert called.check(body).status.code == 7
    assert called.check(body, agent="other").status.code == 0


def test_a_body_of_mcp_on_a_route_that_is_none_excuses_nothing(called: Called) -> None:
    """An agent writes the body, only the gateway's configuration writes the route."""
    rules = Constraints(deny_tools=("*",), allow_tools=("lookup", "chat"))
    called.point.heard(*record(state(tier="limit", constraints=rules)))
    for body in (tool("lookup"), {"method": "ping"}, None):
        assert called.check(body, route="").status.code == 7
        assert called.check(body, route="http").denied.body.startswith("Denied by policy")
    assert called.check(tool("lookup"), route="model").status.code == 0, "a model's call goes by the name chat"


def test_a_batch_is_denied_by_any_of_its_calls_and_never_by_being_long_alone_to_the_free(called: Called) -> None:
    """Each is counted; what follows the hundredth of a bound agent is not carried out unseen."""
    called.point.heard(*record(state(tier="limit", constraints=Constraints(deny_tools=("send_*",)))))
    batch = [tool("lookup"), tool("send_mail")]
    assert called.check(batch).status.code == 7
    assert called.check(batch[:1]).status.code == 0
    assert called.check([tool("lookup")] * 100).status.code == 0
    assert called.check([tool("lookup")] * 100 + [tool("send_mail")]).status.code == 7
    assert called.check([tool("lookup")] * 101, agent="other").status.code == 0


def test_every_trusted_place_counts_and_a_header_sent_twice_takes_nothing_away(called: Called) -> None:
    """The agent adds another's name before or after its own; gateways join both with a comma."""
    called.point.heard(*record(state()))
    for value in (AGENT, f"other, {AGENT}", f"{AGENT},other"):
        assert called.check(tool("a"), agent="other", x_agent_id=value.encode()).status.code == 7
    assert called.check(tool("a"), agent=AGENT, x_agent_id=b"other").status.code == 7
    pushed = ",".join([*(f"n{number}" for number in range(40)), AGENT]).encode()
    assert called.check(tool("a"), agent="other", x_agent_id=pushed).status.code == 7
    assert called.check(tool("a"), agent="other", x_forwarded_for=AGENT.encode()).status.code == 0, (
        "not a trusted place"
    )


def test_who_has_no_name_is_denied_unless_that_is_set_otherwise(called: Called) -> None:
    """Nothing is acknowledged: no command is behind it. A handshake needs no name."""
    answer = called.check(tool("a"), agent="")
    assert (answer.status.code, answer.denied.status.code) == (7, 403)
    assert "which agent" in answer.denied.body
    assert called.check({"method": "initialize", "id": 1}, agent="").status.code == 0
    assert called.acks == []
    assert called.value("detector_edge_answers_total", product="envoy", why="unnamed", denied="true") == 1
    lenient = Called(Trust(unnamed="allow"))
    lenient.point.confirmed(1_000.0)
    try:
        assert lenient.check(tool("a"), agent="").status.code == 0
    finally:
        lenient.close()


def test_a_message_that_is_none_is_denied_in_both_protocols(called: Called) -> None:
    """Not an error of gRPC, which a gateway may be set to pass over."""
    told = wire.CheckResponse.FromString(called.send(ENVOY_SERVICE, "Check", b"\xff\xff"))
    assert (told.status.code, told.denied.status.code) == (7, 403)
    refused = wire.McpResult.FromString(called.send(EXT_MCP_SERVICE, "CheckRequest", b"\xff\xff"))
    assert refused.error.code == 1
    assert wire.McpResult.FromString(called.send(EXT_MCP_SERVICE, "CheckResponse", b"")).HasField("pass")


@pytest.mark.parametrize(("fail", "code"), [("closed", 7), ("static", 0)])
def test_a_topic_out_of_reach_is_answered_as_the_setting_says(fail: str, code: int) -> None:
    """Before it was read everybody is denied; afterwards, static goes on with what it knows."""
    called = Called(fail=fail)
    try:
        assert called.check(tool("a"), agent="other").status.code == 7
        called.point.heard(*record(state()))
        called.point.confirmed(1_000.0)
        assert called.check(tool("a"), agent="other").status.code == 0
        called.monotonic.now += 31.0
        assert called.check(tool("a"), agent="other").status.code == code
        assert called.check_mcp("tools/call", {"name": "a"}, agent="other").HasField("pass") == (fail == "static")
        assert called.check(tool("a")).status.code == 7
    finally:
        called.close()


def test_an_older_state_frees_nobody_and_a_release_and_an_end_do(called: Called) -> None:
    """By revision and by the clock, as for a hook."""
    called.point.heard(*record(state(revision=3, expires_at=200.0, steps_down_until=None, on_expiry="release")))
    called.point.heard(*record(released(revision=2)))
    assert called.check(tool("a")).status.code == 7
    called.clock.now = 201.0
    assert called.check(tool("a")).status.code == 0
    called.clock.now = 150.0
    assert called.check(tool("a")).status.code == 7
    called.point.heard(*record(released(revision=4)))
    assert called.check(tool("a")).status.code == 0


def test_a_killed_edge_is_an_error_to_the_gateway_and_never_an_answer(called: Called) -> None:
    """Envoy without failure_mode_allow and agentgateway with failClosed deny on it."""
    called.server.stop()
    with pytest.raises(grpc.RpcError) as raised:
        called.check(tool("a"), agent="other")
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_question_over_two_megabytes_is_refused(called: Called) -> None:
    """Also an error, which denies."""
    with pytest.raises(grpc.RpcError) as raised:
        called.check(b"x" * 3_000_000, agent="other")
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
