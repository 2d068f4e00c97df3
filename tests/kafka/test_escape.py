"""A contained agent that goes on: from the command nobody acknowledges to the escape, on a real Kafka."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from detector.rules.escape import SETTLE_S
from detector.simulate.render import timestamp
from tests.edge.gateways import free_port
from tests.kafka.edge_scene import EdgeScene, edge_scene
from tests.kafka.harness import Deployment, metric, published, values

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

AGENT = "ci-7"


@pytest.fixture
def scene(deployed: Deployment) -> Iterator[EdgeScene]:
    """Yield an edge scene on this test's topics."""
    with edge_scene(deployed) as made:
        yield made


def act(deployed: Deployment, agent: str, outcome: str = "ok") -> None:
    """Write an act of now as an agent's exporter does."""
    body = {
        "event_id": f"{agent}-{outcome}-{time.time()}", "ts": timestamp(round(time.time() * 1_000)), "agent_id": agent,
        "tenant": "acme", "kind": "tool_call", "name": "Bash", "outcome": outcome,
    }  # fmt: skip
    deployed.produce([(agent.encode(), json.dumps(body).encode())])


def test_a_contained_agent_that_goes_on_is_an_escape(scene: EdgeScene) -> None:
    """Nobody acknowledges: shown. An edge starts: acknowledged, the partition told. The agent passes it by: alerted."""
    deployed, port = scene.deployed, free_port()
    deployed.start(mode="enforce", listen_port=str(port))
    scene.alert(AGENT, 1)
    deployed.until(lambda: metric(port, "detector_commands_unacknowledged") == 1.0, "a command nobody acknowledged")
    scene.start()
    deployed.until(lambda: metric(port, "detector_commands_unacknowledged") == 0.0, "its acknowledgement")
    assert metric(port, "detector_commands_in_force") == 1.0
    told = [one for one in values(deployed.read(deployed.names.feedback)) if one["kind"] == "containment"]
    first = told[0]
    deployed.until(lambda: len(deployed.read(deployed.names.feedback)) > 1, "the partition is told of it")
    act(deployed, AGENT)
    time.sleep(max(0.0, first["told_at"] + SETTLE_S + 1.0 - time.time()))  # what is tested is that this time passes
    act(deployed, "ci-8")
    act(deployed, AGENT, "denied")
    deployed.until_done()
    assert [one for one in published(deployed) if one.detection == "rule.escape"] == []
    act(deployed, AGENT)
    act(deployed, AGENT)
    deployed.until_done()
    (alert,) = [one for one in published(deployed) if one.detection == "rule.escape"]
    assert (alert.agent_id, alert.severity, alert.score) == (AGENT, "critical", None)
    assert alert.contributions[0].observed.endswith("its command bars it; edge has acknowledged it")
    assert first["state"]["command_id"] in alert.contributions[0].observed
