"""The doctor's chapters of clocks and state: how far the broker's time is from ours, and where memory stands."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from aiokafka.errors import KafkaError
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaException, Producer, TopicPartition

from detector.errors import SetupError, StateError
from detector.worker.checkpoint import MANIFEST, Manifest, key_of
from detector.worker.clients import aiokafka_options, confluent_options
from detector.worker.doctor_report import ASK_S, Patient, Remark
from detector.worker.envelope import Place, unseal
from detector.worker.log_reader import read_to_end
from detector.worker.ports import Bounds
from detector.worker.receipt import broker_time_command
from detector.worker.rights import Right

KEY = b"doctor"
RIGHTS_FIRST = "give the worker its rights first"
MANIFEST_S = 60.0
TRIES = 3
"""The first finds the leader, the quickest counts."""
OFF_S = 1.0
"""Chosen: a host that keeps time by NTP is off by milliseconds, an event's own time by network and queues."""
STALE_S = 60.0
"""A checkpoint that is older, and behind its events, is one that no worker writes."""
LOOKS = (64, 2_048)
"""Records from the end in which the manifest is looked for: it is the last of a checkpoint, and only the journal, of
1,024 entries at most, comes behind it."""


class Probe(NamedTuple):
    """The broker's time between two of ours, in epoch seconds; whether it is the broker's."""

    before: float
    after: float
    told: float
    is_brokers: bool


def clocks(patient: Patient) -> Iterator[Remark]:
    """Yield how far this machine's clock is from the broker's, asked by writing a tombstone that nobody reads."""
    topic = patient.names.state
    if not patient.may(Right("topic", topic, "Write")):
        yield Remark("clock", "offset", "note", f"not known: no Write on {topic}", RIGHTS_FIRST)
        return
    probes = _probes(patient)
    if isinstance(probes, str):
        yield Remark("clock", "offset", "note", f"not known: {probes}", RIGHTS_FIRST)
        return
    best = min(probes, key=lambda one: one.after - one.before)
    if not best.is_brokers:
        says = f"not known: records of {topic} carry their writer's time"
        yield Remark("clock", "offset", "note", says, broker_time_command(patient.settings.bootstrap, topic))
        return
    offset, within = best.told - (best.before + best.after) / 2, (best.after - best.before) / 2
    says = f"the broker's clock is {offset:+.3f} s from this machine's, known within {within:.3f} s"
    is_off = abs(offset) - within > OFF_S
    do = (
        "set both by NTP; receipt times, expiry of commands and the age of checkpoints depend on them" if is_off else ""
    )
    yield Remark("clock", "offset", "wrong" if is_off else "good", says, do)


def _probes(patient: Patient) -> list[Probe] | str:
    """Return the probes, or why there are none."""
    producer = Producer(
        {**confluent_options(patient.settings), "acks": "all", "message.timeout.ms": int(ASK_S * 1_000)}
    )
    probes: list[Probe] = []
    faults: list[str] = []

    for _ in range(TRIES):
        before = patient.clock()

        def heard(error: Any, message: Any, before: float = before) -> None:  # noqa: ANN401 - untyped C classes
            if error is not None:
                faults.append(error.str())
                return
            whose, when = message.timestamp()
            probes.append(Probe(before, patient.clock(), when / 1_000, whose == TIMESTAMP_LOG_APPEND_TIME))

        try:
            producer.produce(patient.names.state, None, KEY, 0, on_delivery=heard)
        except KafkaException as exc:
            return str(exc.args[0].str())
        producer.flush(ASK_S + 1.0)
        if faults:
            return faults[0]
    return probes or "the broker did not acknowledge"


