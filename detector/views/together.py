"""What is heard of agents together, read from Kafka: tidings and alerts of tenants, what was found of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.offline.neighbourhood import heard_in
from detector.response.joined import OF_STAGE
from detector.schema.alert import Alert
from detector.schema.tiding import Tiding
from detector.schema.topics import TopicNames
from detector.sinks.ocsf_read import decode
from detector.views.reading import TopicReader
from detector.worker.publish import KIND, KIND_FEEDBACK


def heard_on(kafka: Mapping[str, Any], names: TopicNames, since: float) -> Iterator[Alert | Tiding]:
    """Yield alerts and tidings of all tenants, written at `since` (epoch seconds) or later.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Of the deployment.
    since : float
        When the first record was written that is read.

    Raises
    ------
    SetupError
        A topic is not there, may not be read, or the broker does not answer.
    """
    with TopicReader(kafka, names.by_tenant) as reader:
        told = (one.value for one in reader.to_the_end(since) if one.headers.get(KIND) != KIND_FEEDBACK)
        yield from heard_in(told)
    with TopicReader(kafka, names.alerts) as reader:
        for record in reader.to_the_end(since):
            alert = _read(record.value)
            if alert is not None and alert.detection.startswith(OF_STAGE):
                yield alert


def _read(value: bytes) -> Alert | None:
    try:
        return decode(value)
    except ValueError:
        return None
