"""`detector release`: read what stands, write the act, follow it until it is answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.cimpl import TopicPartition
from typer.testing import CliRunner, Result

from detector.desk.commands import app
from detector.desk.feedback import FeedbackClient, ReleaseRequest, VerdictRequest
from detector.errors import DeliveryError, SetupError
from detector.local.embedded import EmbeddedBroker
from detector.offline.partition import partition_of
from detector.response.ladder import Levels
from detector.response.settings import ResponseSettings
from detector.response.stage import ResponseStage
from detector.schema.command import Breaker, Constraints, Issuer, PolicyState, Reason
from detector.schema.feedback import Release, Verdict, feedback_adapter
from detector.schema.topics import TopicNames
from detector.sinks.ocsf import encode
from tests.sinks.alerts import make

WAIT_S = 20.0


@pytest.fixture(scope="module")
def kafka() -> Iterator[dict[str, Any]]:
    """Return client settings of an embedded broker."""
    with EmbeddedBroker() as broker:
        yield {"bootstrap.servers": broker.bootstrap, "log_level": 0}


def _state(agent: str, revision: int = 1, **changes: object) -> PolicyState:
    values: dict[str, object] = {
        "command_id": f"c-{revision}",
        "revision": revision,
        "subject": f"default/agent/{agent}",
        "state": "quarantined",
        "tier": "isolate",
        "mode": "enforce",
        "constraints": Constraints(deny_tools=("*",)),
        "effective_at": 1_000.0,
        "expires_at": 15_400.0,
        "on_expiry": "step_down",
        "reason": Reason(finding_uid="f" * 32),
        "issuer": Issuer(kind="detector", id="response", policy_version="default/v1"),
        "breaker": Breaker(fleet_share=0.01, limit_share=0.05),
        "ack_deadline_s": 5.0,
        "contained_since": 1_000.0,
    }
    return PolicyState.model_validate({**values, **changes})


def _topics(kafka: dict[str, Any], prefix: str) -> TopicNames:
    """Return the names of a deployment whose topics are there: this broker makes what a producer asks for."""
    names = TopicNames(prefix, "g")
    producer = Producer(kafka)
    for topic in (names.policy, names.policy_log, names.feedback):
        producer.list_topics(topic, timeout=WAIT_S)
    return names


def _put(kafka: dict[str, Any], topic: str, key: str, value: bytes | None) -> None:
    producer = Producer(kafka)
    producer.produce(topic, value, key=key.encode())
    assert producer.flush(WAIT_S) == 0


def _stand(kafka: dict[str, Any], names: TopicNames, state: PolicyState) -> None:
    _put(kafka, names.policy, state.subject, state.model_dump_json(by_alias=True).encode())


def _response(kafka: dict[str, Any], names: TopicNames, *states: PolicyState) -> threading.Thread:
    """Return a running thread that answers one release as the response stage would."""
    consumer = Consumer({**kafka, "group.id": "response", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(names.feedback, partition, 0) for partition in range(4)])

    def answer() -> None:
        record = consumer.poll(WAIT_S)
        assert record is not None
        value = record.value()
        assert value is not None
        levels = Levels(limit=2.0, isolate=2.7)
        stage = ResponseStage(ResponseSettings(mode="enforce"), "default/v1", levels)
        stage.restore(states)
        decision = stage.on_release(Release.model_validate_json(value), now=2e9)
        _put(kafka, names.policy_log, "other", b"not ours")
        value = decision.entry.model_dump_json(by_alias=True).encode()
        _put(kafka, names.policy_log, decision.entry.subject, value)
        consumer.close()

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_a_release_is_written_and_followed_to_its_answer(kafka: dict[str, Any]) -> None:
    """For the very revision that was read; who and why stand in the log."""
    names = _topics(kafka, "answered.")
    state = _state("agent-1", 2)
    _stand(kafka, names, _state("agent-1", 1))
    _stand(kafka, names, state)
    _stand(kafka, names, _state("agent-2", 7))
    thread = _response(kafka, names, state)
    client = FeedbackClient(kafka, names, clock=lambda: 1_500.0)
    outcome = client.release(ReleaseRequest("agent-1", "kim", "known job"), WAIT_S)
    thread.join(WAIT_S)
    assert outcome.state == state
    assert outcome.entry is not None
    assert (outcome.entry.decision, outcome.entry.detail) == ("released", "kim: known job")
    assert outcome.entry.command is not None
    assert outcome.entry.command.effective_at == 1_500.0


def test_a_release_without_a_worker_is_kept(kafka: dict[str, Any]) -> None:
    """It is on Kafka; the caller is told that nobody has answered yet."""
    names = _topics(kafka, "kept.")
    _stand(kafka, names, _state("agent-1"))
    outcome = FeedbackClient(kafka, names).release(ReleaseRequest("agent-1", "kim", "known job"), 0.5)
    assert outcome.entry is None
    assert FeedbackClient(kafka, names).state_of("default/agent/agent-1") == outcome.state


@pytest.mark.parametrize("stands", [None, "released"])
def test_an_agent_at_large_cannot_be_released(kafka: dict[str, Any], stands: str | None) -> None:
    """Said at once, nothing is written."""
    names = _topics(kafka, f"large-{stands}.")
    if stands is not None:
        _stand(kafka, names, _state("agent-1", state=stands, tier="observe"))
    outcome = FeedbackClient(kafka, names).release(ReleaseRequest("agent-1", "kim", "known job"), 0.5)
    assert "agent agent-1 of tenant default must be in quarantine, got none" in outcome.why_not
    assert outcome.entry is None


@pytest.mark.parametrize("fault", [{"by": ""}, {"reason": ""}, {"reason": "x" * 2_000}])
def test_a_release_without_name_or_reason_is_refused(kafka: dict[str, Any], fault: dict[str, str]) -> None:
    """Lowering needs a named human and why."""
    names = _topics(kafka, "refused.")
    _stand(kafka, names, _state("agent-1"))
    request = ReleaseRequest("agent-1", "kim", "known job")._replace(**fault)
    with pytest.raises(SetupError, match="of release must be given and short"):
        FeedbackClient(kafka, names).release(request, 0.5)


def _verdict(**changes: Any) -> VerdictRequest:
    return VerdictRequest("agent-1", "f" * 32, "dismiss", "kim", "known job")._replace(**changes)


def test_a_verdict_lies_beside_the_events_of_its_agent(kafka: dict[str, Any]) -> None:
    """Kafka's own partitioner places it; several agents, so that no chance can pass for it."""
    names = _topics(kafka, "verdict.")
    client = FeedbackClient(kafka, names, clock=lambda: 1_500.0)
    agents = [f"agent-{number}" for number in range(6)]
    written = [client.verdict(_verdict(agent_id=agent, tenant="acme")) for agent in agents]
    assert [one.partition for one in written] == [partition_of(agent, 4) for agent in agents]
    consumer = Consumer({**kafka, "group.id": "verdicts"})
    consumer.assign([TopicPartition(names.feedback, written[0].partition, written[0].offset)])
    record = consumer.poll(WAIT_S)
    consumer.close()
    assert record is not None
    act = feedback_adapter.validate_json(record.value() or b"")
    assert isinstance(act, Verdict)
    assert (record.key(), act.kind, act.by, act.tenant, act.at) == (b"agent-0", "verdict", "kim", "acme", 1_500.0)


