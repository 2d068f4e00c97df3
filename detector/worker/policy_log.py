"""What the response stage reads of the policy log: entries that tell what waits, and of others the chain's link."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import structlog
from pydantic import ValidationError

from detector.response.chain import Link
from detector.schema.command import PolicyLogEntry
from detector.schema.reading import read_link

log = structlog.get_logger("detector.response")

TELLING = tuple(f'"decision":"{decided}"'.encode() for decided in ("held", "yielded", "issued", "shadowed", "released"))
"""What entries hold, as they are written, that tell which held commands wait."""


def links_of(records: Iterable[Any]) -> list[Link]:
    """Return the chain's link of each entry of the log; what is none is said and left out."""
    links: list[Link] = []
    for record in records:
        try:
            links.append(read_link(record.value))
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
            left_out(record, 1)
    return links


def whole_links(records: Iterable[Any]) -> list[Link]:
    """Return entries of the log's tail: those that say what waits, or waits no longer, whole; of others the link."""
    links: list[Link] = []
    for record in records:
        is_told = any(word in (record.value or b"") for word in TELLING)
        try:
            links.append(PolicyLogEntry.read(record.value) if is_told else read_link(record.value))
        except ValidationError:
            links += links_of([record])  # of a version whose decisions are not known here: the chain goes on
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
            left_out(record, 1)
    return links


def left_out(record: Any, faults: int) -> None:  # noqa: ANN401 - aiokafka's ConsumerRecord
    """Say that a record is not ours, and where it stands."""
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    log.warning("record is not ours and is left out", faults=faults, **place)
