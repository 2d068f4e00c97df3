"""The registry on a real Kafka: seen by scoring at once, exact after kill -9, whole again from the topic."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer

from detector.local.kafka import free_port
from detector.offline.partition import partition_of
from detector.registry.changes import Stamp
from detector.registry.store import StandingEntries
from detector.registry.topic_store import TopicStore
from detector.registry.zones.changes import zones_changes_of
from detector.registry.zones.drafts import zones_draft_of
from detector.registry.zones.stores import apply_zones
from detector.registry.zones.topic_zones import TopicZones
from detector.schema.registry import RegistryEntry
from detector.worker.topics import create_topics, registry_log_specs
from tests.kafka.harness import Deployment, published, stream
from tests.kafka.test_controls import assert_equal_to_journaled_replay

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

EVENTS, DURABLE, DONE = 9_000, 4_000, 6_500
"""Events of the stream: all, those in a checkpoint before the crash, and those scored before it."""
VISIBLE_S = 2.0


def entry(agent: str, revision: int = 1, **more: object) -> tuple[bytes, bytes]:
    """Return an entry as it stands on the topic: an agent that may use one tool which it never uses."""
    body = {"agent_id": agent, "revision": revision, "at": 0.0, "by": "kim", "reason": "reviewed", "owner": "team"}
    found = RegistryEntry.model_validate({**body, "lifecycle": "active", "tools": ("nothing",), **more})
    return agent.encode(), found.model_dump_json(by_alias=True).encode()


def declare(deployed: Deployment, entries: Sequence[tuple[bytes, bytes]]) -> None:
    """Write entries as any producer does."""
    deployed.produce(entries, deployed.names.registry)


def _metric(port: int, name: str) -> float:
    """Return a metric, summed over its labels; 0 while nobody answers yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def _events(agent: str, first: int, count: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(first, first + count):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {"event_id": f"{agent}-{number}", "ts": at, "agent_id": agent, "kind": "tool_call", "name": "send"}
        yield agent.encode(), json.dumps({**body, "session_id": f"{agent}-{number}"}).encode()


def _told(deployed: Deployment) -> list[tuple[str, str]]:
    return [(one.agent_id, cause) for one in published(deployed) for cause in one.causes if "outside_grant" in cause]


def test_an_entry_is_seen_by_scoring_within_two_seconds(deployed: Deployment) -> None:
    """From the producer's acknowledgement to the metric; what is no entry is a dead letter with its reason."""
    port = free_port()
    worker = deployed.start(listen_port=str(port))
    deployed.produce(_events("a-1", 0, 3))
    deployed.until_done()
    applied = 'detector_controls_total{kind="registry",outcome="applied"}'
    waits = []
    for revision in range(1, 6):
        declare(deployed, [entry("a-1", revision)])
        begun = time.monotonic()
        deployed.until(lambda revision=revision: _metric(port, applied) >= revision, "the entry")  # type: ignore[misc]
        waits.append(time.monotonic() - begun)
    assert max(waits) < VISIBLE_S, waits
    deployed.produce(_events("a-1", 3, 1))
    deployed.until(lambda: _told(deployed) == [("a-1", "rule.outside_grant/tool")], "the finding")
    key, other = entry("a-2")
    declare(deployed, [entry("a-1", 2), (b"a-1", other), (b"a-1", b"{"), (key, other[:-1] + b',"tenant":"x"}')])
    deployed.until(lambda: len(list(deployed.read(deployed.names.deadletter))) == 3, "dead letters")
    reasons = {one.headers["reason"].decode() for one in deployed.read(deployed.names.deadletter)}
    assert reasons == {"registry_outdated", "registry_key_mismatch", "bad_registry"}
    assert deployed.stop(worker) == 0, deployed.logs()


def test_a_removed_entry_is_gone_also_for_who_comes_later(deployed: Deployment) -> None:
    """A record without a value takes an entry out: the checkpoint of the next worker does not have it."""
    port = free_port()
    worker = deployed.start(listen_port=str(port))
    declare(deployed, [entry(f"a-{number}") for number in range(20)])
    applied = 'detector_controls_total{kind="registry",outcome="applied"}'
    deployed.until(lambda: _metric(port, applied) == 20, "twenty entries")
    producer = Producer({**deployed.client, "partitioner": "murmur2_random"})
    producer.produce(deployed.names.registry, None, b"a-7")
    assert producer.flush(30) == 0
    deployed.until(lambda: _metric(port, 'detector_counts_total{name="registry_removed"}') == 1, "the removal")
    assert deployed.stop(worker) == 0, deployed.logs()
    port = free_port()
    again = deployed.start(listen_port=str(port), checkpoint_interval_s="1")
    deployed.produce(_events("a-1", 0, 1))
    deployed.until(lambda: _told(deployed) == [("a-1", "rule.outside_grant/tool")], "what the old checkpoint knew")
    declare(deployed, [entry("a-1", 2)])
    deployed.until(lambda: _metric(port, applied) == 1, "one entry more, and none of the old ones again")
    assert deployed.stop(again) == 0, deployed.logs()


def test_zones_are_held_against_the_agents_of_every_partition_after_a_kill_too(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the command writes them; killed behind it, a worker knows them again; a replay of the journal is the same."""
    port = free_port()
    worker = deployed.start(listen_port=str(port), checkpoint_interval_s="3600")
    create_topics(deployed.client, registry_log_specs(deployed.names))
    table = {"zones": [{"name": "front", "members": ["a-*"]}, {"name": "back", "members": ["b-*"]}], "crossings": []}
    store = TopicZones(deployed.client, deployed.names)
    deployed.until(lambda: _metric(port, "detector_partitions") == deployed.partitions, "the partitions")
    assert apply_zones(store, zones_changes_of([zones_draft_of(table)], {}), Stamp(time.time(), "kim", "drawn")) == []
    assert (store.read().behind, TopicStore(deployed.client, deployed.names).read()) == ({}, StandingEntries({}, 0))
    applied = 'detector_counts_total{name="zones_applied"}'
    deployed.until(lambda: _metric(port, applied) == deployed.partitions, "the zones in every partition")
    before, after = (_one_of_each(deployed.partitions, first) for first in (0, 500))
    events = [one for agent in before for one in _crossings(agent)]
    deployed.produce(events)
    wanted = [(agent, "rule.zone_crossing/front>back") for agent in before]
    deployed.until(lambda: _zoned(deployed) == {*wanted}, "a finding of each partition")
    worker.kill()
    worker.wait()
    again = deployed.start()
    later = [one for agent in after for one in _crossings(agent)]
    deployed.produce(later)
    wanted += [(agent, "rule.zone_crossing/front>back") for agent in after]
    deployed.until(lambda: _zoned(deployed) == {*wanted}, "what the journal knew")
    assert deployed.stop(again) == 0, deployed.logs()
    assert not list(deployed.read(deployed.names.deadletter))
    assert_equal_to_journaled_replay(deployed, [*events, *later], monkeypatch, tmp_path, verdicts=0)


def _one_of_each(partitions: int, first: int) -> list[str]:
    """Return an agent of each partition."""
    names = [f"a-{number}" for number in range(first, first + 500)]
    return [next(name for name in names if partition_of(name, partitions) == one) for one in range(partitions)]


def _crossings(agent: str) -> Iterator[tuple[bytes, bytes]]:
    for key, value in _events(agent, 0, 1):
        yield key, json.dumps({**json.loads(value), "peer_agent_id": "b-1"}).encode()


def _zoned(deployed: Deployment) -> set[tuple[str, str]]:
    return {(one.agent_id, cause) for one in published(deployed) for cause in one.causes if "zone_crossing" in cause}


def test_a_partition_that_starts_cold_reads_the_whole_registry_again(deployed: Deployment) -> None:
    """State of another seed is not continued: what is declared comes from the topic, from its first record."""
    first = deployed.start()
    declare(deployed, [entry(f"a-{number}") for number in range(20)])
    deployed.until(lambda: deployed.behind(deployed.names.registry) == 0, "the registry")
    assert deployed.stop(first) == 0, deployed.logs()
    port = free_port()
    cold = deployed.start(listen_port=str(port), seed="7")
    applied = 'detector_controls_total{kind="registry",outcome="applied"}'
    deployed.until(lambda: _metric(port, applied) == 20, "the whole registry again", 120.0)
    assert deployed.stop(cold) == 0, deployed.logs()


@pytest.mark.data
@pytest.mark.chaos("kill -9 between an entry of the registry and its events")
def test_after_kill_9_entries_stand_where_the_journal_put_them(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Alerts and state in the end are those of `replay --controls --journal`, byte for byte."""
    events = stream(EVENTS)
    agents = sorted({(key or b"").decode() for key, _ in events[:DURABLE]})
    first = deployed.start()
    deployed.produce(events[:DURABLE])
    deployed.until_done()
    declare(deployed, [entry(agent) for agent in agents[::2]])
    wanted = len({partition_of(agent, deployed.partitions) for agent in agents[::2]})
    deployed.until(lambda: _journaled(deployed) >= wanted, "entries of the journal")
    assert deployed.stop(first) == 0, deployed.logs()
    # this one makes no checkpoint: what it does is in the journal only
    second = deployed.start(checkpoint_interval_s="3600")
    before = _journaled(deployed)
    deployed.produce(events[DURABLE:DONE])
    declare(deployed, [entry(agent, 2, criticality="critical") for agent in agents[::2]])
    deployed.until(lambda: _journaled(deployed) > before, "an entry behind the checkpoint")
    second.kill()
    second.wait()
    # the topic is compacted, as far as a test can make it so: the journal has what took effect
    declare(deployed, [entry(agent, 3, tools=("*",)) for agent in agents[::2]])
    deployed.produce(events[DONE:])
    third = deployed.start()
    deployed.until_done()
    deployed.until(lambda: deployed.behind(deployed.names.registry) == 0, "the whole registry")
    assert deployed.stop(third) == 0, deployed.logs()
    assert _told(deployed)
    assert not list(deployed.read(deployed.names.deadletter))
    assert_equal_to_journaled_replay(deployed, events, monkeypatch, tmp_path, verdicts=0)


def _journaled(deployed: Deployment) -> int:
    return sum((one.key or b"").startswith(b"journal#") for one in deployed.read(deployed.names.state))
