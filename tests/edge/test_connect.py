"""What is printed for a source can be set as it stands: it parses, and holds the switches that matter."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from detector import cli
from detector.edge.connect import FOLDER, SHARED, SOURCES, ConnectPlan, plan_of, text_of, write_plan
from detector.errors import SetupError
from detector.schema.topics import TopicNames
from detector_gate import options_of

VALUES = {
    "brokers": "k1:9092,k2:9092",
    "endpoint": "http://127.0.0.1:4318",
    "gate": "/opt/detector/detector_gate.py",
    "tenant": "acme",
    "logs": "otlp.logs",
    "spans": "otlp.spans",
    "authz": "127.0.0.1:9466",
}
GATEWAYS = {"litellm", "agentgateway", "envoy"}
GATED = {"claude-code": "claude-code", "codex": "codex", "gemini-cli": "gemini-cli", "copilot": "copilot-cli"}


def _plan(source: str, **values: str) -> ConnectPlan:
    return plan_of(source, {**VALUES, **values})


def _text(source: str, name: str) -> str:
    return next(one.text for one in _plan(source).files if one.name == name)


def _json(source: str, name: str) -> Any:
    return json.loads(_text(source, name))


def _commands(value: Any) -> list[str]:
    """Return every hook command in a parsed settings file."""
    if isinstance(value, dict):
        own = [value[key] for key in ("command", "bash") if isinstance(value.get(key), str)]
        return own + [found for one in value.values() for found in _commands(one)]
    return [found for one in value for found in _commands(one)] if isinstance(value, list) else []


@pytest.mark.parametrize("source", SOURCES)
def test_every_file_parses_and_nothing_is_left_open(source: str) -> None:
    """JSON, TOML, YAML; every placeholder has its value."""
    plan = _plan(source)
    assert plan.files
    for one in plan.files:
        assert "@{" not in one.text
        kind = Path(one.name).suffix
        if kind == ".json":
            assert json.loads(one.text)
        elif kind == ".toml":
            assert tomllib.loads(one.text)
        elif kind == ".yaml":
            assert yaml.safe_load(one.text)
        else:
            assert kind in {".sh", ".env"}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_says_what_it_does_not_see_and_where_that_is_from(source: str) -> None:
    """Whoever connects it knows what is missing."""
    plan = _plan(source)
    assert len(plan.unseen) >= 3
    assert plan.cites
    text = text_of(plan, ["kafka-acls.sh --x"], with_files=True)
    for part in (*plan.unseen, *plan.cites, "kafka-acls.sh --x", *(one.text.strip() for one in plan.files)):
        assert part in text


def test_no_folder_of_a_source_is_forgotten_and_no_file_of_one() -> None:
    """The list, the folders and what each source names are one."""
    assert {path.name for path in FOLDER.iterdir()} - {SHARED.name} == set(SOURCES)
    named = {(source, one.name) for source in SOURCES for one in _plan(source).files}
    there = {(path.parent.name, path.name) for path in FOLDER.glob("*/*") if path.name != "source.toml"}
    assert {(source if (FOLDER / source / name).exists() else "shared", name) for source, name in named} == there


@pytest.mark.parametrize("source", sorted(GATED))
def test_the_gate_is_called_for_every_tool_and_fails_closed(source: str) -> None:
    """Its own options understand the command; what cannot start ends with 2, and so does what a shell cannot find."""
    parsed = [
        tomllib.loads(one.text) if one.name.endswith(".toml") else json.loads(one.text)
        for one in _plan(source).files
        if one.name.endswith((".toml", ".json"))
    ]
    (command,) = [found for one in parsed for found in _commands(one)]
    call, ends = command.split(" || ")
    assert ends == "exit 2"
    interpreter, *words = call.split(" ")
    assert (interpreter, words[:3]) == ("/usr/bin/python3", ["-I", "-S", VALUES["gate"]])
    options = options_of(words[3:])
    assert (options.product, options.tenant, options.fail) == (GATED[source], "acme", "closed")
    assert options.timeout < 10


@pytest.mark.parametrize("source", sorted(set(SOURCES) - set(GATED)))
def test_a_source_without_a_hook_does_not_promise_one(source: str) -> None:
    """A gateway asks by a way of its own, and the Collector is no place where anything could be stopped."""
    plan = _plan(source)
    assert plan.has_gate == (source in GATEWAYS)
    assert not any("--product" in one.text for one in plan.files)


def test_claude_code_sends_tool_details_and_no_content() -> None:
    """And only managed hooks run, before every tool."""
    settings = _json("claude-code", "managed-settings.json")
    env = settings["env"]
    assert (env["CLAUDE_CODE_ENABLE_TELEMETRY"], env["OTEL_LOGS_EXPORTER"], env["OTEL_LOG_TOOL_DETAILS"]) == (
        "1",
        "otlp",
        "1",
    )
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == VALUES["endpoint"]
    content = ("USER_PROMPTS", "ASSISTANT_RESPONSES", "RAW_API_BODIES", "TOOL_CONTENT")
    assert {env[f"OTEL_LOG_{name}"] for name in content} == {"0"}
    assert settings["allowManagedHooksOnly"] is True
    assert [one["matcher"] for one in settings["hooks"]["PreToolUse"]] == ["*"]


def test_codex_has_its_gate_where_users_cannot_undo_it() -> None:
    """In requirements.toml, in the folder that managed hooks must stand in; prompts and traces off."""
    pinned = tomllib.loads(_text("codex", "requirements.toml"))
    assert pinned["allow_managed_hooks_only"] is True
    assert pinned["features"]["hooks"] is True
    assert pinned["hooks"]["managed_dir"] == "/opt/detector"
    otel = tomllib.loads(_text("codex", "managed_config.toml"))["otel"]
    assert (otel["log_user_prompt"], otel["trace_exporter"]) == (False, "none")
    assert otel["exporter"]["otlp-http"]["endpoint"] == "http://127.0.0.1:4318/v1/logs"


def test_gemini_logs_no_prompts_though_its_default_does() -> None:
    """And its hooks are pinned on."""
    settings = _json("gemini-cli", "settings.json")
    assert (settings["telemetry"]["enabled"], settings["telemetry"]["logPrompts"]) == (True, False)
    assert settings["hooksConfig"]["enabled"] is True


def test_copilot_captures_who_and_not_what() -> None:
    """Content off and locked, identity on."""
    telemetry = _json("copilot", "managed-settings.json")["telemetry"]
    assert (telemetry["enabled"], telemetry["captureContent"], telemetry["lockCaptureContent"]) == (True, False, True)
    assert telemetry["capture"] == {"identity": True}


def test_litellm_sends_spans_without_messages() -> None:
    """By the exporter whose names are the conventions'."""
    config = yaml.safe_load(_text("litellm", "config.yaml"))
    assert config["litellm_settings"] == {"callbacks": ["otel"], "turn_off_message_logging": True}
    assert "LITELLM_OTEL_V2=true" in _text("litellm", "litellm.env").splitlines()


