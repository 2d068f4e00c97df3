"""The guardrail in a real LiteLLM: its proxy on loopback with the printed settings, and its hooks before MCP calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from detector.edge.connect import plan_of
from detector.schema.command import Constraints
from tests.edge.gateways import answers, edge, environment, free_port, until
from tests.edge.states import record, state
from tests.edge.test_connect import VALUES
from tests.edge.test_gate_process import serving
from tests.project.sources import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]

PACKAGES = "'litellm[proxy]==1.110.2'"
OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_LOG": "ERROR"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a short path with the guardrail's two files, as an administrator would copy them."""
    with tempfile.TemporaryDirectory(prefix="l") as made:
        for name in ("detector_guardrail.py", "detector_gate.py"):
            shutil.copy(ROOT / name, made)
        yield Path(made)


def _configuration(folder: Path, **changes: str) -> dict[str, Any]:
    """Return the printed settings, with a model that answers by itself, and keys without a database."""
    plan = plan_of("litellm", {**VALUES, "tenant": "default", "gate": str(folder / "detector_gate.py")})
    printed: dict[str, Any] = yaml.safe_load(next(one.text for one in plan.files if one.name == "config.yaml"))
    printed["litellm_settings"]["callbacks"] = []  # nobody listens for spans here
    printed["guardrails"][0]["litellm_params"].update({"socket": str(folder / "s"), **changes})
    model = {"model": "openai/none", "api_key": "none", "mock_response": "hello"}
    shutil.copy(Path(__file__).with_name("litellm_auth.py"), folder)
    return {
        **printed,
        "model_list": [{"model_name": "m", "litellm_params": model}],
        "general_settings": {"custom_auth": "litellm_auth.user_api_key_auth", "master_key": f"sk-{uuid4().hex}"},
    }


class Proxy:
    """A running LiteLLM proxy."""

    def __init__(self, port: int) -> None:
        self.port = port

    def chat(self, key: str, **more: object) -> tuple[int, str]:
        """Return status and body of a model call."""
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}
        headers = {"Authorization": f"Bearer sk-{key}", "Content-Type": "application/json"}
        address = f"http://127.0.0.1:{self.port}/v1/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


@contextmanager
def proxy(folder: Path, **changes: str) -> Iterator[Proxy]:
    """Yield a proxy that has the guardrail."""
    home, port = environment("litellm", PACKAGES), free_port()
    (folder / "config.yaml").write_text(yaml.safe_dump(_configuration(folder, **changes)))
    words = [str(home / "bin" / "litellm"), "--config", str(folder / "config.yaml"), "--port", str(port)]
    settings = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(folder), **OFFLINE}
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen([*words, "--host", "127.0.0.1"], cwd=folder, env=settings, stdout=log, stderr=log)
    try:
        until(lambda: answers(port) or process.poll() is not None, "the proxy listens", within_s=180.0)
        assert process.poll() is None, (folder / "proxy.log").read_text()[-4_000:]
        yield Proxy(port)
    finally:
        process.kill()
        process.wait()


def test_a_contained_keys_model_call_is_blocked_and_its_twins_is_not_and_a_killed_edge_blocks_both(
    folder: Path,
) -> None:
    """In order: free, contained, what an agent may say of itself, then nobody answers."""
    with edge(folder, "ci-7") as running, proxy(folder) as made:
        status, said = made.chat("other")
        assert (status, json.loads(said)["choices"][0]["message"]["content"]) == (200, "hello")
        status, said = made.chat("ci-7")
        assert status == 403
        assert f"command {running.command_id}" in said
        lies = {"user": "other", "metadata": {"user_api_key_alias": "other"}, "guardrails": []}
        assert made.chat("ci-7", **lies)[0] == 403
        assert made.chat("team.ci-7")[0] == 403, "a team adds a tenant and takes none away"
        running.kill()
        status, said = made.chat("other")
        assert status == 403
        assert "does not answer" in said


def _mcp(folder: Path, *asked: dict[str, str]) -> list[tuple[int, str]]:
    """Return what LiteLLM's own pre-call hooks make of MCP calls."""
    home = environment("litellm", PACKAGES)
    script = Path(__file__).with_name("litellm_mcp.py")
    done = subprocess.run(
        [str(home / "bin" / "python"), str(script), str(folder / "s"), str(folder / "copy")],
        input="\n".join(map(json.dumps, asked)),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(folder), **OFFLINE},
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return [(status, said) for status, said in map(json.loads, done.stdout.splitlines())]


def test_mcp_calls_are_blocked_by_tool_and_by_server_and_tool(folder: Path) -> None:
    """Named as the proxy names them; a list of tools is neither denied nor counted."""
    rules = Constraints(deny_tools=("send_*", "mcp__crm__export"))
    with serving(folder) as point:
        point.heard(*record(state(subject="red/agent/ci-9", tier="limit", constraints=rules)))
        caller = {"agent": "ci-9", "team": "red"}
        told = _mcp(
            folder,
            {**caller, "tool": "send_mail"},
            {**caller, "tool": "lookup"},
            {**caller, "tool": "crm-export", "server": "crm"},
            {**caller, "tool": "files-export", "server": "files"},
            {"agent": "ci-9", "tool": "send_mail"},
            {"agent": "ci-7", "tool": "lookup"},
            {"agent": "ci-7", "tool": "lookup", "type": "list_mcp_tools"},
            {"agent": "", "tool": "lookup"},
        )
    assert [status for status, _ in told] == [403, 0, 403, 0, 0, 403, 0, 403]
    assert "this tool is barred" in told[0][1]
    assert "nobody knows which agent calls" in told[7][1]


def test_a_static_guardrail_goes_by_its_copy_and_a_closed_one_does_not(folder: Path) -> None:
    """Nobody listens; the copy binds one agent."""
    with edge(folder, "ci-7") as running:
        running.kill()
    (folder / "half").write_text("{}")
    half = {"fail": "static", "copy": str(folder / "half")}
    settings: list[dict[str, str]] = [{"fail": "static"}, {}, half]
    told = _mcp(folder, *({"agent": agent, "tool": "a", **how} for how in settings for agent in ("ci-7", "other")))
    assert [status for status, _ in told] == [403, 0, 403, 403, 403, 403]
    assert "contained by the last policy" in told[0][1]
    assert "does not answer" in told[3][1]
    assert "copy cannot be read" in told[5][1]