def test_a_release_lies_beside_the_events_of_its_agent(kafka: dict[str, Any]) -> None:
    """The same: librdkafka's own default would place it elsewhere."""
    client = FeedbackClient(kafka, _topics(kafka, "beside."))
    agents = [f"agent-{number}" for number in range(6)]
    placed = [client._write(client._act(ReleaseRequest(agent, "kim", "known job"), 1)).partition for agent in agents]
    assert placed == [partition_of(agent, 4) for agent in agents]


def test_whose_a_finding_is_stands_among_the_alerts(kafka: dict[str, Any]) -> None:
    """In three commands from alert to verdict nobody types an agent's id; what is no alert is passed over."""
    names = _topics(kafka, "whose.")
    alert = make("agent-7")
    producer = Producer(kafka)
    for value in (b"no alert of " + alert.finding_uid.encode(), encode(alert)):
        producer.produce(names.alerts, key=b"agent-7", value=value)
    producer.flush(WAIT_S)
    client = FeedbackClient(kafka, names)
    assert client.whose(alert.finding_uid) == ("agent-7", "acme")
    with pytest.raises(SetupError, match=r"finding of verdict must be one of an alert on whose\.agent\.alerts"):
        client.whose("0" * 32)


def test_a_kind_is_disabled_until_a_time_and_without_one_it_is_refused(kafka: dict[str, Any]) -> None:
    """For whom, until when: both are in the record."""
    client = FeedbackClient(kafka, _topics(kafka, "disable."))
    with pytest.raises(SetupError, match="until of a verdict must be there for disable"):
        client.verdict(_verdict(verdict="disable"))
    assert client.verdict(_verdict(verdict="disable", until=9_000.0, scope="group")).offset == 0


