"""What is asked for on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message

from detector.backfill.options import asked_of, opened, wanted_of, write
from detector.errors import SetupError
from detector.local.embedded import EmbeddedBroker
from tests.backfill.made import answer, read, result, second, use
from tests.backfill.made import write as put


def test_a_resource_is_said_as_at_the_agent() -> None:
    """Pairs with commas between, percent-encoded, again and again; the agent's id is one of them."""
    asked = asked_of("x/y", ["enduser.id=ada%20l, tenant=acme", "zone=eu"], True)
    assert asked.resource == {"enduser.id": "ada l", "tenant": "acme", "zone": "eu", "agent.id": "x/y"}
    assert asked.is_like_telemetry


@pytest.mark.parametrize("resource", ["tenant", "=acme", "tenant=", "a=b,tenant"])
def test_a_resource_that_is_no_pair_is_refused(resource: str) -> None:
    """A name without a value would be an agent under another name, without a sound."""
    with pytest.raises(SetupError, match="must be name=value"):
        asked_of(None, [resource], False)


def test_an_empty_agent_is_refused() -> None:
    """A variable of a script that was not set."""
    with pytest.raises(SetupError, match="agent-id"):
        asked_of("", [], False)


def test_times_need_a_zone_and_an_order() -> None:
    """What is wrong is named."""
    with pytest.raises(SetupError, match=r"since of backfill .* add the zone"):
        wanted_of("2026-03-02T10:00:00", None, [])
    with pytest.raises(SetupError, match="before until"):
        wanted_of(second(2), second(2), [])
    with pytest.raises(SetupError, match="within the years"):
        wanted_of(None, "1e300", [])
    wanted = wanted_of(second(1), "1772445602", [])
    assert wanted.since is not None
    assert wanted.until is not None
    assert (wanted.until - wanted.since).total_seconds() == 1


def test_known_events_are_read_as_they_are_and_as_explain_writes_them(tmp_path: Path) -> None:
    """Lines that are no events, such as records that became none, are passed over."""
    plain = put(tmp_path / "a", [{"event_id": "1"}, {"event_id": "2"}])
    told = put(tmp_path / "b", [{"record": 0, "event": {"event_id": "3"}}, {"record": 1, "event": None}, "x"])
    assert wanted_of(None, None, [plain, told]).known == {"1", "2", "3"}


def test_known_events_that_are_none_are_refused(tmp_path: Path) -> None:
    """A wrong file would let everything through."""
    with pytest.raises(SetupError, match="must hold events, one a line, got none"):
        wanted_of(None, None, [put(tmp_path / "a", [{"id": "1"}])])
    with pytest.raises(SetupError, match="that can be read"):
        wanted_of(None, None, [tmp_path / "gone"])


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    """A folder that is not there."""
    with pytest.raises(SetupError, match="out of backfill"), opened(tmp_path / "gone" / "x"):
        pytest.fail("it was opened")


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """Return a broker in this process."""
    with EmbeddedBroker() as running:
        yield running


@pytest.mark.integration
def test_events_reach_kafka_keyed_by_agent_in_the_order_of_time(broker: EmbeddedBroker, tmp_path: Path) -> None:
    """As the bridge writes them: a worker finds an agent's past in the partition of its present."""
    import msgspec

    events, _ = read(put(tmp_path / "a", [answer(1, use("t1")), result(2, "t1"), answer(3, key="m2")]))
    write((msgspec.json.encode(event) for event in events), broker.bootstrap, None, "acme.")
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["acme.agent.events"])
    found: list[Message] = []
    while len(found) < len(events):
        message = consumer.poll(10.0)
        assert message is not None, "the broker did not hand back what it acknowledged"
        assert message.error() is None
        found.append(message)
    consumer.close()
    assert {message.key() for message in found} == {b"claude-code"}
    assert [message.value() for message in found] == [msgspec.json.encode(event) for event in events]
