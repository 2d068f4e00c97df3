"""What every channel must keep: finite, ready only with something to say, learning nothing while it looks, explained.

Each check runs over the whole catalogue, so that a channel is held here by being entered there, and returns faults,
a sentence each; none if it holds. They look into what the steps leave behind of a batch, so they take a real pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import msgspec
import numpy as np

from detector import channels
from detector.alerts.explain import Seen, contributions_of, normal_if
from detector.channels.catalogue import CHANNELS, MODELS, NAMES, spoken_of
from detector.channels.context import JUDGED
from detector.memory.layout import USED_AGENTS, USED_GROUPS
from detector.pipeline import Pipeline
from detector.schema.decode import decode
from detector.schema.event import Event
from detector.schema.record import Record
from detector.state.report import Outcome
from detector.state.seen import seen_at

Make = Callable[[], Pipeline]

ENTRIES = (*CHANNELS, *MODELS)
"""All that can lead an alert, in the order of what an event looked like."""
BROKEN = "(words that cannot be filled)"
LEAST_VALUES = 3
"""A channel with fewer different values on a rich stream measures nothing."""
LEARNED_OF_AGENTS = ("keys", "number_moments", "number_tags", "tails", "gate", "sums")
"""Fields of an agent's row that only a closed session may change; the others say that the agent is there."""
EITHER = "|"
"""Between two fields of which a channel needs one."""
REQUIRED = tuple(field.name for field in msgspec.structs.fields(Event) if field.required)
"""Fields that no event lacks."""
NASTY = (
    {"target": "", "attributes": {"": "", "\0": "\0", "a,b": ",,,,,,,,"}, "arg_origin": {"": "tool", "target": "tool"}},
    {"target": "a" * 1_024, "attributes": {"x" * 1_024: "ü" * 512}, "arg_origin": {"x": "none"}},
    {"target": ",".join("abcdefghij"), "attributes": {f"n{k}": 1e30 if k % 2 else -1e30 for k in range(40)}},
    {"bytes_out": 1e15, "bytes_in": 5e-324, "tokens_in": 0, "tokens_out": 1e15, "cost_usd": 1e-300, "duration_ms": 0},
    {"kind": "data_access", "bytes_out": 0, "outcome": "denied", "attributes": {"on": True, "off": None, "zero": -0.0}},
    {"name": "\0", "kind": "llm_call", "tokens_in": 1e15, "attributes": {"line\nfeed": "\x1b[31m", "日本": "日本"}},
    {"name": "n" * 1_024, "target": "/" * 1_024, "outcome": "error", "arg_origin": {"target": "user"}},
)
"""Fields of events that are valid and that no sane agent sends."""


class Rows(NamedTuple):
    """What the channels made of n events, in order.

    Parameters
    ----------
    bits, logs : ndarray of float64, shape (n, channels)
        Raw values, and -log10 p.
    ready : ndarray of bool, shape (n, channels)
        Whether the channel had something to say.
    is_judged : ndarray of bool, shape (n,)
        Whether the event was scored.
    """

    bits: np.ndarray
    logs: np.ndarray
    ready: np.ndarray
    is_judged: np.ndarray


def _batches(
    pipeline: Pipeline, records: Sequence[Record], size: int = 512
) -> Iterator[tuple[Sequence[Event], Outcome]]:
    """Yield each batch's events and what came of them, while the workspace still holds their rows."""
    for first in range(0, len(records), size):
        batch = records[first : first + size]
        yield decode(batch).events, pipeline.process(batch)


