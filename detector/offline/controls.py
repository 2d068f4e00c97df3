"""Recorded controls for a replay: at the places a journal gives them, or by their own time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from detector.errors import SetupError, StateError
from detector.offline.partition import partition_of
from detector.offline.sources import lines_of
from detector.schema.control import Control, JournalEntry, Source
from detector.schema.declaration import declaration_of, pack_declarations
from detector.schema.zones import ZONES_SCHEMA, zones_key


class _Exported(msgspec.Struct):
    """A control with its place, as ``detector journal`` writes it."""

    partition: int
    offset: int
    value: str
    source: Source = "feedback"


class _Entered(msgspec.Struct):
    at: float
    agent_id: str | None = None
    tenant: str = "default"
    schema_: str = msgspec.field(default="", name="schema")


class _Dated(msgspec.Struct):
    """Whose a record is and from when.

    A SIEM's case names no agent, and its `time` is in milliseconds; a suppression may name none.
    """

    agent_id: str | None = None
    at: float | None = None
    time: float | None = None
    kind: str = ""

    @property
    def since(self) -> float | None:
        """When it was said, epoch seconds."""
        return self.time / 1_000.0 if self.at is None and self.time is not None else self.at


class _Timed(msgspec.Struct, gc=False):
    ts: datetime


_exported = msgspec.json.Decoder(_Exported)
_dated = msgspec.json.Decoder(_Dated)
_entered = msgspec.json.Decoder(_Entered)
_timed = msgspec.json.Decoder(_Timed)
_entry = msgspec.json.Decoder(JournalEntry)


class Placed(NamedTuple):
    """A control and where it stands: a partition of the control topic, and an offset there."""

    partition: int
    control: Control


class _Waiting(NamedTuple):
    place: float
    """First input offset after it, or the event time from which it counts."""
    control: Control


class Plan:
    """Which controls take effect before which record.

    Parameters
    ----------
    waiting : sequence of sequence of (place, control)
        Of each partition, in order.
    by_offset : bool
        Whether places are input offsets, as journaled, or event times in epoch seconds.
    unplaced : int, default=0
        Controls that the journal does not name: the worker did not let them take effect.
    """

    def __init__(self, waiting: Sequence[Sequence[_Waiting]], *, by_offset: bool, unplaced: int = 0) -> None:
        self._waiting = [deque(one) for one in waiting]
        self._by_offset = by_offset
        self.unplaced = unplaced

    @property
    def left(self) -> int:
        """Controls that no record has reached yet."""
        return sum(len(one) for one in self._waiting)

    def before(self, partition: int, offset: int, line: bytes) -> list[Control]:
        """Return the controls that take effect before one record; they wait no longer."""
        if not self._waiting[partition]:
            return []
        return list(self._up_to(partition, offset if self._by_offset else _seconds(line)))

    def behind(self, partition: int, next_offset: int) -> list[Control]:
        """Return the controls whose journaled place is right behind the last record; empty for those placed by time."""
        return list(self._up_to(partition, next_offset)) if self._by_offset else []

    def rest(self, partition: int) -> list[Control]:
        """Return the controls later than the last event; journaled ones wait for records that are not there."""
        return [] if self._by_offset else list(self._up_to(partition, float("inf")))

    def _up_to(self, partition: int, place: float) -> Iterator[Control]:
        waiting = self._waiting[partition]
        while waiting and waiting[0].place <= place:
            yield waiting.popleft().control


def read_plan(
    controls: Path | None,
    journal: Path | None,
    partitions: int,
    registry: Path | None = None,
    *,
    is_registry_first: bool = False,
) -> Plan | None:
    """Return the plan of recorded controls, None if no file is given.

    Parameters
    ----------
    controls : Path, optional
        One feedback record a line, or ``{"partition", "offset", "value"}`` of each.
    journal : Path, optional
        Entries ``{"partition", "input_offset", "control_offset", "digest"}``, with or without ``"value"``. Without it,
        a control takes effect before the first event of its partition at or after its own time.
    partitions : int
        Partitions of the replay.
    registry : Path, optional
        Entries of the registry, one a line: each takes effect before the first event of its partition at or after its
        own time. With a journal there is none: the journal has the places, and what took effect there.
    is_registry_first : bool, default=False
        Let them take effect before the first event, whenever they were made.

    Raises
    ------
    SetupError
        A line is none of these, a control is missing, or is not the one that was journaled.
    """
    given = [] if controls is None else _read_controls(controls, partitions)
    if journal is not None:
        if registry is not None:
            raise SetupError(
                f"registry of a replay must be left out with a journal, got {registry}: what took effect stands in the "
                "journal and its controls, in its place"
            )
        return _journaled(given, journal, partitions)
    if controls is None and registry is None:
        return None
    waiting: list[list[_Waiting]] = [[] for _ in range(partitions)]
    for one in [] if registry is None else _read_registry(registry, partitions):
        at = -math.inf if is_registry_first else one.at
        waiting[one.partition].append(_Waiting(at, one.control))
    for number, placed in enumerate(given, start=1):
        if controls is not None and placed.control.source == "feedback":
            since = _dated_of(placed.control.value, controls, number).since or 0.0
            waiting[placed.partition].append(_Waiting(since, placed.control))
    return Plan([sorted(each, key=lambda one: one.place) for each in waiting], by_offset=False)


class _DatedEntry(NamedTuple):
    partition: int
    at: float
    control: Control


def _read_registry(path: Path, partitions: int) -> list[_DatedEntry]:
    """Return the entries of a file as controls; what else is wrong with one is found where it takes effect."""
    found: list[_DatedEntry] = []
    for number, line in enumerate(lines_of(path), start=1):
        try:
            entry = _entered.decode(line)
            if entry.schema_ != ZONES_SCHEMA and entry.agent_id is None:
                raise ValueError("neither an agent nor zones")  # noqa: TRY301 - told below, with its place
            key = zones_key(entry.tenant) if entry.agent_id is None else entry.agent_id.encode()
            record = declaration_of(number - 1, key, line)
        except (msgspec.DecodeError, ValueError) as error:
            message = f"line {number} of {path} must be an entry of the registry with agent_id and at, got {error}"
            raise SetupError(f"{message}: correct it") from error
        control = Control(number - 1, pack_declarations([record]), "registry")
        # zones are for every partition: each holds its own agents against them
        agent = entry.agent_id
        places = range(partitions) if agent is None else [partition_of(agent, partitions)]
        found += [_DatedEntry(partition, entry.at, control) for partition in places]
    return found


def _read_controls(path: Path, partitions: int) -> list[Placed]:
    found: list[Placed] = []
    counts = [0] * partitions
    for number, line in enumerate(lines_of(path), start=1):
        try:
            one = _exported.decode(line)
        except msgspec.DecodeError:
            # a record as it stood on the topic: Kafka's partitioner places it, lines count as offsets
            agent = _dated_of(line, path, number).agent_id
            # what names no agent is for every partition: each knows its own findings
            for partition in [partition_of(agent, partitions)] if agent else range(partitions):
                found.append(Placed(partition, Control(counts[partition], line)))
                counts[partition] += 1
        else:
            partition = _within(one.partition, partitions, path, number)
            found.append(Placed(partition, Control(one.offset, one.value.encode(), one.source)))
            counts[partition] += 1
    return found


def _journaled(given: Sequence[Placed], path: Path, partitions: int) -> Plan:
    known = {(one.control.source, one.partition, one.control.offset): one.control.value.decode() for one in given}
    waiting: list[list[_Waiting]] = [[] for _ in range(partitions)]
    for number, line in enumerate(lines_of(path), start=1):
        try:
            entry = _entry.decode(line)
        except msgspec.DecodeError as error:
            message = f"line {number} of {path} must be an entry of the journal, got {error}: see `detector journal`"
            raise SetupError(message) from error
        partition = _within(entry.partition, partitions, path, number)
        value = known.pop((entry.source, partition, entry.control_offset), entry.value)
        if value is None:
            message = f"control {entry.control_offset} of partition {partition} must be in the controls file, got none"
            raise SetupError(f"{message}: {path} names it in line {number}; give the file it was exported with")
        try:
            control = msgspec.structs.replace(entry, value=value).control()
        except StateError as error:
            raise SetupError(f"line {number} of {path} is refused: {error}") from error
        if waiting[partition] and entry.input_offset < waiting[partition][-1].place:
            message = f"input_offset of line {number} of {path} must not fall within its partition"
            raise SetupError(f"{message}, got {entry.input_offset}: keep the order in which it was written")
        waiting[partition].append(_Waiting(entry.input_offset, control))
    return Plan(waiting, by_offset=True, unplaced=len(known))


def _dated_of(line: bytes, path: Path, number: int) -> _Dated:
    message = f"line {number} of {path} must be a feedback record with agent_id and at"
    try:
        dated = _dated.decode(line)
    except msgspec.DecodeError as error:
        raise SetupError(f"{message}, got {error}: correct it") from error
    is_for_all = dated.time is not None or dated.kind in ("suppression", "suppression_end")
    if dated.since is None or not (dated.agent_id or is_for_all):
        raise SetupError(f"{message}, got one without: correct it")
    return dated


def _within(partition: int, partitions: int, path: Path, number: int) -> int:
    if not 0 <= partition < partitions:
        message = f"partition of line {number} of {path} must be below {partitions}, got {partition}"
        raise SetupError(f"{message}: give the number of partitions of the topic (--partitions)")
    return partition


def _seconds(line: bytes) -> float:
    """Return the time of an event, minus infinity for what has none: no control waits for it."""
    try:
        return _timed.decode(line).ts.timestamp()
    except (msgspec.DecodeError, OverflowError, ValueError):
        return float("-inf")
