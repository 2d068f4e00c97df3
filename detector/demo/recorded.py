"""Recorded sessions of a real agent, laid out as the history of a fleet: other times, other ids, nothing else.

A recording is what a Collector's Kafka exporter wrote: export requests of OpenTelemetry, one behind the other, which
is again one request, compressed with gzip.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from detector.errors import SetupError

TIME: Final = "event.timestamp"
PERSON: Final = "enduser.id"
DAY_S: Final = 86_400.0
WORK_BEGINS_S, WORK_S = 8 * 3_600.0, 8 * 3_600.0
"""Sessions of the history begin within these seconds of a day."""


class RecordedSession(NamedTuple):
    """One session: its request, the times of its first and last record in epoch seconds, and its id."""

    request: ExportLogsServiceRequest
    begins: float
    ends: float
    name: str


class RecordedFleet(NamedTuple):
    """What a history is laid out for: people, and how many days each has how many sessions."""

    people: tuple[str, ...]
    days: int
    sessions: int


def written(values: Iterable[bytes], path: Path) -> None:
    """Write records of a topic as a recording."""
    path.write_bytes(gzip.compress(b"".join(values), mtime=0))


def read_recording(path: Path, named_by: str) -> list[RecordedSession]:
    """Return the sessions of a recording, in the order of their beginnings; `named_by` is the attribute of their ids.

    Raises
    ------
    SetupError
        The file holds no log records of sessions.
    """
    whole = ExportLogsServiceRequest()
    whole.ParseFromString(gzip.decompress(path.read_bytes()))
    found: dict[str, ExportLogsServiceRequest] = {}
    for resource in whole.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                name = _attribute(record, named_by)
                if name and _attribute(record, TIME):
                    into = found.setdefault(name, ExportLogsServiceRequest())
                    _place(into, resource, scope).log_records.append(record)
    if not found:
        raise SetupError(f"recording of the demo must hold sessions, got none in {path}")
    sessions = [RecordedSession(one, *_span(one), name) for name, one in found.items()]
    return sorted(sessions, key=lambda one: one.begins)


def history(sessions: list[RecordedSession], fleet: RecordedFleet, until: float, seed: int) -> Iterator[bytes]:
    """Yield export requests of a fleet's last days, in the order of time; the last session ends before `until`.

    Each is a recorded session under another id and name, at another time; the same seed is the same history.
    """
    chance = random.Random(seed)
    midnight = until // DAY_S * DAY_S
    planned = []
    for back in range(fleet.days, 0, -1):
        for person in fleet.people:
            for _ in range(fleet.sessions):
                at = midnight - back * DAY_S + WORK_BEGINS_S + chance.random() * WORK_S
                planned.append((at, person, chance.randrange(len(sessions))))
    for number, (at, person, which) in enumerate(sorted(planned)):
        yield moved(sessions[which], at, person, f"{seed}/{number}").SerializeToString()


def moved(session: RecordedSession, at: float, person: str, name: str) -> ExportLogsServiceRequest:
    """Return a session as it would be at another time, for another person; `name` makes its id."""
    made = ExportLogsServiceRequest()
    made.CopyFrom(session.request)
    by = at - session.begins
    own = str(uuid.UUID(bytes=hashlib.sha256(name.encode()).digest()[:16]))
    for resource in made.resource_logs:
        for attribute in resource.resource.attributes:
            if attribute.key == PERSON:
                attribute.value.string_value = person
        _rename(resource.resource.attributes, session.name, own)
        for scope in resource.scope_logs:
            for record in scope.log_records:
                _move(record, by)
                _rename(record.attributes, session.name, own)
    return made


def _rename(attributes: Any, before: str, after: str) -> None:  # noqa: ANN401 - what protobuf makes at run time
    """Give the session another id wherever it stands, in ids that are made of it as well."""
    for attribute in attributes:
        if before in attribute.value.string_value:
            attribute.value.string_value = attribute.value.string_value.replace(before, after)


def _move(record: Any, by: float) -> None:  # noqa: ANN401 - the same
    shift = round(by * 1_000_000_000)
    if record.time_unix_nano:
        record.time_unix_nano += shift
    if record.observed_time_unix_nano:
        record.observed_time_unix_nano += shift
    for attribute in record.attributes:
        if attribute.key == TIME:
            at = _seconds(attribute.value.string_value) + by
            attribute.value.string_value = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _attribute(record: Any, name: str) -> str | None:  # noqa: ANN401 - the same
    return next((one.value.string_value for one in record.attributes if one.key == name), None)


def _place(into: ExportLogsServiceRequest, resource: Any, scope: Any) -> Any:  # noqa: ANN401 - the same
    """Return the group of a request that stands for a resource and a scope, made if it is not there."""
    for one in into.resource_logs:
        if one.resource == resource.resource and one.scope_logs[0].scope == scope.scope:
            return one.scope_logs[0]
    made = into.resource_logs.add()
    made.resource.CopyFrom(resource.resource)
    group = made.scope_logs.add()
    group.scope.CopyFrom(scope.scope)
    return group


def _span(request: ExportLogsServiceRequest) -> tuple[float, float]:
    times = [
        _seconds(_attribute(record, TIME) or "")
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    return min(times), max(times)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
