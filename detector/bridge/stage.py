"""A batch of Kafka records becomes what is to be written: events keyed by their agents, and dead letters. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from detector.otlp.mapper import Mapper, RecordVerdict
from detector.otlp.read import read
from detector.schema.decode import MAX_RAW_BYTES, Refusal
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.worker.publish import Output, dead_letter

MAX_LETTERS: Final = 8
"""Dead letters of one record, one a reason: they all hold the same bytes."""
_UNREADABLE: Final = frozenset(
    {"not_gzip", "too_large", "empty", "not_json", "not_otlp", "wrong_type", "unreadable", "no_time"}
)
"""Reasons for which a record is a dead letter: what was sent could not be read. Others are known and left out."""


def staged(records: Sequence[Record], mapper: Mapper, names: TopicNames) -> tuple[list[Output], list[RecordVerdict]]:
    """Return what a batch writes, in the order of its records, and the verdict on each record of telemetry in it.

    The whole batch is mapped at once, so that spans of one trace that came in several records know each other.

    Parameters
    ----------
    records : sequence of Record
        Export requests, in the order they were read.
    mapper : Mapper
        With its memory of former batches, to which this one is added.
    names : TopicNames
        Where outputs go.
    """
    read_of = [list(read(record.value)) for record in records]
    verdicts = mapper.map(item for items in read_of for item in items)
    outputs, at = [], 0
    for record, items in zip(records, read_of, strict=True):
        mine = verdicts[at : at + len(items)]
        at += len(items)
        for verdict in mine:
            if verdict.event is not None:
                value = verdict.content or msgspec.json.encode(verdict.event)
                outputs.append(Output(names.events, verdict.event.agent_id.encode(), value, []))
        outputs += _letters(record, mine, names)
    return outputs, verdicts


def _letters(record: Record, verdicts: Sequence[RecordVerdict], names: TopicNames) -> list[Output]:
    """Return the dead letters of one record: of each reason the first place where it holds."""
    found: dict[str, Refusal] = {}
    for place, verdict in enumerate(verdicts):
        if verdict.reason in _UNREADABLE and verdict.reason not in found and len(found) < MAX_LETTERS:
            raw = record.value[:MAX_RAW_BYTES]
            found[verdict.reason] = Refusal(f"otlp_{verdict.reason}", verdict.why, place, raw)
    return [dead_letter(record, refusal, names) for refusal in found.values()]
