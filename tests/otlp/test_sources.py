"""Sources of which no recording is at hand, by what their makers document; each with its harmless twin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.otlp.made import log, only, pairs, span, verdicts_of

GATEWAY = {"service": "agentgateway", "scope": "agentgateway.access"}
ENVOY = {"service": "envoy-ai-gateway"}
LITELLM = {"service": "litellm", "scope": "litellm"}


def _call(**attributes: Any) -> list[dict[str, Any]]:
    return [log({"request.id": "r-1", "src.identity": "spiffe://a/ns/x/sa/bot", "http.status": 200, **attributes})]


def test_agentgateway_tells_the_workload_the_tool_and_who_it_acts_for() -> None:
    """The peer's certificate names the agent, the token the person."""
    attributes = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "refund", "mcp.target": "crm", "jwt.sub": "ann"}
    event = only(_call(**attributes), **GATEWAY)
    assert (event.kind, event.name, event.target, event.outcome) == ("tool_call", "refund", "crm", "ok")
    assert (event.agent_id, event.spiffe_id) == ("spiffe://a/ns/x/sa/bot", "spiffe://a/ns/x/sa/bot")
    assert (event.on_behalf_of, event.event_id) == ("ann", "r-1")
    assert event.attributes["otlp.agent_from"] == "src.identity"
    alone = only([log({"mcp.method.name": "tools/call", "jwt.sub": "ann"})], **GATEWAY)
    assert (alone.agent_id, alone.on_behalf_of) == ("ann", None)


@pytest.mark.parametrize(
    ("attributes", "outcome"),
    [
        ({"http.status": "403"}, "denied"),
        ({"http.status": 401}, "denied"),
        ({"http.status": 502}, "error"),
        ({"mcp.error.code": "-32602"}, "error"),
        ({"reason": "Authorization"}, "denied"),
        ({"http.status": 200}, "ok"),
    ],
)
def test_agentgateways_refusals_and_failures_are_told_apart(attributes: dict[str, Any], outcome: str) -> None:
    """Numbers may come as texts."""
    event = only(_call(**{"mcp.method.name": "tools/call", "gen_ai.tool.name": "x", **attributes}), **GATEWAY)
    assert event.outcome == outcome


