"""The journal of a deployment as files: what a replay needs to let controls take effect where the worker did."""

from __future__ import annotations

from collections.abc import AsyncIterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from detector.errors import SetupError, StateError
from detector.schema.control import JournalEntry
from detector.worker.checkpoint import key_of
from detector.worker.journal import PREFIX, Ring, entries_of, newer
from detector.worker.log_reader import read_to_end

JOURNAL = "journal.ndjson"
CONTROLS = "controls.ndjson"


class Exported(NamedTuple):
    """What was found.

    Parameters
    ----------
    entries : list of JournalEntry
        By partition, then in order.
    refused : int
        Entries that cannot be trusted: damaged, or written with another key.
    """

    entries: list[JournalEntry]
    refused: int

    @property
    def cut(self) -> list[int]:
        """Partitions whose first entries were overwritten: the ring keeps the last 1,024."""
        firsts = {entry.partition: entry.sequence for entry in reversed(self.entries)}
        return sorted(partition for partition, sequence in firsts.items() if sequence)


async def read_journal(topic: str, group: str, secret: str | None, client: Mapping[str, Any]) -> Exported:
    """Return the journal of every partition as it stands on the state topic.

    Parameters
    ----------
    topic, group : str
        ``<group>.state`` and the group, which is part of every digest.
    secret : str, optional
        ``state_key`` of the workers.
    client : mapping
        Settings of an aiokafka client.

    Raises
    ------
    SetupError
        The broker does not answer, or nothing stands on the topic.
    """
    from aiokafka.errors import KafkaError

    try:
        return await journal_in(read_to_end(topic, None, client), group, key_of(secret, group), topic)
    except KafkaError as exc:
        bootstrap = client.get("bootstrap_servers")
        message = f"bootstrap of the settings must be brokers that answer, got {bootstrap} ({type(exc).__name__})"
        raise SetupError(f"{message}: check the address, rights and password") from exc


async def journal_in(records: AsyncIterable[Any], group: str, key: bytes, topic: str) -> Exported:
    """Return the journal among the records of a state topic."""
    held: dict[int, dict[bytes, bytes]] = {}
    is_empty = True
    async for record in records:
        is_empty = False
        if record.key and record.key.startswith(PREFIX) and record.value:
            slots = held.setdefault(record.partition, {})
            ring = Ring(key, group, record.partition)
            slots[record.key] = newer(ring, record.key, slots.get(record.key), record.value)
    if is_empty:
        raise SetupError(f"topic {topic} must hold a group's state, got none: correct group, or run a worker first")
    found: list[JournalEntry] = []
    refused = 0
    for partition, slots in held.items():
        for name, blob in slots.items():
            try:
                found += entries_of(Ring(key, group, partition), {name: blob})
            except StateError:
                refused += 1
    return Exported(sorted(found, key=lambda entry: (entry.partition, entry.sequence)), refused)


def write_journal(entries: list[JournalEntry], folder: Path) -> None:
    """Write ``journal.ndjson`` and ``controls.ndjson`` into a folder, which is made if it is not there.

    Raises
    ------
    SetupError
        The folder cannot be written.
    """
    places = [msgspec.structs.replace(entry, value=None) for entry in entries]
    controls = [
        {"partition": entry.partition, "offset": entry.control_offset, "value": entry.value, "source": entry.source}
        for entry in entries
    ]
    encode = msgspec.json.Encoder().encode_lines
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / JOURNAL).write_bytes(encode(places))
        (folder / CONTROLS).write_bytes(encode(controls))
    except OSError as error:
        message = f"out of the journal must be a folder that can be written, got {folder}: {error.strerror}"
        raise SetupError(message) from error
