"""The inventory of a deployment: `agent.registry`, and its log `agent.registry.log`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from confluent_kafka import Producer
from pydantic import BaseModel, ValidationError

from detector.errors import DeliveryError
from detector.registry.drafts import record_of
from detector.registry.log import ChangeRecord
from detector.registry.store import StandingEntries
from detector.schema.registry import RegistryEntry
from detector.schema.topics import TopicNames
from detector.schema.zones import tenant_of_key
from detector.views.reading import TopicReader

Wire = TypeVar("Wire", bound=BaseModel)
WAIT_S: Final = 30.0


class TopicStore:
    """Reads and writes the inventory on Kafka.

    A revision counts if it is higher than what stands: of two records with one revision the first one counts, for us as
    for the workers, so who lost is told.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Names of the deployment.
    """

    def __init__(self, kafka: Mapping[str, Any], names: TopicNames) -> None:
        self._kafka = dict(kafka)
        self._names = names

    @property
    def place(self) -> str:
        """The topic's name."""
        return self._names.registry

    def read(self) -> StandingEntries:
        """Return what stands; records that are no entry, or lie under another agent's key, are counted.

        Raises
        ------
        SetupError
            The topic cannot be read.
        """
        entries: dict[str, RegistryEntry] = {}
        refused = 0
        with TopicReader(self._kafka, self._names.registry) as reader:
            for record in reader.to_the_end():
                if tenant_of_key(record.key) is not None:
                    continue  # zones: `detector registry zones`
                if not record.value:
                    entries.pop(record.key.decode("utf-8", "replace"), None)
                    continue
                try:
                    entry = RegistryEntry.model_validate_json(record.value)
                except ValidationError:
                    refused += 1
                    continue
                if entry.agent_id.encode() != record.key:
                    refused += 1
                elif entry.agent_id not in entries or entry.revision > entries[entry.agent_id].revision:
                    entries[entry.agent_id] = entry
        return StandingEntries(entries, refused)

    def log(self) -> list[ChangeRecord]:
        """Return the changes on the log; what is none is left out, and shows as a gap.

        Raises
        ------
        SetupError
            The topic is not there: changes without a log are not made.
        """
        return changes_on(self._kafka, self._names.registry_log, ChangeRecord)

    def write(self, entries: Sequence[RegistryEntry], records: Sequence[ChangeRecord]) -> None:
        """Write the log and wait for it, then the entries.

        Raises
        ------
        DeliveryError
            Kafka did not take one of them; it says how far it came.
        """
        logged = [Outgoing(one.agent_id.encode(), one.model_dump_json(by_alias=True).encode()) for one in records]
        send(self._kafka, self._names.registry_log, logged)
        written = [Outgoing(one.agent_id.encode(), record_of(one)) for one in entries]
        send(self._kafka, self._names.registry, written)


def changes_on(kafka: Mapping[str, Any], topic: str, kind: type[Wire]) -> list[Wire]:
    """Return the changes of one kind on a log, in order; what is none is left out.

    Raises
    ------
    SetupError
        The topic cannot be read.
    """
    found = []
    with TopicReader(kafka, topic) as reader:
        for record in reader.to_the_end():
            try:
                found.append(kind.model_validate_json(record.value))
            except ValidationError:
                continue
    return found


class Outgoing(NamedTuple):
    """A record to be written; `partition` -1: where its key belongs."""

    key: bytes
    value: bytes
    partition: int = -1


def send(kafka: Mapping[str, Any], topic: str, records: Sequence[Outgoing]) -> None:
    """Write records and wait until Kafka has taken all of them.

    Raises
    ------
    DeliveryError
        It did not take one; the error says how far it came.
    """
    # as Java's producers place keys, so that an entry lies beside the agent's events
    own = {"message.timeout.ms": int(WAIT_S * 1_000), "partitioner": "murmur2_random", "enable.idempotence": True}
    producer = Producer({**own, **kafka, "acks": "all"})
    faults: list[str] = []
    taken = 0

    def heard(error: Any, _: Any) -> None:  # noqa: ANN401 - untyped C classes
        nonlocal taken
        if error is None:
            taken += 1
        else:
            faults.append(error.str())

    for key, value, partition in records:
        _put(producer, partial(producer.produce, topic, value, key, partition, heard))
    producer.flush(WAIT_S + 5.0)
    if taken < len(records):
        fault = faults[0] if faults else "no acknowledgement"
        told = f"{taken} of {len(records)} records on {topic} were taken"
        raise DeliveryError(f"changes must reach Kafka, got {fault}: {told}; apply the file again", 5.0)


def _put(producer: Any, produce: Callable[[], None]) -> None:  # noqa: ANN401 - untyped C classes
    """Hand over one record, waiting where the client's buffer is full."""
    while True:
        try:
            produce()
        except BufferError:
            producer.poll(1.0)
        else:
            producer.poll(0)
            return