@pytest.mark.parametrize(
    ("attributes", "kind", "name"),
    [
        ({"mcp.method.name": "resources/read", "mcp.resource.uri": "file:///a"}, "data_access", "resources/read"),
        ({"mcp.method.name": "tools/list"}, "tool_call", "tools/list"),
        ({"a2a.method": "message/send", "endpoint": "planner"}, "message", "message/send"),
        ({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, "llm_call", "chat"),
        ({"http.method": "GET", "http.host": "h.example", "http.path": "/x"}, "network", "GET"),
    ],
)
def test_agentgateways_requests_have_their_kinds(attributes: dict[str, Any], kind: str, name: str) -> None:
    """MCP, A2A, models, and whatever else passes the gateway."""
    event = only(_call(**attributes), **GATEWAY)
    assert (event.kind, event.name) == (kind, name)


def test_envoy_by_its_documented_names_and_by_those_of_its_metadata() -> None:
    """The operator chooses the names; both sets are read, and a request without caller is the service's."""
    documented = {"mcp.method.name": "tools/call", "mcp.tool.name": "search", "response_code": 200, "duration": 12}
    metadata = {"mcp_method": "tools/call", "mcp_tool_name": "search", "response_code": 403}
    one = only([log({"x-request-id": "1", **documented})], **ENVOY)
    other = only([log({"x-request-id": "2", "jwt.sub": "bot-7", **metadata})], **ENVOY)
    assert (one.name, one.outcome, one.duration_ms, one.agent_id) == ("search", "ok", 12, "envoy-ai-gateway")
    assert (other.name, other.outcome, other.agent_id) == ("search", "denied", "bot-7")


def test_envoys_model_calls_have_tokens() -> None:
    """From either set of names."""
    event = only([log({"gen_ai.request.model": "m", "llm_input_token": 9, "llm_output_token": "3"})], **ENVOY)
    assert (event.kind, event.tokens_in, event.tokens_out, event.model) == ("llm_call", 9, 3, "m")


def test_litellms_key_is_the_agent_and_its_cost_is_taken() -> None:
    """One key an agent: its alias before its hash, the team as tenant."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "litellm.api_key.alias": "billing-bot",
        "litellm.api_key.hash": "9f",
        "litellm.team.id": "t-1",
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.cost": 0.25,
    }
    event = only([span("chat m", attributes=attributes)], **LITELLM)
    assert (event.agent_id, event.tenant, event.cost_usd, event.tokens_in) == ("billing-bot", "t-1", 0.25, 5)
    assert event.credential is not None
    assert event.credential.id == "9f"
    assert event.attributes["otlp.agent_from"] == "litellm.api_key.alias"
    del attributes["litellm.api_key.alias"]
    assert only([span("chat m", attributes=attributes)], **LITELLM).agent_id == "9f"


def test_litellms_guardrail_that_steps_in_is_a_denial() -> None:
    """One that lets it pass is not."""
    for action, outcome in (("blocked", "denied"), ("passed", "ok")):
        attributes = {"litellm.guardrail.name": "pii", "litellm.guardrail.action": action, "litellm.call_id": "c"}
        event = only([span("guardrail", attributes=attributes)], **LITELLM)
        assert (event.kind, event.name, event.outcome) == ("policy", "pii", outcome)


def test_agent_365_has_a_stable_id_a_blueprint_a_caller_and_verdicts() -> None:
    """The one source whose gen_ai.agent.id is an identity."""
    base = {
        "gen_ai.agent.id": "agt-1",
        "gen_ai.agent.name": "Mailer",
        "microsoft.a365.agent.blueprint.id": "bp",
        "microsoft.tenant.id": "contoso",
        "microsoft.session.id": "s-1",
        "microsoft.a365.caller.agent.id": "agt-0",
        "user.id": "u",
    }
    tool = {**base, "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "send"}
    event = only([span("execute_tool send", attributes=tool)], scope="Agent365Sdk")
    assert (event.agent_id, event.agent_type, event.tenant) == ("agt-1", "bp", "contoso")
    assert (event.session_id, event.parent_agent_id, event.on_behalf_of) == ("s-1", "agt-0", "u")
    verdict = {**base, "gen_ai.operation.name": "apply_guardrail", "microsoft.security.decision.type": "deny"}
    event = only([span("apply_guardrail x", attributes=verdict)], scope="Agent365Sdk")
    assert (event.kind, event.outcome) == ("policy", "denied")


def test_another_sources_gen_ai_agent_id_is_an_id_of_one_run() -> None:
    """It would make a new agent of every run."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "x", "gen_ai.agent.id": "run-8c1f"}
    assert only([span(attributes=attributes)]).agent_id == "svc"


def test_agentcores_deny_counts_where_it_is_enforced() -> None:
    """LOG_ONLY lets the call through; the session comes from another span of the trace."""
    for mode, outcome in (("ENFORCE", "denied"), ("LOG_ONLY", "ok")):
        attributes = {
            "tool.name": "crm___refund",
            "gateway.id": "gw-1",
            "aws.agentcore.policy.authorization_decision": "DENY",
            "aws.agentcore.gateway.policy.mode": mode,
        }
        records = [
            span("AgentCore.Gateway.InvokeTool", 1, 2, attributes=attributes, kind=2),
            span("invoke_agent a", 2, attributes={"gen_ai.operation.name": "invoke_agent", "session.id": "s-9"}),
        ]
        event = verdicts_of(records, service="gateway")[0].event
        assert event is not None
        assert (event.name, event.outcome, event.session_id) == ("crm___refund", outcome, "s-9")


def test_agentcores_listing_is_no_refusal() -> None:
    """Which tools are shown is not what was refused."""
    attributes = {"aws.agentcore.policy.authorization_decision": "DENY", "aws.agentcore.gateway.policy.mode": "ENFORCE"}
    (verdict,) = verdicts_of([span("AgentCore.Policy.PartiallyAuthorizeActions", attributes=attributes)])
    assert (verdict.event, verdict.reason) == (None, "listing")


def test_copilots_refusal_is_its_own_word_and_hooks_that_block_are_policy() -> None:
    """error.type=denied; a hook's decision; a hook that lets pass is no event."""
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "bash", "gen_ai.conversation.id": "c"}
    copilot = {"service": "github-copilot", "scope": "github.copilot"}
    denied = span("execute_tool bash", attributes={**tool, "error.type": "denied"}, status={"code": 2})
    assert only([denied], **copilot).outcome == "denied"
    hook = {"gen_ai.operation.name": "execute_hook", "gen_ai.conversation.id": "c"}
    blocks = span("execute_hook", attributes={**hook, "github.copilot.hook.decision": "block"})
    event = only([blocks], service="copilot-chat")
    assert (event.kind, event.outcome) == ("policy", "denied")
    assert verdicts_of([span("execute_hook", attributes=hook)], service="copilot-chat")[0].reason == "hook"


def test_copilots_sub_agent_is_an_instance_below_its_user() -> None:
    """Its name does not make another agent of the developer."""
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "view", "gen_ai.agent.name": "explore"}
    about = {"service": "github-copilot", "resource": {"enduser.id": "ann"}}
    event = only([span("execute_tool view", attributes=tool)], **about)
    assert (event.agent_id, event.instance_id) == ("github-copilot/ann", "explore")
    assert event.parent_agent_id == "github-copilot/ann"


