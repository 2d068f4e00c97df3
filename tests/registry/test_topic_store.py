"""The inventory on a real broker: revisions, tombstones, other people's records, and two hands at once."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Producer

from detector.errors import SetupError
from detector.registry.changes import Stamp, changes_of
from detector.registry.drafts import record_of
from detector.registry.log import faults_of
from detector.registry.store import apply
from detector.registry.topic_store import TopicStore
from detector.schema.topics import TopicNames
from detector.worker.topics import TopicSpec, create_topics, registry_log_specs
from tests.registry.inventory import draft, entry

pytestmark = pytest.mark.kafka
STAMP = Stamp(1_772_442_847.25, "ada", "first")


@pytest.fixture
def names(kafka: Any, group: str) -> TopicNames:
    """Return the names of a deployment with an empty inventory."""
    found = TopicNames(f"{group}.")
    specs = [TopicSpec(found.registry, 2, {"cleanup.policy": "compact"}), *registry_log_specs(found)]
    _make(kafka, specs)
    return found


def _make(kafka: Any, specs: list[TopicSpec]) -> None:
    """Make topics, and wait until each partition has a leader: it has taken a record, the removal of nobody."""
    create_topics({"bootstrap.servers": kafka.bootstrap}, specs)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for spec in specs:
        for partition in range(spec.partitions):
            producer.produce(spec.name, key=b"nobody", value=None, partition=partition)
    assert producer.flush(60.0) == 0


def _put(kafka: Any, topic: str, key: str, value: bytes | None) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "partitioner": "murmur2_random"})
    producer.produce(topic, key=key.encode(), value=value)
    assert producer.flush(10.0) == 0


def test_what_is_applied_stands_and_is_logged(kafka: Any, names: TopicNames) -> None:
    """A second file made from it is the next revision; the log vouches for what stands."""
    store = TopicStore({"bootstrap.servers": kafka.bootstrap}, names)
    drafts = [draft(f"a-{n}") for n in range(20)]
    assert apply(store, changes_of(drafts, store.read().entries), STAMP) == []
    assert apply(store, changes_of([draft("a-3", 1, tools=[])], store.read().entries), STAMP) == []
    stands = store.read()
    assert (len(stands.entries), stands.refused, stands.entries["a-3"].revision) == (20, 0, 2)
    assert faults_of(store.log(), stands.entries) == []


def test_older_forged_and_foreign_records_do_not_count(kafka: Any, names: TopicNames) -> None:
    """An older revision, the same one again, an entry under another's key, and bytes that are none."""
    store = TopicStore({"bootstrap.servers": kafka.bootstrap}, names)
    apply(store, changes_of([draft()], {}), STAMP)
    apply(store, changes_of([draft(revision=1, tools=["read"])], store.read().entries), STAMP)
    for value in (record_of(entry(revision=1, tools=("*",))), record_of(entry(revision=2, tools=("*",))), b"{}"):
        _put(kafka, names.registry, "a-1", value)
    _put(kafka, names.registry, "a-2", record_of(entry(revision=9, tools=("*",))))
    stands = store.read()
    assert stands.entries["a-1"].tools == ("read",)
    assert (list(stands.entries), stands.refused) == (["a-1"], 2)


def test_the_slower_of_two_is_told_whose_change_stands(kafka: Any, names: TopicNames) -> None:
    """Kafka takes both; the first one counts, and the log shows both."""
    store = TopicStore({"bootstrap.servers": kafka.bootstrap}, names)
    apply(store, changes_of([draft()], {}), STAMP)
    stood = store.read().entries
    mine, theirs = (changes_of([draft(revision=1, owner=who)], stood) for who in ("eve", "bob"))
    assert apply(store, theirs, STAMP._replace(by="bob")) == []
    assert apply(store, mine, STAMP._replace(by="eve")) == ["a-1: revision 2 by bob stands"]
    assert any("stands twice, by bob and eve" in fault for fault in faults_of(store.log(), store.read().entries))


def test_an_entry_that_was_removed_does_not_stand(kafka: Any, names: TopicNames) -> None:
    """A tombstone takes it away, and the log says that it did not go by the desk."""
    store = TopicStore({"bootstrap.servers": kafka.bootstrap}, names)
    apply(store, changes_of([draft()], {}), STAMP)
    _put(kafka, names.registry, "a-1", None)
    assert store.read().entries == {}
    assert any("does not stand" in fault for fault in faults_of(store.log(), {}))


def test_without_a_log_nothing_is_changed(kafka: Any, group: str) -> None:
    """A change that nobody can look up is not made."""
    names = TopicNames(f"{group}.")
    _make(kafka, [TopicSpec(names.registry, 1, {})])
    store = TopicStore({"bootstrap.servers": kafka.bootstrap}, names)
    with pytest.raises(SetupError, match=r"agent\.registry\.log must be there"):
        apply(store, changes_of([draft()], {}), STAMP)
    assert store.read().entries == {}
