"""An event that is written reads back as it was; the real streams are version-1 events as they are."""

from __future__ import annotations

import gzip
import itertools
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.checks.history import history, read_fleet
from detector.profile.load import models_folder
from detector.schema.decode import decode
from detector.schema.event import Event, Kind, Origin, Outcome, StrictCredential, StrictEvent, StrictGrant
from detector.schema.record import Record

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = texts.filter(bool)
amounts = st.floats(0, 1e15)
times = st.datetimes(timezones=st.just(UTC))
events = st.builds(
    StrictEvent,
    event_id=names,
    ts=times,
    agent_id=names,
    kind=st.sampled_from(get_args(Kind)),
    name=names,
    agent_type=names,
    session_id=st.none() | names,
    seq=st.none() | st.integers(0, 2**63 - 1),
    target=st.none() | texts,
    outcome=st.sampled_from(get_args(Outcome)),
    duration_ms=st.none() | amounts,
    bytes_out=st.none() | amounts,
    credential=st.none() | st.builds(StrictCredential, id=names, issued_at=st.none() | times),
    grant=st.none() | st.builds(StrictGrant, id=names, temporary=st.booleans()),
    attributes=st.dictionaries(texts, texts | st.floats(-1e30, 1e30) | st.booleans() | st.none(), max_size=4),
    arg_origin=st.dictionaries(texts, st.sampled_from(get_args(Origin)), max_size=4),
)


@given(events)
def test_an_event_that_is_written_reads_back_as_it_was(event: StrictEvent) -> None:
    """Every field, every character, every float, under its own key."""
    raw = msgspec.json.encode(event)
    assert decode([Record(raw, key=event.agent_id.encode())]).events == [event]


@given(events)
def test_an_event_with_an_unknown_field_reads_back_without_it(event: StrictEvent) -> None:
    """The long way gives the same event as the hot path."""
    raw = msgspec.json.encode(event)[:-1] + b',"a field of tomorrow":[1,{"x":null}]}'
    decoded = decode([Record(raw)])
    assert (decoded.events, decoded.unknown) == ([event], Counter({"a field of tomorrow": 1}))


@given(st.lists(events, min_size=1, max_size=6))
def test_events_in_one_record_are_the_events_in_many(batch: list[StrictEvent]) -> None:
    """NDJSON is a way of packing, nothing else."""
    lines = [msgspec.json.encode(event) for event in batch]
    assert decode([Record(b"\n".join(lines))]).events == decode([Record(line) for line in lines]).events


def test_the_strict_event_has_the_fields_of_the_event() -> None:
    """It only refuses more; it knows nothing else."""
    assert set(StrictEvent.__struct_fields__) == set(Event.__struct_fields__)


def test_an_event_cannot_be_changed() -> None:
    """What was decoded is evidence."""
    event = Event(event_id="e", ts=datetime(2026, 1, 1, tzinfo=UTC), agent_id="a", kind="auth", name="n")
    with pytest.raises(AttributeError, match="immutable"):
        event.name = "m"  # type: ignore[misc]


def streams() -> dict[str, list[bytes]]:
    """Return the first lines of every real stream by name; made-up quiet days where they are absent, and say so."""
    folder = os.environ.get("DETECTOR_DATA")
    found = sorted(Path(folder, "events").glob("*-dev.jsonl.gz")) if folder else []
    if not found:
        assert os.environ.get("REQUIRE_DATA") != "1", "DETECTOR_DATA must name the real streams where REQUIRE_DATA=1"
        print("DETECTOR_DATA names no real streams: the same is asked of made-up ones")  # noqa: T201
        return {"made up": history(read_fleet(models_folder() / "profiles/default/v1/cases/fleet.json"))}
    lines = {}
    for path in found:
        with gzip.open(path) as stream:
            lines[path.name] = list(itertools.islice(stream, 3_000))
    return lines


@pytest.mark.data
def test_real_streams_are_events_as_they_are() -> None:
    """Of their first thousands nothing is refused and no field is unknown."""
    for name, lines in streams().items():
        decoded = decode([Record(line) for line in lines])
        assert (len(decoded.events), decoded.refusals, decoded.unknown) == (len(lines), [], Counter()), name
