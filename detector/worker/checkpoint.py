"""Checkpoints of one input partition: shards in two alternating slots and a manifest with the input offset.

The manifest is written only after every shard and every output was acknowledged. It names, for each shard, the slot
and the epoch it consists of, and the offset the state stands for: state and offset are one fact, without Kafka
transactions. A crash between two writes leaves the previous manifest, and the slots it names, untouched.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from detector.errors import StateError
from detector.schema.control import JournalEntry
from detector.worker.envelope import Place, seal, unseal
from detector.worker.journal import PREFIX, Ring, after, newer, next_number, seal_entry, slot_of
from detector.worker.log_reader import read_to_end

MANIFEST = "manifest"
PUBLIC_KEY = b"agent-behaviour-detector"
"""Without ``state_key`` the digest finds accidents, not forgers; the documentation says so."""

Send = Callable[[str, bytes, bytes, int], Awaitable[Awaitable[Any]]]
"""Topic, key, value, partition; the outer await hands over, the inner one is the acknowledgement."""


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """Where one shard of a manifest lies, and in which epoch it was written."""

    epoch: int
    slot: int


class Manifest(msgspec.Struct, frozen=True):
    """What a checkpoint consists of.

    Attributes
    ----------
    epoch : int
        Number of the checkpoint; 0 means there is none yet.
    offset : int
        Next input offset: every record before it is contained in the state.
    shards : dict
        Shard name to its slot.
    fingerprint : str
        Profile and seed the state was learnt with; state of others is not continued.
    poison : dict
        Offset of each record left out within the last hour because it breaks the pipeline, and when (epoch seconds).
    next_control : int
        Next offset of the control topic: every control before it is contained in the state; 0 if none is known.
    sequence : int
        First number of the journal that the state does not contain.
    next_registry : int
        As `next_control`, of the registry's topic.
    """

    epoch: int = 0
    offset: int = 0
    shards: dict[str, Slot] = {}
    fingerprint: str = ""
    poison: dict[int, float] = {}
    next_control: int = 0
    sequence: int = 0
    next_registry: int = 0


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the topic holds for one partition.

    Attributes
    ----------
    manifest : Manifest
        The newest one; epoch 0 if there is none or it was refused.
    shards : dict
        Verified payload of each shard the manifest names; empty if one of them was refused.
    refusal : str or None
        Why the state restarts cold although there was some.
    journal : tuple of JournalEntry
        Controls that took effect after the state was written, in order.
    """

    manifest: Manifest
    shards: dict[str, bytes]
    refusal: str | None = None
    journal: tuple[JournalEntry, ...] = ()


def key_of(secret: str | None, group: str) -> bytes:
    """Return the digest key (32 bytes) of a group; a public one without a secret."""
    material = secret.encode() if secret else PUBLIC_KEY
    return hashlib.blake2b(group.encode(), key=material[:64], digest_size=32).digest()