def rows_of(pipeline: Pipeline, records: Sequence[Record], size: int = 512) -> Rows:
    """Return what the channels make of records, given so many at a time; one event a record, 512 at most."""
    found = []
    for events, _ in _batches(pipeline, records, size):
        context, n = pipeline.state.work.context, len(events)
        rows = (context.bits[:n], context.logs[:n], context.ready[:n], context.state[:n] == JUDGED)
        found.append([array.copy() for array in rows])
    return Rows(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def faults_of_finiteness(make: Make, records: Sequence[Record]) -> list[str]:
    """Return which channels are not finite, or below zero, on a stream that should hold what is nasty.

    Parameters
    ----------
    make : callable
        Returns a fresh pipeline.
    records : sequence of Record
        One event each; :data:`NASTY` has fields worth sending.
    """
    rows, faults = rows_of(make(), records), []
    for k, name in enumerate(NAMES):
        for what, values in (("bits", rows.bits[:, k]), ("logs", rows.logs[:, k])):
            odd = np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))
            if len(odd):
                faults.append(
                    f"{what} of channel {name} must be finite and not below 0, got {values[odd[0]]} at event {odd[0]}"
                )
    return faults


def faults_of_cutting(make: Make, records: Sequence[Record], sizes: Iterable[int] = (1, 7)) -> list[str]:
    """Return which channels say something else when the same events come in smaller batches."""
    whole, faults = rows_of(make(), records), []
    for size in sizes:
        cut = rows_of(make(), records, size)
        for k, name in enumerate(NAMES):
            same = [np.array_equal(getattr(whole, what)[:, k], getattr(cut, what)[:, k]) for what in Rows._fields[:3]]
            if not all(same):
                faults.append(f"channel {name} must say the same in batches of {size}, got something else")
    return faults


def faults_of_readiness(make: Make, records: Sequence[Record]) -> list[str]:
    """Return which channels claim to be ready without history or without a field that they need.

    Parameters
    ----------
    make : callable
        Returns a fresh pipeline.
    records : sequence of Record
        One event each. The first of them, up to the first close, are the stream without history; the whole of
        them, each time without one field, are the streams that lack it.
    """
    faults = [
        f"channel {name} must not be ready before anything was learned, got ready at event {row}"
        for name, row in _ready_without_history(make(), records)
    ]
    lacking: dict[str, Rows] = {}
    for k, channel in enumerate(CHANNELS):
        for need in channel.needs:
            fields = need.split(EITHER)
            if set(fields) & set(REQUIRED):
                continue
            if need not in lacking:
                lacking[need] = rows_of(make(), [without(record, fields) for record in records])
            rows = np.flatnonzero(lacking[need].ready[:, k])
            if len(rows):
                faults.append(f"channel {channel.name} must not be ready without {need}, got ready at event {rows[0]}")
    return faults


def _ready_without_history(pipeline: Pipeline, records: Sequence[Record]) -> Iterator[tuple[str, int]]:
    """Yield channels that are ready, and at which event, before the first session has closed."""
    for row, record in enumerate(records):
        if pipeline.process([record]).counts["sessions_closed"]:
            return
        for k in np.flatnonzero(pipeline.state.work.context.ready[0]):
            yield NAMES[k], row


def without(record: Record, fields: Sequence[str]) -> Record:
    """Return a record of one event without some of its fields."""
    body = {name: value for name, value in json.loads(record.value).items() if name not in fields}
    return record._replace(value=json.dumps(body).encode())


def faults_of_looking(make: Make, history: Sequence[Record], probe: Sequence[Record]) -> list[str]:
    """Return what a pipeline learns from events whose sessions stay open; half-space trees learn at once, by design.

    Parameters
    ----------
    make : callable
        Returns a fresh pipeline.
    history : sequence of Record
        What it learns from first.
    probe : sequence of Record
        Events of sessions that neither end nor make others end.
    """
    pipeline = make()
    for _ in _batches(pipeline, history):
        pass
    agents, groups = (int(pipeline.state.memory.used[column]) for column in (USED_AGENTS, USED_GROUPS))
    before = _learned(pipeline, agents, groups)
    closed = sum(outcome.counts["sessions_closed"] for _, outcome in _batches(pipeline, probe))
    if closed:
        return [f"events of the probe must close no session, got {closed} closed: nothing was shown"]
    after = _learned(pipeline, agents, groups)
    return [
        f"{name} must be left as it is while looking, got another" for name in before if before[name] != after[name]
    ]