def test_the_collector_is_whole_and_writes_the_topics_that_are_read() -> None:
    """Every part a pipeline names is there and none besides; the filter stands before Kafka; batches stay small."""
    config = yaml.safe_load(_text("collector", "collector.yaml"))
    pipelines = config["service"]["pipelines"]
    for part in ("receivers", "processors", "exporters"):
        assert {name for one in pipelines.values() for name in one[part]} == set(config[part])
    for one in pipelines.values():
        assert one["processors"][0] == "memory_limiter"
        assert one["processors"][-2:] == ["transform/content", "batch"]
    kafka = config["exporters"]["kafka"]
    assert kafka["brokers"] == ["k1:9092", "k2:9092"]
    assert (kafka["logs"]["topic"], kafka["traces"]["topic"]) == ("otlp.logs", "otlp.spans")
    assert kafka["producer"]["required_acks"] == -1
    assert config["processors"]["batch"]["send_batch_max_size"] <= 256


def test_what_the_collector_takes_out_is_what_is_recorded_and_nothing_the_mapping_reads() -> None:
    """Its patterns, tried on names that real agents send."""
    statements = yaml.safe_load(_text("collector", "collector.yaml"))["processors"]["transform/content"]
    logs = [re.search(r'attributes, "(.*)"\)', one) for one in statements["log_statements"][:2]]
    resource, content = [re.compile(found.group(1).replace("\\\\", "\\")) for found in logs if found]
    assert all(map(resource.match, ("process.command_args", "process.command_line", "process.command")))
    assert not resource.match("process.executable.name")
    assert all(map(content.match, ("prompt", "response_text", "request_text", "body")))
    kept = ("prompt.id", "prompt_length", "tool_input", "tool_name", "arguments", "output", "session.id")
    assert not any(map(content.match, kept))


