"""`detector edge`: reader, enforcement point, server and acknowledgements put together, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import KafkaError, Message, Producer

from detector.clock import system_clock
from detector.edge.callers import Trust
from detector.edge.copy import read_copy, write_copy
from detector.edge.listeners import port_listener, unix_listener
from detector.edge.metrics import EdgeMetrics
from detector.edge.point import EnforcementPoint
from detector.edge.reader import PolicyReader
from detector.edge.server import EdgeServer
from detector.edge.tls import RenewedTls, Tls, check_reach
from detector.edge.view import FailMode, PolicyView
from detector.errors import StateError
from detector.schema.acks import PolicyAck
from detector.schema.topics import TopicNames

if TYPE_CHECKING:
    from detector.edge.grpc_server import GrpcServer

log = structlog.get_logger("detector.edge")

TICK_S: Final = 1.0
FLUSH_S: Final = 5.0
NOT_OTHERS: Final = 0o770
"""Of a unix socket for gateways: they speak for every agent, so no other user may."""
MOST_WAITING: Final = 10_000
"""Acknowledgements that wait for Kafka; what comes then is lost, and counted in the next one."""


@dataclass(frozen=True, slots=True)
class EdgeOptions:
    """How one edge service is set up.

    Attributes
    ----------
    socket_path : Path
        Where the gate asks.
    socket_mode : int
        Who may: every local user, if the agents run as others than the service.
    listen : (str, int) or None
        Address of /livez, /readyz and /metrics.
    fail : {"closed", "static"}
        What stale knowledge does.
    stale_after_s : float
        Age from which it is.
    copy : Path or None
        File for what binds.
    point : str
        Name in acknowledgements.
    group : str
        Sent to the broker; nothing is committed.
    gateways : str
        Where gateways ask over gRPC; empty: nowhere.
    trust : Trust
        What they are believed.
    tls : Tls or None
        What ports speak; unix sockets speak none.
    may_anyone : bool
        Whether ports that others reach may be listened on without certificates of those who ask.
    """

    socket_path: Path
    socket_mode: int
    listen: tuple[str, int] | None
    fail: FailMode
    stale_after_s: float
    copy: Path | None
    point: str
    group: str
    gateways: str = ""
    trust: Trust = field(default_factory=Trust)
    tls: Tls | None = None
    may_anyone: bool = False


class AckProducer:
    """Hands acknowledgements to Kafka without waiting for it.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    topic : str
        Of the acknowledgements.
    metrics : EdgeMetrics
        Counts what Kafka did not take in the end.
    """

    def __init__(self, kafka: Mapping[str, Any], topic: str, metrics: EdgeMetrics) -> None:
        self._topic, self._metrics = topic, metrics
        self._producer = Producer(
            {**kafka, "acks": "all", "queue.buffering.max.messages": MOST_WAITING, "linger.ms": 5}
        )

    def send(self, ack: PolicyAck) -> bool:
        """Return whether the acknowledgement is on its way."""
        try:
            value = ack.model_dump_json(by_alias=True).encode()
            self._producer.produce(self._topic, value, ack.command_id.encode(), on_delivery=self._told)
        except BufferError:
            return False
        self._producer.poll(0)
        return True

    def poll(self) -> None:
        """Take up what Kafka has answered."""
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait, within 5 s, until Kafka has all."""
        left = self._producer.flush(FLUSH_S)
        if left:
            log.error("acknowledgements are lost: Kafka did not take them before the end", count=left)

    def _told(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._metrics.acks_lost.inc()


class EdgeService:
    """One running edge service.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Names of the deployment.
    options : EdgeOptions
        How it is set up.
    """

    def __init__(self, kafka: Mapping[str, Any], names: TopicNames, options: EdgeOptions) -> None:
        self._options = options
        self.gateway_port = self.probe_port = 0
        self.metrics = EdgeMetrics()
        self._tls = None if options.tls is None else RenewedTls(options.tls, self._tell_of_certificates)
        view = PolicyView(system_clock, time.monotonic, fail=options.fail, stale_after_s=options.stale_after_s)
        if options.copy is not None and options.fail == "static":
            _take_up(view, options.copy)
        self._acks = AckProducer(kafka, names.acks, self.metrics)
        self.point = EnforcementPoint(view, options.point, self.metrics, self._acks.send)
        self._reader = PolicyReader(kafka, names.policy, self.point, group=options.group)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`: 1. listen, 2. read, 3. answer, 4. acknowledge what is left."""
        # 1. a gate that comes too early is denied with a reason
        listener = unix_listener(self._options.socket_path, self._options.socket_mode)
        server, gateways = EdgeServer(self.point, self.metrics), None
        try:
            await server.listen(listener, may_ask=True)
            if self._options.listen is not None:
                await self._listen_to_probes(server, self._options.listen)
            gateways = self._for_gateways()
            # 2.
            self._reader.start()
            log.info("edge serves", socket=str(self._options.socket_path), fail=self._options.fail)
            # 3.
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), TICK_S)
                await asyncio.to_thread(self._tick)
        # 4.
        finally:
            if gateways is not None:
                await asyncio.to_thread(gateways.stop)
            server.close()
            listener.close()
            self._options.socket_path.unlink(missing_ok=True)
            await asyncio.to_thread(self._end)

    async def _listen_to_probes(self, server: EdgeServer, address: tuple[str, int]) -> None:
        tls, may_anyone = self._options.tls, self._options.may_anyone
        check_reach("listen-host", address[0], tls, may_anyone=may_anyone)
        context = None if self._tls is None else self._tls.context()
        listener = port_listener(address)
        self.probe_port = int(listener.getsockname()[1])
        await server.listen(listener, may_ask=False, tls=context)

    def _for_gateways(self) -> GrpcServer | None:
        """Return what listens for gateways, None if nothing is to; gRPC is imported only here."""
        if not self._options.gateways:
            return None
        from detector.edge.gateways import Gateways
        from detector.edge.grpc_server import GrpcServer, host_of

        options = self._options
        if (host := host_of(options.gateways)) is not None:
            check_reach("ext-authz", host, options.tls, may_anyone=options.may_anyone)
        answers, mode = Gateways(self.point, options.trust), options.socket_mode & NOT_OTHERS
        made = GrpcServer(answers, self.metrics, options.gateways, mode, self._tls)
        self.gateway_port = made.start()
        log.info("edge serves gateways", address=self._options.gateways, port=self.gateway_port)
        return made

    def _tick(self) -> None:
        self.point.tick()
        self._acks.poll()
        self._keep_copy()
        if self._tls is not None:
            self._tls.look()

    def _tell_of_certificates(self, became: str) -> None:
        self.metrics.certificates.labels(became).inc()

    def _end(self) -> None:
        self._reader.stop()
        self.point.tick(is_last=True)
        self._keep_copy()
        self._acks.flush()

    def _keep_copy(self) -> None:
        if self._options.copy is None or (binding := self.point.changed()) is None:
            return
        try:
            write_copy(self._options.copy, binding, system_clock())
        except OSError as exc:
            self.metrics.copies_failed.inc()
            self.point.touch()
            log.warning("copy not written", path=str(self._options.copy), why=exc.strerror)


def run_edge(kafka: Mapping[str, Any], names: TopicNames, options: EdgeOptions) -> None:
    """Serve until SIGTERM or Ctrl-C."""

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await EdgeService(kafka, names, options).run(stop)

    asyncio.run(serve())


def _take_up(view: PolicyView, path: Path) -> None:
    try:
        view.take_up(read_copy(path))
    except StateError as exc:
        log.warning("no kept copy to begin with: calls are denied until the topic is read", why=str(exc))