def _learned(pipeline: Pipeline, agents: int, groups: int) -> dict[str, bytes]:
    """Return the bytes of everything that only a closed session may change, by name."""
    memory, standing = pipeline.state.memory, pipeline.state.standing
    learned = {f"{name} of agents": memory.agents[name][:agents] for name in LEARNED_OF_AGENTS}
    learned |= {f"{name} of peer groups": memory.groups[name][:groups] for name in memory.groups.dtype.names or ()}
    learned |= {"survival": memory.survival, "sample": memory.sample, "sampled": memory.sampled}
    learned |= {"window": standing.rolling.ordered, "totals": standing.totals}
    return {name: array.tobytes() for name, array in learned.items()}


def faults_of_words(make: Make, records: Sequence[Record]) -> list[str]:
    """Return which channels cannot say why, and which speak although they were not ready.

    Every entry, models too, is made to lead at every event; and what each event says of itself is held against
    what was ready.
    """
    pipeline, faults = make(), set[str]()
    ignored = pipeline.state.profile.features.ignored_attributes
    for events, _ in _batches(pipeline, records):
        for i in np.flatnonzero(pipeline.state.work.context.state[: len(events)] == JUDGED).tolist():
            seen = seen_at(pipeline.state, events[i], i)
            loud = seen._replace(logs=np.full(len(ENTRIES), 9.0), weights=np.ones(len(ENTRIES)))
            ready = {
                spoken_of(entry.name).name for entry, is_ready in zip(ENTRIES, seen.ready, strict=True) if is_ready
            }
            for one in (*_lead(seen, ignored), *_lead(loud, ignored)):
                if one not in (*ready, BROKEN):
                    faults.add(f"channel {one} must not contribute where it is not ready, got a contribution")
            for k, entry in enumerate(ENTRIES):
                alone = np.where(np.arange(len(ENTRIES)) == k, 9.0, 0.0)
                leads = seen._replace(logs=alone, weights=np.ones(len(ENTRIES)), ready=alone > 0, factor=1.0)
                if _lead(leads, ignored) != [spoken_of(entry.name).name]:
                    faults.add(f"words of channel {entry.name} must fill with what is known of an event, got a failure")
    return sorted(faults)


def _lead(seen: Seen, ignored: tuple[str, ...]) -> list[str]:
    """Return the channels that an event's explanation names, all words filled; BROKEN alone if they cannot be."""
    try:
        why = contributions_of(seen, ignored)
        said = [
            normal_if(why, seen.event.name).removeprefix("normal if "),
            *(one.observed for one in why),
            *(one.expected for one in why),
        ]
    except (KeyError, IndexError, ValueError):
        return [BROKEN]
    return [one.channel for one in why] if all(said) else [BROKEN]


def faults_of_coverage(make: Make, records: Sequence[Record]) -> list[str]:
    """Return which channels measure nothing on a rich stream, are never ready, or stand in no family's file.

    A channel that is in the catalogue and in no kernel, or that these checks never saw at work, is caught here.
    """
    rows, faults = rows_of(make(), records), []
    if rows.bits.shape[1] != len(CHANNELS):
        faults.append(f"columns of the context must be {len(CHANNELS)}, one a channel, got {rows.bits.shape[1]}")
    for k, channel in enumerate(CHANNELS):
        spoken = rows.bits[rows.ready[:, k] & rows.is_judged, k]
        if not len(spoken):
            faults.append(f"channel {channel.name} must be ready somewhere on a rich stream, got never")
        elif len(np.unique(spoken)) < LEAST_VALUES:
            faults.append(f"channel {channel.name} must measure something on a rich stream, got {spoken[0]} throughout")
        if find_spec(f"{channels.__name__}.{channel.family}") is None:
            faults.append(f"family of channel {channel.name} must be a file of that room, got {channel.family!r}")
        fields = {field for need in channel.needs for field in need.split(EITHER)}
        if not channel.needs or fields - set(Event.__struct_fields__):
            faults.append(f"needs of channel {channel.name} must be fields of an event, got {list(channel.needs)}")
    return faults
