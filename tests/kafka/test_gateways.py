"""From a record on Kafka to a gateway's refused request: the edge service as a process, asked over gRPC."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest

from detector.edge.grpc_server import ENVOY_SERVICE
from detector.schema.acks import PolicyAck
from detector.schema.command import Constraints
from tests.edge.gateways import free_port
from tests.edge.questions import envoy_question, tool
from tests.edge.states import released
from tests.kafka.edge_scene import Asking, EdgeScene, edge_scene, isolation
from tests.kafka.harness import Deployment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture
def scene(deployed: Deployment) -> Iterator[EdgeScene]:
    """Yield an edge scene on this test's topics."""
    with edge_scene(deployed) as made:
        yield made


def test_a_policy_record_refuses_the_next_request_and_every_answer_is_acknowledged(scene: EdgeScene) -> None:
    """Free before, refused after in both protocols, free again after a release; the hook is answered by the same."""
    asking = Asking(free_port())
    scene.start("edge", *asking.words)
    assert (asking.envoy("ci-7"), asking.agentgateway("ci-7")) == (0, 0)
    command = isolation("ci-7")
    scene.publish(command)
    scene.deployed.until(lambda: asking.envoy("ci-7") == 7, "Envoy refused")
    assert asking.agentgateway("ci-7") == 1
    assert scene.ask("ci-7").is_denied
    assert (asking.envoy("ci-8"), asking.agentgateway("ci-8")) == (0, 0)
    scene.deployed.until(lambda: len(scene.acks()) >= 4, "acknowledgements")
    applied, *told = [PolicyAck.model_validate(one) for one in scene.acks()[:4]]
    assert applied.status == "applied"
    assert {(one.status, one.why, one.product, one.tool) for one in told} == {
        ("denied", "tool", "envoy", "lookup"),
        ("denied", "tool", "agentgateway", "lookup"),
        ("denied", "tool", "codex", "Bash"),
    }
    assert {(one.command_id, one.point) for one in told} == {(command.command_id, "edge")}
    scene.publish(released(subject=command.subject, revision=2))
    scene.deployed.until(lambda: asking.envoy("ci-7") == 0, "free again")


def test_answers_to_a_limited_agent_add_up_and_end_with_its_term(scene: EdgeScene) -> None:
    """Three a minute of either protocol, the rest refused; then the state expires by the service's own clock."""
    now = time.time()
    rules = Constraints(rate_per_min=3.0)
    scene.publish(
        isolation(
            "ci-9", tier="limit", constraints=rules, expires_at=now + 15.0, on_expiry="release", steps_down_until=None
        )
    )
    asking = Asking(free_port())
    scene.start("edge", *asking.words)
    codes = [asking.envoy("ci-9") for _ in range(4)] + [asking.agentgateway("ci-9") for _ in range(2)]
    assert codes == [0, 0, 0, 8, 2, 2]
    scene.deployed.until(lambda: asking.envoy("ci-9") == 0 and time.time() > now + 15.0, "the term is over")

    def counted() -> dict[str, int]:
        sums = dict.fromkeys(("allowed", "denied"), 0)
        for one in map(PolicyAck.model_validate, scene.acks()):
            if one.status in sums:
                sums[one.status] += one.count
        return sums

    scene.deployed.until(lambda: counted()["allowed"] == 3 and counted()["denied"] >= 3, "every answer acknowledged")


def test_a_killed_service_answers_nobody_and_knows_again_what_holds(scene: EdgeScene) -> None:
    """The gateway has an error, on which it denies; the next service reads the topic anew."""
    port = free_port()
    asking = Asking(port)
    scene.publish(isolation("ci-7"))
    first = scene.start("edge", *asking.words)
    assert (asking.envoy("ci-7"), asking.envoy("ci-8")) == (7, 0)
    first.kill()
    first.wait()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(f"/{ENVOY_SERVICE}/Check")(envoy_question(tool("a"), "ci-8"), timeout=10.0)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    (scene.folder / "edge").unlink(missing_ok=True)
    scene.start("edge", *asking.words)
    again = Asking(port)
    assert (again.envoy("ci-7"), again.envoy("ci-8")) == (7, 0)