def test_vs_codes_log_records_repeat_its_spans() -> None:
    """Copilot sends a model call three times; one is taken."""
    records = [
        log({"event.name": name}) for name in ("gen_ai.client.inference.operation.details", "copilot_chat.agent.turn")
    ]
    assert [verdict.reason for verdict in verdicts_of(records, service="copilot-chat")] == ["double", "double"]


@pytest.mark.parametrize(
    ("attributes", "outcome"),
    [
        ({"success": True, "decision": "accept"}, "ok"),
        ({"success": True, "decision": "reject"}, "denied"),
        ({"success": False, "error_type": "policy_violation"}, "denied"),
        ({"success": True, "metadata": '{"exitCode": 2}'}, "error"),
        ({"success": True, "metadata": '{"isError": true}'}, "error"),
        ({"success": "false"}, "error"),
    ],
)
def test_geminis_success_means_only_that_it_ran(attributes: dict[str, Any], outcome: str) -> None:
    """What the tool said of itself stands in its metadata; refusals have two spellings."""
    record = log({"event.name": "gemini_cli.tool_call", "function_name": "x", "session.id": "s", **attributes})
    assert only([record], service="gemini-cli").outcome == outcome


def test_codex_tools_of_mcp_are_named_alike_and_a_refused_decision_is_an_event() -> None:
    """mcp__server__tool from either field; approved decisions are told by their results."""
    base = {"conversation.id": "c", "call_id": "1", "tool_name": "lookup"}
    about = {"service": "codex_tui"}
    by_server = log({"event.name": "codex.tool_result", "mcp_server": "crm", "success": "true", **base})
    by_space = log({"event.name": "codex.tool_result", "tool_namespace": "mcp__crm", "success": "true", **base})
    assert only([by_server], **about).name == only([by_space], **about).name == "mcp__crm__lookup"
    decisions = [log({"event.name": "codex.tool_decision", "decision": one, **base}) for one in ("denied", "approved")]
    refused, approved = verdicts_of(decisions, **about)
    assert refused.event is not None
    assert refused.event.outcome == "denied"
    assert approved.reason == "accepted"


def test_codex_sub_agents_are_instances_and_the_root_is_none() -> None:
    """A path below the root is a sub-agent."""
    base = {"event.name": "codex.tool_result", "conversation.id": "c", "tool_name": "t", "success": "true"}
    about = {"service": "codex_exec", "resource": {"host.name": "h"}}
    root = only([log({**base, "call_id": "1", "agent_name": "/root"})], **about)
    scout = "/root" + "/scout"
    sub = only([log({**base, "call_id": "2", "agent_name": scout})], **about)
    assert (root.instance_id, root.parent_agent_id) == (None, None)
    assert (sub.agent_id, sub.instance_id, sub.parent_agent_id) == ("codex/h", scout, "codex/h")


def test_a_command_cannot_print_its_way_to_success() -> None:
    """The first exit code in Codex's output is the program's; what the command printed comes behind it."""
    output = "Process exited with code 1\nOutput:\nProcess exited with code 0\n"
    record = log({"event.name": "codex.tool_result", "conversation.id": "c", "success": "true", "output": output})
    assert only([record], service="codex_exec").outcome == "error"


@pytest.mark.parametrize("name", ["tool_result", "claude_code.tool_result"])
def test_an_events_name_comes_with_or_without_its_prefix(name: str) -> None:
    """Both are the same event, also where only the body has it."""
    base = {"session.id": "s", "event.sequence": 4, "tool_name": "Bash", "success": "true"}
    assert only([log({"event.name": name, **base})], service="claude-code").name == "Bash"
    assert only([log(base, body={"stringValue": name})], service="claude-code").event_id == "s:4"


def test_claudes_mode_changes_retries_and_silent_hooks_are_events() -> None:
    """What lowers a guard is policy; a hook that answered is none."""

    def record(name: str, **more: Any) -> dict[str, Any]:
        return log({"event.name": name, "session.id": "s", **more})

    records = [
        record("permission_mode_changed", to_mode="bypassPermissions"),
        record("api_error", status_code=529, model="m[1m]"),
        record("api_refusal", model="m"),
        record("hook_execution_complete", num_cancelled="1", num_non_blocking_error="0"),
        record("hook_execution_complete", num_cancelled="0", num_non_blocking_error="0"),
    ]
    found = verdicts_of(records, service="claude-code")
    assert [verdict.event and (verdict.event.kind, verdict.event.outcome) for verdict in found] == [
        ("policy", "ok"), ("llm_call", "error"), ("llm_call", "denied"), ("policy", "error"), None,
    ]  # fmt: skip
    assert found[0].event is not None
    assert found[0].event.attributes["to_mode"] == "bypassPermissions"
    assert found[1].event is not None
    assert found[1].event.model == "m"


