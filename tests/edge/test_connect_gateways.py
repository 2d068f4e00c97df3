"""What is printed for a gateway asks the edge, fails closed, and names the agent as the edge is told to believe."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml
from typer.testing import CliRunner

from detector import cli
from detector.edge import service as serving
from detector.edge.connect import plan_of
from detector.edge.service import EdgeOptions
from tests.edge.test_connect import VALUES


def _text(source: str, name: str) -> str:
    return next(one.text for one in plan_of(source, VALUES).files if one.name == name)


@pytest.mark.parametrize(("source", "name"), [("envoy", "ext_authz.yaml"), ("agentgateway", "config.yaml")])
def test_the_edge_beside_a_gateway_starts_as_it_is_printed(
    source: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command in the file is understood, and believes the places that the file fills."""
    lines = [line.removeprefix("#").strip() for line in _text(source, name).split("\n\n")[0].splitlines()]
    found = re.search(r"detector (edge .*)", "\n".join(lines).replace("\\\n", " "))
    assert found is not None
    started: list[EdgeOptions] = []
    monkeypatch.setattr(serving, "run_edge", lambda kafka, names, options: started.append(options))
    told = CliRunner().invoke(cli.app, shlex.split(found.group(1)))
    assert told.exit_code == 0, told.output
    (options,) = started
    assert (options.gateways, options.trust.tenants, options.trust.unnamed) == ("127.0.0.1:9466", ("acme",), "deny")
    assert len(options.trust.agents) >= 2


def test_litellm_asks_before_every_call_and_fails_closed() -> None:
    """The files are found where the environment says."""
    (asks,) = yaml.safe_load(_text("litellm", "config.yaml"))["guardrails"]
    set_to = asks["litellm_params"]
    assert (set_to["default_on"], set_to["mode"], set_to["fail"]) == (True, ["pre_call", "pre_mcp_call"], "closed")
    assert (set_to["guardrail"], set_to["tenant"]) == ("detector_guardrail.DetectorGuardrail", "acme")
    assert "PYTHONPATH=/opt/detector" in _text("litellm", "litellm.env").splitlines()


def test_agentgateway_exports_its_access_log_and_asks_for_every_mcp_request() -> None:
    """To the gRPC port of the same Collector; failing closed, with the names that the edge is told to believe."""
    text = _text("agentgateway", "config.yaml")
    config = yaml.safe_load(text)
    assert config["frontendPolicies"]["accessLog"]["otlp"]["host"] == "127.0.0.1:4317"
    (asks,) = config["mcp"]["policies"]["mcpGuardrails"]["processors"]
    assert (asks["host"], asks["failureMode"], asks["methods"]) == ("127.0.0.1:9466", "failClosed", {"*": "request"})
    told = re.findall(r"--agent-from metadata:(\w+)", text)
    assert told == list(asks["metadata"])


def test_envoy_asks_for_every_request_with_its_body_and_denies_where_nobody_answers() -> None:
    """Its own words for failing closed, and where the edge listens."""
    config = yaml.safe_load(_text("envoy", "ext_authz.yaml"))
    (asks,) = (one["typed_config"] for one in config["http_filters"])
    assert asks["failure_mode_allow"] is False
    assert asks["with_request_body"]["allow_partial_message"] is False
    (cluster,) = config["clusters"]
    assert cluster["name"] == asks["grpc_service"]["envoy_grpc"]["cluster_name"]
    (where,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert where["endpoint"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 9466}