@pytest.mark.integration
def test_the_environment_names_the_user_and_keeps_what_was_there() -> None:
    """Run by a real shell."""
    script = _text("codex", "detector-agents.sh") + 'printf %s "$OTEL_RESOURCE_ATTRIBUTES"'
    for before, end in (("", ""), ("zone=eu", ",zone=eu")):
        environment = {"PATH": "/usr/bin:/bin", **({"OTEL_RESOURCE_ATTRIBUTES": before} if before else {})}
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, env=environment, check=True, timeout=30
        )
        assert re.fullmatch(rf"enduser\.id=[^,]+,tenant=acme{end}", done.stdout)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("endpoint", "127.0.0.1:4318"),
        ("endpoint", 'http://x"y'),
        ("endpoint", "http://x:4318/v1/logs"),
        ("gate", "gate.py"),
        ("gate", "/opt/my gate.py"),
        ("gate", "/opt/$(id).py"),
        ("tenant", "a;b"),
        ("tenant", ""),
        ("brokers", "k1:9092, k2"),
        ("logs", 'a"b'),
        ("authz", "0.0.0.0:9466"),
        ("authz", "127.0.0.1"),
    ],
)
def test_a_value_that_would_need_quoting_is_refused(name: str, value: str) -> None:
    """It stands in commands that run with an agent's rights."""
    with pytest.raises(SetupError, match=f"{name} of connect must be"):
        _plan("codex", **{name: value})
    with pytest.raises(SetupError, match="one of"):
        plan_of("cursor", VALUES)


def test_files_are_written_once_and_never_over_others(tmp_path: Path) -> None:
    """The same again is no harm; another content is refused before anything is written."""
    folder = tmp_path / "new" / "out"
    written = write_plan(_plan("codex"), folder)
    assert write_plan(_plan("codex"), folder) == written
    before = [path.read_text() for path in written]
    with pytest.raises(SetupError, match="must be new"):
        write_plan(_plan("codex", tenant="other"), folder)
    assert [path.read_text() for path in written] == before
    with pytest.raises(SetupError, match="writable"):
        write_plan(_plan("codex"), written[0])


def test_the_command_prints_or_writes_and_names_the_least_rights(tmp_path: Path) -> None:
    """With the deployment's own brokers and prefix."""
    words = ["connect", "codex", "--bootstrap", "k:9092", "--topic-prefix", "eu.", "--tenant", "acme"]
    printed = CliRunner().invoke(cli.app, words).stdout
    assert "allow_managed_hooks_only = true" in printed
    assert "--operation Write --topic eu.otlp.logs" in printed
    assert f"--operation Write --topic {TopicNames('eu.').acks}" in printed
    assert "What will not be seen" in printed
    told = CliRunner().invoke(cli.app, [*words, "--out", str(tmp_path / "o")])
    assert (tmp_path / "o" / "requirements.toml").is_file()
    assert "allow_managed_hooks_only = true" not in told.stdout


@pytest.mark.parametrize(
    ("endpoint", "http", "grpc"), [("http://127.0.0.1:14318", 14318, 14317), ("http://h", 4318, 4317)]
)
def test_the_collector_listens_where_the_agents_are_told_to_send(endpoint: str, http: int, grpc: int) -> None:
    """One value, two files: a Collector on the default ports would hear nothing of an agent that sends elsewhere."""
    plan = _plan("codex", endpoint=endpoint)
    texts = {one.name: one.text for one in plan.files}
    protocols = yaml.safe_load(texts["collector.yaml"])["receivers"]["otlp"]["protocols"]
    assert protocols["http"]["endpoint"] == f"127.0.0.1:{http}"
    assert protocols["grpc"]["endpoint"] == f"127.0.0.1:{grpc}"
    assert f'"{endpoint}/v1/logs"' in texts["managed_config.toml"]
    gateway = yaml.safe_load(_plan("agentgateway", endpoint=endpoint).files[0].text)
    assert str(gateway["frontendPolicies"]["accessLog"]["otlp"]["host"]).endswith(f":{grpc}")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:99999", "http://127.0.0.1:1", "http://127.0.0.1:x"])
def test_an_endpoint_without_a_usable_port_is_refused(endpoint: str) -> None:
    """Before anything is printed that nobody could listen on."""
    with pytest.raises(SetupError, match="endpoint"):
        _plan("codex", endpoint=endpoint)