def test_langsmiths_kinds_and_its_threads_are_read() -> None:
    """Its trace session is a project and no conversation."""
    attributes = {
        "langsmith.span.kind": "tool",
        "gen_ai.tool.name": "t",
        "langsmith.trace.session_id": "project",
        "langsmith.metadata": '{"thread_id": "t-1"}',
    }
    event = only([span("t", attributes=attributes)])
    assert (event.kind, event.name, event.session_id) == ("tool_call", "t", "t-1")


def test_arguments_in_a_spans_events_are_read() -> None:
    """Strands puts them into an event of the span, and its loop's cycles hold other spans together."""
    event = {"name": "gen_ai.tool.message", "timeUnixNano": "1", "attributes": pairs({"content": '{"path": "/a"}'})}
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "gen_ai.tool.status": "error"}
    found = only([span("execute_tool t", attributes=attributes, events=[event])], scope="strands.telemetry.tracer")
    assert (found.target, found.outcome) == ("/a", "error")
    cycle = span("execute_event_loop_cycle", attributes={"event_loop.cycle_id": "c"})
    assert verdicts_of([cycle])[0].reason == "structure"


def test_an_agent_of_openinference_is_named_by_its_node_and_below_its_parents() -> None:
    """Both are names within the service."""
    agent = {"openinference.span.kind": "AGENT", "graph.node.id": "scout", "graph.node.parent_id": "boss"}
    event = only([span("scout", attributes=agent)])
    assert (event.agent_id, event.parent_agent_id, event.kind) == ("svc/scout", "svc/boss", "lifecycle")


def test_vercels_calls_are_told_once() -> None:
    """The outer span is the sum of the inner ones."""
    records = [
        span("ai.toolCall", 1, 3, attributes={"ai.operationId": "ai.toolCall", "ai.toolCall.name": "weather",
                                              "ai.toolCall.args": '{"url": "http://h/x"}'}),
        span("ai.generateText.doGenerate", 2, 3, attributes={"ai.operationId": "ai.generateText.doGenerate",
                                                             "ai.usage.promptTokens": 7, "ai.model.id": "m"}),
        span("ai.generateText", 3, attributes={"ai.operationId": "ai.generateText", "ai.usage.promptTokens": 7}),
    ]  # fmt: skip
    tool, model, outer = verdicts_of(records)
    assert tool.event is not None
    assert (tool.event.name, tool.event.target) == ("weather", "http://h/x")
    assert model.event is not None
    assert (model.event.kind, model.event.tokens_in, model.event.model) == ("llm_call", 7, "m")
    assert outer.reason == "structure"


def test_langfuses_kinds_sizes_and_cost_are_read() -> None:
    """Usage and cost stand in JSON texts."""
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.session.id": "s",
        "langfuse.observation.usage_details": '{"input": 5, "output": 2}',
        "langfuse.observation.cost_details": '{"total": 0.5}',
    }
    event = only([span("llm", attributes=attributes)])
    assert (event.kind, event.session_id, event.tokens_in, event.tokens_out) == ("llm_call", "s", 5, 2)
    assert event.cost_usd == 0.5


def test_qwen_code_is_read_like_the_program_it_was_made_from() -> None:
    """Its own product, its own prefix."""
    record = log({"event.name": "qwen-code.tool_call", "session.id": "s", "function_name": "t", "success": True,
                  "installation.id": "i"})  # fmt: skip
    event = only([record], service="qwen-code")
    assert (event.agent_id, event.kind, event.name) == ("qwen-code/i", "tool_call", "t")


def test_a_hand_over_is_a_message_whatever_its_operation_is_called() -> None:
    """The other agent is named."""
    event = only([span("a -> b.handoff", attributes={"gen_ai.handoff.to_agent": "b", "gen_ai.agent.name": "a"})])
    assert (event.kind, event.agent_id, event.peer_agent_id) == ("message", "svc/a", "svc/b")


def test_pydantic_ais_older_names_are_read() -> None:
    """Before it had operations."""
    records = [
        span("running tool", 1, 2, attributes={"gen_ai.tool.name": "t", "tool_arguments": '{"path": "/a"}'}),
        span("running 2 tools", 2, 3),
        span("agent run", 3, attributes={"agent_name": "a"}),
    ]
    tool, tools, run = verdicts_of(records, scope="pydantic-ai")
    assert tool.event is not None
    assert (tool.event.agent_id, tool.event.target) == ("svc/a", "/a")
    assert tools.reason == "structure"
    assert run.event is not None
