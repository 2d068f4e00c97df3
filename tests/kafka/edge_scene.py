"""An edge service of a deployment, and the gate that asks it, both as processes: what tests and benchmarks share."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from confluent_kafka import Producer

from detector.edge import wire
from detector.edge.grpc_server import ENVOY_SERVICE, EXT_MCP_SERVICE
from detector.schema.command import PolicyState
from detector.worker.publish import alert_outputs
from tests.edge.questions import envoy_question, mcp_question, tool
from tests.edge.recordings import MADE_UP
from tests.edge.states import record, state
from tests.kafka.harness import Deployment
from tests.project.sources import ROOT
from tests.sinks.alerts import make

BY_COMMAND = "Denied by policy"
GATE = (sys.executable, "-I", "-S", str(ROOT / "detector_gate.py"))


class HookResult(NamedTuple):
    """What the hook command did, and when it had done it (epoch seconds)."""

    is_denied: bool
    said: str
    at: float


class EdgeScene:
    """Edge services and gates of one deployment; sockets stand in a short path, as the system wants them."""

    def __init__(self, deployed: Deployment, folder: Path) -> None:
        self.deployed, self.folder = deployed, folder

    def start(
        self, name: str = "edge", *words: str, is_read: bool = True, settings: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `detector edge` under a name; return it once its socket is there, and the topic read if it can be."""
        command = [sys.executable, "-m", "detector", "edge", "--socket", str(self.folder / name), "--listen-port", "0"]
        started = self.deployed.start(*command, "--point", name, *words, **(settings or {}))
        self.deployed.until((self.folder / name).exists, f"the socket of {name}")
        if is_read:
            self.until("nobody", is_denied=False, name=name)
        return started

    def ask(self, agent: str = "ci-7", name: str = "edge", *words: str, tenant: str = "default") -> HookResult:
        """Run the gate on a hook input of Codex."""
        command = [*GATE, "--product", "codex", "--agent", agent, "--tenant", tenant]
        command += ["--socket", str(self.folder / name), "--timeout", "5", *words]
        done = subprocess.run(command, input=MADE_UP["codex"], capture_output=True, timeout=60, check=False, env={})
        said = (done.stdout + done.stderr).decode()
        return HookResult(done.returncode == 2 or '"deny"' in said, said, time.time())

    def until(
        self, agent: str, *, is_denied: bool, name: str = "edge", tenant: str = "default", says: str = BY_COMMAND
    ) -> HookResult:
        """Return the first answer of a kind, asking on and on; a denial must say why, for there are several."""
        last: list[HookResult] = []

        def is_so() -> bool:
            last[:] = [self.ask(agent, name, tenant=tenant)]
            return last[0].is_denied == is_denied and (not is_denied or says in last[0].said)

        self.deployed.until(is_so, f"{agent} denied: {is_denied}, and if so with {says!r}")
        return last[0]

    def publish(self, *states: PolicyState) -> float:
        """Write states to the policy topic as the response stage does; return when Kafka had them."""
        producer = Producer({**self.deployed.client, "linger.ms": 0})
        for one in states:
            key, value = record(one)
            producer.produce(self.deployed.names.policy, value, key)
        assert producer.flush(30) == 0
        return time.time()

    def alert(self, agent: str, number: int) -> float:
        """Write an alert of now, of tenant acme, as the scoring stage does; return when it began."""
        now = time.time()
        alert = make(agent, 3.0, now, event_id=f"e-{number}", finding_uid=f"{number:032x}", partition_agents=10_000)
        producer = Producer({**self.deployed.client, "linger.ms": 0})
        began = time.time()
        for output in alert_outputs(alert, self.deployed.names):
            headers = list[tuple[str, str | bytes | None]](output.headers)
            producer.produce(output.topic, output.value, output.key, headers=headers)
        assert producer.flush(30) == 0
        return began

    def acks(self) -> list[dict[str, object]]:
        """Return every acknowledgement."""
        return [json.loads(one.value or b"") for one in self.deployed.read(self.deployed.names.acks)]


class Asking:
    """A gateway's connection to the edge that is started with these words."""

    def __init__(self, port: int) -> None:
        self.words = (
            "--ext-authz",
            f"127.0.0.1:{port}",
            "--agent-from",
            "principal",
            "--agent-from",
            "metadata:jwt/sub",
        )
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def envoy(self, agent: str, name: str = "lookup") -> int:
        """Return the code of Envoy's answer, 0 for a request that may pass."""
        raw = self._send(ENVOY_SERVICE, "Check", envoy_question(tool(name), agent))
        code: int = wire.CheckResponse.FromString(raw).status.code
        return code

    def agentgateway(self, agent: str, name: str = "lookup") -> int:
        """Return the code of agentgateway's answer, 0 for a request that may pass."""
        raw = self._send(EXT_MCP_SERVICE, "CheckRequest", mcp_question("tools/call", {"name": name}, agent))
        code: int = wire.McpResult.FromString(raw).error.code
        return code

    def _send(self, service: str, method: str, raw: bytes) -> Any:
        return self._channel.unary_unary(f"/{service}/{method}")(raw, timeout=10.0, wait_for_ready=True)


@contextmanager
def edge_scene(deployed: Deployment) -> Iterator[EdgeScene]:
    """Yield a scene with a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="edge") as folder:
        yield EdgeScene(deployed, Path(folder))


def isolation(agent: str = "ci-7", **fields: object) -> PolicyState:
    """Return an isolation of an agent that began a second ago and lasts an hour."""
    now = time.time()
    terms = {"effective_at": now - 1.0, "expires_at": now + 3_600.0, "steps_down_until": now + 7_200.0}
    return state(**{"subject": f"default/agent/{agent}", **terms, **fields})
