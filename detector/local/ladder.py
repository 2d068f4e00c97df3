"""Which broker a run gets: the one named, else a real Kafka started for it, else the embedded one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from detector.errors import SetupError
from detector.local.embedded import LIMITS, EmbeddedBroker
from detector.local.kafka import LocalKafka
from detector.local.probe import answering_cluster

Rung = Literal["external", "kafka", "embedded"]


class Broker(NamedTuple):
    """The broker of a run.

    Attributes
    ----------
    bootstrap : str
        Address for clients.
    rung : str
        "external" (KAFKA_BOOTSTRAP), "kafka" (a real one started for the run) or "embedded".
    kafka : LocalKafka or None
        The started node, for those who want to kill it.
    """

    bootstrap: str
    rung: Rung
    kafka: LocalKafka | None = None


@contextmanager
def open_broker(say: Callable[[str], None], folder: Path | None = None) -> Iterator[Broker]:
    """Yield a running broker and stop it afterwards, also after an error or Ctrl-C.

    The rungs, top first: ``KAFKA_BOOTSTRAP``; a real Apache Kafka (jars from ``KAFKA_HOME``, else fetched once); the
    embedded broker. ``DETECTOR_BROKER=kafka|embedded`` forces one; ``REQUIRE_KAFKA=1`` forbids the last.

    Parameters
    ----------
    say : callable
        Is told which rung it is and what is downloaded.
    folder : Path, optional
        Where a real Kafka keeps its data; a temporary folder, removed afterwards, if None.

    Raises
    ------
    SetupError
        A forced rung cannot be had, or a setting is wrong.
    """
    forced = _forced_rung()
    with ExitStack() as stack:
        external = os.environ.get("KAFKA_BOOTSTRAP")
        if external and forced is None:
            yield _external(external, say)
            return
        if forced == "embedded":
            yield _embedded(stack, say, "asked for by DETECTOR_BROKER")
            return
        try:
            kafka = _real(stack, say, folder)
        except SetupError as exc:
            if forced == "kafka" or is_kafka_required():
                raise
            yield _embedded(stack, say, str(exc))
            return
        yield Broker(kafka.bootstrap, "kafka", kafka)


def is_kafka_required() -> bool:
    """Tell whether ``REQUIRE_KAFKA`` forbids to do without a real broker."""
    return os.environ.get("REQUIRE_KAFKA", "") not in {"", "0"}


def _forced_rung() -> str | None:
    forced = os.environ.get("DETECTOR_BROKER") or None
    if forced not in {None, "kafka", "embedded"}:
        msg = f"DETECTOR_BROKER of the environment must be kafka or embedded, got {forced!r}: correct or unset it"
        raise SetupError(msg)
    if forced == "embedded" and is_kafka_required():
        msg = "DETECTOR_BROKER of the environment must not be embedded while REQUIRE_KAFKA is set: unset one of them"
        raise SetupError(msg)
    return forced


def _external(bootstrap: str, say: Callable[[str], None]) -> Broker:
    if answering_cluster(bootstrap, 15.0) is None:
        msg = f"KAFKA_BOOTSTRAP of the environment must be a broker that answers, got {bootstrap}: start it or unset it"
        raise SetupError(msg)
    say(f"broker: {bootstrap} (KAFKA_BOOTSTRAP)")
    return Broker(bootstrap, "external")


def _real(stack: ExitStack, say: Callable[[str], None], folder: Path | None) -> LocalKafka:
    if folder is None:
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="detector-kafka-", ignore_cleanup_errors=True))
        folder = Path(made)
    kafka = stack.enter_context(LocalKafka(folder, say=say))
    say(f"broker: a real Apache Kafka on {kafka.bootstrap}, started for this run")
    return kafka


def _embedded(stack: ExitStack, say: Callable[[str], None], why: str) -> Broker:
    broker = stack.enter_context(EmbeddedBroker())
    say(f"broker: the embedded one on {broker.bootstrap} ({LIMITS}), because: {why}")
    return Broker(broker.bootstrap, "embedded")
