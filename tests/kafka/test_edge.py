"""From a record on Kafka to a tool call that does not happen: the edge service and the gate, real processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.local.kafka import LocalKafka
from detector.local.ladder import Broker
from detector.schema.acks import PolicyAck
from tests.edge.gateways import free_port
from tests.edge.states import released
from tests.kafka.edge_scene import BY_COMMAND, Asking, EdgeScene, edge_scene, isolation
from tests.kafka.harness import Deployment, deployment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

AGENT = "ci-7"


@pytest.fixture
def scene(deployed: Deployment) -> Iterator[EdgeScene]:
    """Yield an edge scene on this test's topics."""
    with edge_scene(deployed) as made:
        yield made


def test_a_policy_record_denies_the_next_call_and_is_acknowledged(scene: EdgeScene) -> None:
    """Free before, denied after, free again after a release; both facts on agent.policy.acks, with the command's id."""
    scene.start()
    assert not scene.ask(AGENT).is_denied
    command = isolation(AGENT)
    written = scene.publish(command)
    denied = scene.until(AGENT, is_denied=True)
    assert '"permissionDecision": "deny"' in denied.said
    assert command.command_id in denied.said
    assert not scene.ask("ci-8").is_denied
    print(f"record to denied call, gate started anew for each: {denied.at - written:.3f} s")  # noqa: T201 - measured
    scene.deployed.until(lambda: len(scene.acks()) >= 2, "acknowledgements")
    applied, told = [PolicyAck.model_validate(one) for one in scene.acks()[:2]]
    assert scene.acks()[0]["schema"] == "agent.policy.acks/1"
    assert (applied.status, told.status, told.why) == ("applied", "denied", "tool")
    assert {(one.command_id, one.revision, one.point) for one in (applied, told)} == {(command.command_id, 1, "edge")}
    assert (told.product, told.tool, told.session_id, told.call_id) == ("codex", "Bash", "s", "call_1")
    scene.publish(released(subject=command.subject, revision=2))
    scene.until(AGENT, is_denied=False)


def test_older_broken_and_foreign_records_free_nobody(scene: EdgeScene) -> None:
    """As they stand on a real topic, before the service starts and while it runs."""
    held = isolation(AGENT, revision=5)
    late = released(subject=held.subject, revision=4)
    scene.publish(held, late)
    scene.start()
    assert BY_COMMAND in scene.ask(AGENT).said
    topic, subject = scene.deployed.names.policy, held.subject.encode()
    foreign = released(subject=held.subject, revision=9).model_dump_json(by_alias=True).encode()
    records = [(subject, b"{"), (b"somebody", foreign), (subject, b"")]
    scene.deployed.produce(records, topic)
    scene.publish(late, isolation("marker"))
    scene.until("marker", is_denied=True)
    assert BY_COMMAND in scene.ask(AGENT).said


def test_a_state_that_has_expired_binds_nobody(scene: EdgeScene) -> None:
    """By the service's own clock, with no further record."""
    now = time.time()
    over = isolation("over", effective_at=now - 9.0, expires_at=now - 8.0, steps_down_until=now - 7.0)
    ends = isolation("ends", expires_at=now + 20.0, on_expiry="release", steps_down_until=None)
    scene.publish(over, ends)
    scene.start()
    assert not scene.ask("over").is_denied
    first = scene.ask("ends")
    assert first.is_denied or first.at >= now + 20.0
    assert scene.until("ends", is_denied=False).at >= now + 20.0


def test_a_service_killed_with_9_leaves_the_setting_and_comes_back(scene: EdgeScene) -> None:
    """Closed: nobody passes. Static: the copy speaks. The next service takes the socket that was left."""
    copy = scene.folder / "copy"
    edge = scene.start("edge", "--copy", str(copy))
    scene.publish(isolation(AGENT))
    scene.until(AGENT, is_denied=True)
    scene.deployed.until(lambda: AGENT in (copy.read_text() if copy.exists() else ""), "the copy")
    edge.kill()
    edge.wait()
    static = ("--fail", "static", "--copy", str(copy))
    assert scene.ask("ci-8").is_denied
    assert "does not answer" in scene.ask("ci-8").said
    assert scene.ask(AGENT, "edge", *static).is_denied
    assert not scene.ask("ci-8", "edge", *static).is_denied
    scene.start()
    assert BY_COMMAND in scene.ask(AGENT).said


@pytest.fixture
def mortal(kafka: Broker, group: str, tmp_path: Path) -> Iterator[tuple[LocalKafka, Deployment]]:
    """Yield a broker that may be killed; the run's own says whether a real one can be had."""
    del kafka
    with (
        LocalKafka(tmp_path / "kafka") as node,
        deployment(Broker(node.bootstrap, "kafka", node), group, tmp_path) as it,
    ):
        yield node, it


def test_an_unreachable_kafka_leaves_the_setting_and_heals(mortal: tuple[LocalKafka, Deployment]) -> None:
    """Closed: after the time that is set nobody passes. Static: what was read last holds. Both read on afterwards."""
    node, deployed = mortal
    with edge_scene(deployed) as scene:
        copy = scene.folder / "copy"
        asking = {name: Asking(free_port()) for name in ("closed", "static")}
        scene.start("closed", "--stale-after", "3", *asking["closed"].words)
        scene.start("static", "--stale-after", "3", "--fail", "static", "--copy", str(copy), *asking["static"].words)
        scene.publish(isolation(AGENT))
        for name in ("closed", "static"):
            scene.until(AGENT, is_denied=True, name=name)
            assert not scene.ask("ci-8", name).is_denied
            assert (asking[name].envoy(AGENT), asking[name].envoy("ci-8")) == (7, 0)
        scene.deployed.until(lambda: AGENT in (copy.read_text() if copy.exists() else ""), "the copy")
        node.kill()
        scene.until("ci-8", is_denied=True, name="closed", says="could not be read")
        assert scene.ask(AGENT, "static").is_denied
        assert not scene.ask("ci-8", "static").is_denied
        assert (asking["closed"].envoy(AGENT), asking["closed"].envoy("ci-8")) == (7, 7)
        assert (asking["static"].envoy(AGENT), asking["static"].envoy("ci-8")) == (7, 0)
        # no broker to begin with: the copy
        scene.start("late", "--fail", "static", "--copy", str(copy), is_read=False)
        assert scene.ask(AGENT, "late").is_denied
        assert not scene.ask("ci-8", "late").is_denied
        scene.start("never", "--fail", "static", is_read=False)
        assert "has not been read" in scene.ask("ci-8", "never").said
        node.start()
        scene.publish(isolation("ci-9"))
        for name in ("closed", "static", "late", "never"):
            scene.until("ci-8", is_denied=False, name=name)
            scene.until("ci-9", is_denied=True, name=name)
        assert (asking["closed"].envoy("ci-9"), asking["closed"].envoy("ci-8")) == (7, 0)


def test_an_alert_denies_the_agents_next_call(scene: EdgeScene) -> None:
    """Alert, worker that enforces, policy topic, edge, gate: the way of a real containment, and how long it took."""
    scene.deployed.start(mode="enforce")
    scene.start()
    scene.alert("warm-up", 1)
    scene.until("warm-up", is_denied=True, tenant="acme")
    began = scene.alert(AGENT, 2)
    denied = scene.until(AGENT, is_denied=True, tenant="acme")
    print(f"alert to denied call, gate started anew for each: {denied.at - began:.3f} s")  # noqa: T201 - measured
    assert denied.at - began < 2.5  # ten times what is measured on a quiet machine, see benchmarks/RESULTS.md
