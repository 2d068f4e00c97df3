"""Whether a broker answers, and which cluster it belongs to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

ANSWER_WAIT_S = 1.0


def answering_cluster(bootstrap: str, within_s: float, may_go_on: Callable[[], bool] = lambda: True) -> str | None:
    """Return the id of the cluster whose broker answers a metadata request within a time, None if none does.

    Parameters
    ----------
    bootstrap : str
        ``host:port``, several separated by commas.
    within_s : float
        Seconds to go on asking.
    may_go_on : callable
        Asked between tries; asking stops when it says False.
    """
    options: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "log_level": 0,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 250,
        "error_cb": lambda _: None,
    }
    admin = AdminClient(options)
    end = time.monotonic() + within_s
    while time.monotonic() < end and may_go_on():
        try:
            found = admin.list_topics(timeout=ANSWER_WAIT_S)
            if found.brokers:
                return str(found.cluster_id)
        except KafkaException:
            continue
    return None
