"""A checkpoint is one fact: whatever write is missing, what is read back is a whole earlier one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.worker import checkpoint
from detector.worker.checkpoint import CheckpointStore, Manifest, Remembered, key_of


class Topic:
    """A compacted partition that loses everything after a number of writes."""

    def __init__(self) -> None:
        self.log: list[tuple[bytes, bytes]] = []

    async def send(self, topic: str, key: bytes, value: bytes, partition: int) -> Awaitable[Any]:
        self.log.append((key, value))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def held(self, writes: int) -> dict[bytes, bytes]:
        return dict(self.log[:writes])


def _store(topic: Topic, secret: str | None = None) -> CheckpointStore:
    return CheckpointStore("g.state", "g", key_of(secret, "g"), topic.send)


def _write(topic: Topic, rounds: list[dict[str, bytes]]) -> list[tuple[int, Manifest, dict[str, bytes]]]:
    """Write checkpoints; return after how many writes each was whole, its manifest, and the state it stands for."""

    async def run() -> list[tuple[int, Manifest, dict[str, bytes]]]:
        store, manifest = _store(topic), Manifest()
        state: dict[str, bytes] = {}
        facts: list[tuple[int, Manifest, dict[str, bytes]]] = [(0, manifest, state)]
        for number, blobs in enumerate(rounds, start=1):
            manifest = await store.save(0, manifest, Manifest(number, number * 100), blobs)
            state = {name: blob for name, blob in {**state, **blobs}.items() if blob}  # an empty shard is dropped
            facts.append((len(topic.log), manifest, state))
        return facts

    return asyncio.run(run())


shard_rounds = st.lists(
    st.dictionaries(st.sampled_from(["agents-0", "agents-1", "peers"]), st.binary(max_size=40), max_size=3),
    min_size=1,
    max_size=6,
)


@given(rounds=shard_rounds)
@settings(max_examples=60, deadline=None)
def test_a_crash_between_any_two_writes_leaves_the_last_whole_checkpoint(rounds: list[dict[str, bytes]]) -> None:
    """Cut the log after each write: state and offset are those of one checkpoint, never a mixture."""
    topic = Topic()
    facts = _write(topic, rounds)
    for writes in range(len(topic.log) + 1):
        _, manifest, state = next(fact for fact in reversed(facts) if fact[0] <= writes)
        assert _store(topic)._verified(0, topic.held(writes)) == Remembered(manifest, state)


def test_a_damaged_shard_makes_the_partition_cold_and_keeps_the_offset() -> None:
    """State is refused whole, said aloud, and reading goes on where it stood."""
    topic = Topic()
    _write(topic, [{"agents-0": b"one", "peers": b"two"}])
    held = topic.held(len(topic.log))
    held[b"peers#0"] = held[b"peers#0"][:-1] + b"x"
    remembered = _store(topic)._verified(0, held)
    assert remembered.shards == {}
    assert remembered.manifest.offset == 100
    assert "peers" in (remembered.refusal or "")


def test_a_shard_rolled_back_to_an_older_epoch_is_refused() -> None:
    """An old blob of the same shard and slot does not pass for the new one."""
    topic = Topic()
    _write(topic, [{"peers": b"first"}, {"peers": b"second"}, {"peers": b"third"}])
    held = topic.held(len(topic.log))
    held[b"peers#0"] = topic.log[0][1]  # of epoch 1; the manifest names slot 0 of epoch 3
    assert "epoch" in (_store(topic)._verified(0, held).refusal or "")


@pytest.mark.parametrize("secret", [None, "another"])
def test_a_manifest_under_another_key_is_refused(secret: str | None) -> None:
    """Neither manifest nor shards are taken from somebody without the key."""
    topic = Topic()
    asyncio.run(_store(topic, "secret").save(0, Manifest(), Manifest(1, 100), {"peers": b"x"}))
    assert _store(topic, secret)._verified(0, topic.held(2)).refusal is not None
    assert _store(topic, "secret")._verified(0, topic.held(2)).shards == {"peers": b"x"}


def test_an_empty_topic_is_no_refusal() -> None:
    """A partition seen for the first time starts without complaint."""
    assert _store(Topic())._verified(0, {}) == Remembered(Manifest(), {})


def test_a_tombstone_takes_away_what_stood_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compaction comes when it likes: until then the log holds both."""
    topic = Topic()
    facts = _write(topic, [{"agents-0": b"one"}])
    records = [SimpleNamespace(partition=0, key=key, value=value) for key, value in topic.log]
    gone = [
        SimpleNamespace(partition=0, key=b"junk", value=b"old"),
        SimpleNamespace(partition=0, key=b"junk", value=None),
    ]

    async def read(*_: object) -> AsyncIterator[SimpleNamespace]:
        for record in [*gone, *records]:
            yield record

    asked: list[dict[bytes, bytes]] = []
    verified = CheckpointStore._verified

    def spy(store: CheckpointStore, partition: int, held: dict[bytes, bytes]) -> Remembered:
        asked.append(dict(held))
        return verified(store, partition, held)

    monkeypatch.setattr(checkpoint, "read_to_end", read)
    monkeypatch.setattr(CheckpointStore, "_verified", spy)
    loaded = asyncio.run(_store(topic).load([0], {}))
    assert loaded[0] == Remembered(facts[-1][1], facts[-1][2])
    assert [b"junk" in held for held in asked] == [False]