@pytest.mark.parametrize("finding", ["", "F" * 32, "f" * 31, "f" * 33])
def test_a_verdict_on_what_is_no_finding_is_refused(kafka: dict[str, Any], finding: str) -> None:
    """Said before anything is written."""
    client = FeedbackClient(kafka, TopicNames("nowhere.", "g"))
    with pytest.raises(SetupError, match="finding of verdict must be 32 hexadecimal digits"):
        client.verdict(_verdict(finding_uid=finding))


def test_a_verdict_without_a_name_is_refused(kafka: dict[str, Any]) -> None:
    """Somebody answers for it."""
    client = FeedbackClient(kafka, TopicNames("nowhere.", "g"))
    with pytest.raises(SetupError, match="by of verdict must be given and short"):
        client.verdict(_verdict(by=""))


def test_what_is_not_ours_on_the_policy_topic_is_passed_over(kafka: dict[str, Any]) -> None:
    """Tombstones and strangers' records."""
    names = _topics(kafka, "mixed.")
    for value in (b"not ours", None):
        _put(kafka, names.policy, "default/agent/agent-1", value)
    assert FeedbackClient(kafka, names).state_of("default/agent/agent-1") is None
    _stand(kafka, names, _state("agent-1", 3))
    found = FeedbackClient(kafka, names).state_of("default/agent/agent-1")
    assert found is not None
    assert found.revision == 3


def test_a_kafka_that_does_not_take_it_is_told() -> None:
    """Nobody listens there."""
    kafka = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "message.timeout.ms": 300}
    client = FeedbackClient(kafka, TopicNames("", "g"))
    with pytest.raises(DeliveryError, match="must reach Kafka, got Local: Message timed out; write it again"):
        client._write(client._act(ReleaseRequest("agent-1", "kim", "known job"), 1))


def test_a_topic_that_is_not_there_is_told(kafka: dict[str, Any]) -> None:
    """With the command that makes it."""
    with pytest.raises(SetupError, match=r"topic nowhere\.agent\.policy must be there, got .*run `detector topics`"):
        FeedbackClient(kafka, TopicNames("nowhere.", "g")).state_of("default/agent/agent-1")


def _release(bootstrap: str, prefix: str, *more: str) -> Result:
    command = ["release", "agent-1", "--by", "kim", "--reason", "known job", "--timeout", "0.5"]
    return CliRunner().invoke(app, [*command, "--bootstrap", bootstrap, "--topic-prefix", prefix, *more])


def test_the_exit_status_tells_a_script_what_its_help_says(kafka: dict[str, Any]) -> None:
    """1: nothing stood, there is nobody to wake; 3: written; 2, by the sentence of an error: it could not be asked."""
    bootstrap = kafka["bootstrap.servers"]
    names = _topics(kafka, "status.")
    nothing = _release(bootstrap, "status.")
    assert nothing.exit_code == 1
    assert "not released: agent agent-1 of tenant default must be in quarantine" in nothing.stderr
    _stand(kafka, names, _state("agent-1"))
    assert _release(bootstrap, "status.").exit_code == 3
    assert isinstance(_release(bootstrap, "status.", "--reason", "").exception, SetupError)
    text = CliRunner().invoke(app, ["release", "--help"]).stdout
    assert "1 not released, because nothing stood" in " ".join(text.split())