def states(patient: Patient) -> Iterator[Remark]:
    """Yield the digest of the key, and where each partition's state stands against its events."""
    names, settings = patient.names, patient.settings
    secret = settings.state_key.get_secret_value() if settings.state_key else None
    key = key_of(secret, settings.group)
    whose = "of state_key" if secret else "of the public key: state_key is not set"
    yield Remark("state", "key", "good" if secret else "note", f"{hashlib.sha256(key).hexdigest()[:16]} {whose}")
    if not patient.may(Right("topic", names.state, "Read"), Right("topic", names.events, "Read")):
        return
    if not patient.may(Right("group", names.group, "Read")):
        return
    try:
        bounds = _bounds(patient)
        for partition in range(min(patient.partitions[names.state], patient.partitions[names.events])):
            record = asyncio.run(asyncio.wait_for(_manifest(patient, partition), MANIFEST_S))
            yield _stands(patient, key, partition, record, bounds[partition])
    except (KafkaException, KafkaError, OSError, SetupError) as exc:  # a timeout is an OSError
        yield Remark("state", "checkpoints", "note", f"cannot be read: {type(exc).__name__}: {exc}", RIGHTS_FIRST)


def _bounds(patient: Patient) -> dict[int, Bounds]:
    """Return where each partition of the events begins and ends, and where the group stands."""
    options = {**confluent_options(patient.settings), "group.id": patient.settings.group, "enable.auto.commit": False}
    consumer = Consumer(options)
    try:
        places = [TopicPartition(patient.names.events, one) for one in range(patient.partitions[patient.names.events])]
        found = {}
        for place in consumer.committed(places, timeout=ASK_S):
            begin, end = consumer.get_watermark_offsets(place, timeout=ASK_S)
            found[place.partition] = Bounds(begin, end, place.offset if place.offset >= 0 else None)
        return found
    finally:
        consumer.close()


async def _manifest(patient: Patient, partition: int) -> Any:  # noqa: ANN401 - aiokafka's ConsumerRecord
    """Return the newest manifest's record of a partition, None if there is none."""
    client = aiokafka_options(patient.settings)
    for last in LOOKS:
        found = None
        async for record in read_to_end(patient.names.state, [partition], client, last):
            if record.key == MANIFEST.encode():
                found = record
        if found is not None:
            return found
    return None


def _stands(patient: Patient, key: bytes, partition: int, record: Any, bounds: Bounds) -> Remark:  # noqa: ANN401
    what = f"partition {partition}"
    place = f"events {bounds.begin:,} to {bounds.end:,}, group at {_number(bounds.committed)}"
    if record is None or record.value is None:
        if bounds.committed:
            do = "see who emptied the state topic; the partition starts cold"
            return Remark("state", what, "wrong", f"no checkpoint although the group has read; {place}", do)
        return Remark("state", what, "note" if bounds.end else "good", f"no checkpoint yet; {place}")
    try:
        sealed = unseal(key, Place(patient.settings.group, partition, MANIFEST), record.value)
        manifest = msgspec.json.decode(sealed.payload, type=Manifest)
    except (StateError, msgspec.MsgspecError):
        do = "set the DETECTOR_STATE_KEY it was written with; with another key the partition starts cold"
        return Remark("state", what, "wrong", "its manifest was sealed with another key, or is damaged", do)
    age_s = max(0.0, patient.clock() - record.timestamp / 1_000)
    says = f"checkpoint {manifest.epoch} at {manifest.offset:,}, {age_s:,.0f} s old; {place}"
    return Remark("state", what, *_judged(manifest.offset, age_s, says, bounds))


def _judged(offset: int, age_s: float, says: str, bounds: Bounds) -> tuple[Any, str, str]:
    """Return status, words and what to do."""
    if offset > bounds.end:
        return "wrong", f"{says}: beyond the end of the events", "was the topic made anew? else the manifest is forged"
    if offset < bounds.begin:
        gone = f"{says}: {bounds.begin - offset:,} events are gone before they were scored"
        return "wrong", gone, "keep events longer, start more workers"
    if offset < bounds.end and age_s > STALE_S:
        return "wrong", f"{says}: {bounds.end - offset:,} events wait", "start a worker, or read its log"
    if offset > (bounds.committed or 0):
        do = "after a kill, or within seconds, this is in order; else see who may write the state topic"
        return "note", f"{says}: ahead of the group by {offset - (bounds.committed or 0):,}", do
    return "good", says, ""


def _number(value: int | None) -> str:
    return "nothing" if value is None else f"{value:,}"
