"""Zones on a real broker: in every partition, beside entries, other people's records, and two hands at once."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Producer

from detector.registry.changes import Stamp
from detector.registry.topic_store import TopicStore
from detector.registry.zones.changes import zones_changes_of, zones_faults_of
from detector.registry.zones.drafts import zones_record_of
from detector.registry.zones.stores import apply_zones
from detector.registry.zones.topic_zones import TopicZones
from detector.schema.topics import TopicNames
from detector.schema.zones import zones_key
from detector.worker.topics import TopicSpec, create_topics, registry_log_specs
from tests.registry.zones.declared import declaration, zones_draft

pytestmark = pytest.mark.kafka
STAMP = Stamp(1_772_442_847.25, "ada", "first")
PARTITIONS = 3


@pytest.fixture
def names(kafka: Any, group: str) -> TopicNames:
    """Return the names of a deployment without zones."""
    found = TopicNames(f"{group}.")
    specs = [TopicSpec(found.registry, PARTITIONS, {"cleanup.policy": "compact"}), *registry_log_specs(found)]
    create_topics({"bootstrap.servers": kafka.bootstrap}, specs)
    for spec in specs:  # each partition has a leader once it has taken a record
        for partition in range(spec.partitions):
            _put(kafka, spec.name, b"nobody", None, partition)
    return found


def _put(kafka: Any, topic: str, key: bytes, value: bytes | None, partition: int) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(topic, key=key, value=value, partition=partition)
    assert producer.flush(60.0) == 0


def _store(kafka: Any, names: TopicNames) -> TopicZones:
    return TopicZones({"bootstrap.servers": kafka.bootstrap}, names)


def test_zones_stand_in_every_partition_and_are_logged(kafka: Any, names: TopicNames) -> None:
    """The inventory beside them counts none of them as its own, nor as refused."""
    store = _store(kafka, names)
    assert apply_zones(store, zones_changes_of([zones_draft(), zones_draft(tenant="t/1")], {}), STAMP) == []
    changes = zones_changes_of([zones_draft(1, crossings=[])], store.read().declared)
    assert apply_zones(store, changes, STAMP._replace(by="bob")) == []
    stands = store.read()
    assert {tenant: one.revision for tenant, one in stands.declared.items()} == {"default": 2, "t/1": 1}
    assert (stands.behind, stands.refused) == ({}, 0)
    assert zones_faults_of(store.log(), stands.declared) == []
    inventory = TopicStore({"bootstrap.servers": kafka.bootstrap}, names)
    assert (inventory.read().entries, inventory.read().refused, inventory.log()) == ({}, 0, [])


def test_a_partition_that_lacks_zones_is_told_and_mended(kafka: Any, names: TopicNames) -> None:
    """Taken out of one, older and foreign ones in others: applying what stands writes it again."""
    store = _store(kafka, names)
    apply_zones(store, zones_changes_of([zones_draft()], {}), STAMP)
    stands = store.read().declared["default"]
    key = zones_key("default")
    _put(kafka, names.registry, key, None, 1)
    _put(kafka, names.registry, key, zones_record_of(declaration(1, crossings=[])), 0)
    _put(kafka, names.registry, key, zones_record_of(declaration(9, tenant="other")), 2)
    _put(kafka, names.registry, key, b"{}", 2)
    found = store.read()
    assert (found.declared, found.behind, found.refused) == ({"default": stands}, {"default": [1]}, 2)
    assert apply_zones(store, zones_changes_of([zones_draft()], found.declared), STAMP) == []
    assert (store.read().declared, store.read().behind) == ({"default": stands}, {})
    assert len(store.log()) == 1


def test_of_two_that_write_at_once_both_see_that_partitions_differ(kafka: Any, names: TopicNames) -> None:
    """The next revision makes them equal."""
    store = _store(kafka, names)
    apply_zones(store, zones_changes_of([zones_draft()], {}), STAMP)
    theirs = zones_draft(crossings=[]).declared.model_copy(update={"revision": 2, "by": "bob"})
    (mine,) = zones_changes_of([zones_draft(1, zones=[], crossings=[])], store.read().declared)
    _put(kafka, names.registry, zones_key("default"), zones_record_of(theirs), 0)  # his comes first to one partition
    lost = apply_zones(store, [mine], STAMP)
    assert lost == ["default: revision 2 by bob stands, and not in partitions 1, 2"]
    changes = zones_changes_of([zones_draft(2, zones=[], crossings=[])], store.read().declared)
    assert apply_zones(store, changes, STAMP) == []
    assert (store.read().declared["default"].revision, store.read().behind) == (3, {})