class CheckpointStore:
    """Writes and reads the checkpoints of a group.

    Parameters
    ----------
    topic : str
        ``<group>.state``; partition ``p`` of it belongs to partition ``p`` of the events.
    group : str
        Consumer group, part of every digest.
    key : bytes
        Key of the digests.
    send : callable
        Hands one record to the producer.
    """

    def __init__(self, topic: str, group: str, key: bytes, send: Send) -> None:
        self.topic, self.group, self.key, self._send = topic, group, key, send

    async def save(self, partition: int, previous: Manifest, new: Manifest, blobs: Mapping[str, bytes]) -> Manifest:
        """Return the manifest that is now durable.

        Parameters
        ----------
        partition : int
            Input partition.
        previous : Manifest
            What is durable now.
        new : Manifest
            Epoch, offset and fingerprint to write; its shards are filled in here.
        blobs : mapping
            Shards that changed since ``previous``; an empty one is dropped from the state. All outputs up to the offset
            must have been acknowledged.
        """
        slots = dict(previous.shards)
        acknowledgements = []
        for shard, payload in blobs.items():
            if not payload:
                slots.pop(shard, None)
                continue
            before = slots.get(shard)
            slot = 1 - before.slot if before else 0  # never the slot the durable manifest names
            slots[shard] = Slot(new.epoch, slot)
            blob = await asyncio.to_thread(seal, self.key, Place(self.group, partition, shard), new.epoch, payload)
            acknowledgements.append(await self._send(self.topic, f"{shard}#{slot}".encode(), blob, partition))
        await asyncio.gather(*acknowledgements)
        manifest = msgspec.structs.replace(new, shards=slots)
        place = Place(self.group, partition, MANIFEST)
        blob = seal(self.key, place, new.epoch, msgspec.json.encode(manifest))
        await (await self._send(self.topic, MANIFEST.encode(), blob, partition))
        return manifest

    async def journal(self, entry: JournalEntry) -> None:
        """Return once an entry of the journal is acknowledged."""
        ring = Ring(self.key, self.group, entry.partition)
        blob = seal_entry(ring, entry)
        await (await self._send(self.topic, slot_of(entry.sequence), blob, entry.partition))

    async def load(self, partitions: list[int], client: Mapping[str, Any]) -> dict[int, Remembered]:
        """Return what is remembered of each partition, every byte verified.

        Parameters
        ----------
        partitions : list of int
            Input partitions.
        client : mapping
            Settings of an aiokafka client.
        """
        newest: dict[int, dict[bytes, bytes]] = {partition: {} for partition in partitions}
        async for record in read_to_end(self.topic, partitions, client):
            held = newest[record.partition]
            if record.value is None:
                held.pop(record.key, None)
            elif record.key.startswith(PREFIX):
                ring = Ring(self.key, self.group, record.partition)
                held[record.key] = newer(ring, record.key, held.get(record.key), record.value)
            else:
                held[record.key] = record.value
        return {partition: self._verified(partition, held) for partition, held in newest.items()}

    def _verified(self, partition: int, held: Mapping[bytes, bytes]) -> Remembered:
        """Return state and journal; if the journal is refused, so is the state: it is not what was sent out."""
        found = self._state(partition, held)
        manifest = found.manifest
        is_unknown = found.refusal is not None and not manifest.epoch
        try:
            ring = Ring(self.key, self.group, partition)
            journal = () if is_unknown else after(ring, held, manifest.sequence, manifest.offset)
        except StateError as exc:
            found, is_unknown = Remembered(manifest, {}, found.refusal or str(exc)), True
            journal = ()
        if is_unknown:
            # numbers go on, so that no entry of the refused journal is taken for one of the new
            manifest = msgspec.structs.replace(manifest, sequence=next_number(held))
        return Remembered(manifest, found.shards, found.refusal, journal)

    def _state(self, partition: int, held: Mapping[bytes, bytes]) -> Remembered:
        blob = held.get(MANIFEST.encode())
        if blob is None:
            return Remembered(Manifest(), {})
        try:
            payload = unseal(self.key, Place(self.group, partition, MANIFEST), blob).payload
            manifest = msgspec.json.decode(payload, type=Manifest)
        except (StateError, msgspec.MsgspecError) as exc:
            return Remembered(Manifest(), {}, str(exc))
        try:
            shards = {name: self._shard(partition, name, slot, held) for name, slot in manifest.shards.items()}
        except StateError as exc:
            return Remembered(manifest, {}, str(exc))
        return Remembered(manifest, shards)

    def _shard(self, partition: int, name: str, slot: Slot, held: Mapping[bytes, bytes]) -> bytes:
        blob = held.get(f"{name}#{slot.slot}".encode(), b"")
        opened = unseal(self.key, Place(self.group, partition, name), blob)
        if opened.epoch != slot.epoch:
            raise StateError(
                f"epoch of shard {name} of partition {partition} must be {slot.epoch}, got {opened.epoch}: "
                "it restarts cold from here"
            )
        return opened.payload
