"""Listens for gateways over gRPC, on a unix socket or a port. Imported only where `--ext-authz` asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from detector.edge.gateways import Gateways
from detector.edge.listeners import is_answered
from detector.edge.metrics import EdgeMetrics
from detector.edge.tls import RenewedTls
from detector.errors import SetupError

ENVOY_SERVICE: Final = "envoy.service.auth.v3.Authorization"
EXT_MCP_SERVICE: Final = "agentgateway.dev.ext_mcp.ExtMcp"
THREADS: Final = 4
MOST_CALLS: Final = 128
"""Questions answered or waiting at once; one more is refused, which denies unless the gateway is set to fail open."""
MOST_BYTES: Final = 2 * 1_048_576
"""Of one question: a body of a megabyte, and its headers."""
GRACE_S: Final = 0.2
HANDSHAKE_MS: Final = 5_000
"""Milliseconds in which a handshake of TLS has to end; gRPC itself would hold one open for two minutes."""

LONGEST_MS: Final = 600_000
"""Milliseconds a connection lasts before the gateway is told to make another: certificates are shown when it begins."""


class GrpcServer:
    """Serves :class:`~detector.edge.gateways.Gateways` until it is stopped.

    Parameters
    ----------
    gateways : Gateways
        Answers.
    metrics : EdgeMetrics
        The time of each answer.
    address : str
        ``HOST:PORT`` or ``unix:/path``; who may reach it is checked before (:func:`~detector.edge.tls.check_reach`).
    socket_mode : int
        Rights of a unix socket.
    tls : RenewedTls or None
        What a port speaks; a unix socket speaks none.

    Raises
    ------
    SetupError
        gRPC is not installed, the address is none or is taken, the files of TLS are none.
    """

    def __init__(
        self,
        gateways: Gateways,
        metrics: EdgeMetrics,
        address: str,
        socket_mode: int = 0o660,
        tls: RenewedTls | None = None,
    ) -> None:
        host_of(address)
        self._metrics, self._address, self._mode = metrics, address, socket_mode
        grpc = _grpc()
        self._credentials = None if tls is None or address.startswith("unix:") else tls.credentials(grpc)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="gateways")
        self._server = grpc.server(
            self._pool,
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", MOST_BYTES),
                ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
                ("grpc.max_connection_age_ms", LONGEST_MS),
                ("grpc.max_connection_age_grace_ms", HANDSHAKE_MS),
            ],
            maximum_concurrent_rpcs=MOST_CALLS,
        )
        served: dict[str, dict[str, Callable[[bytes], bytes]]] = {
            ENVOY_SERVICE: {"Check": gateways.check},
            EXT_MCP_SERVICE: {"CheckRequest": gateways.check_request, "CheckResponse": gateways.check_response},
        }
        for service, methods in served.items():
            handlers = {name: grpc.unary_unary_rpc_method_handler(self._timed(one)) for name, one in methods.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))

    def start(self) -> int:
        """Listen; return the port, or 1 for a unix socket."""
        path = Path(self._address.removeprefix("unix:")) if self._address.startswith("unix:") else None
        if path is not None and is_answered(path):
            raise SetupError(f"ext-authz of edge must be free, got {path} of a running service: choose another")
        try:
            port: int = (
                self._server.add_insecure_port(self._address)
                if self._credentials is None
                else self._server.add_secure_port(self._address, self._credentials)
            )
        except RuntimeError as exc:
            raise SetupError(
                f"ext-authz of edge must be a free address in a folder that can be written, got {self._address}: "
                "choose another"
            ) from exc
        self._server.start()
        if path is not None:
            path.chmod(self._mode)
        return port

    def stop(self) -> None:
        """Answer what is being asked, within 0.2 s, and listen no more."""
        self._server.stop(GRACE_S).wait()
        self._pool.shutdown()

    def _timed(self, answer: Callable[[bytes], bytes]) -> Callable[[bytes, Any], bytes]:
        def timed(raw: bytes, _: object) -> bytes:
            began = time.perf_counter()
            answered = answer(raw)
            self._metrics.answer_s.observe(time.perf_counter() - began)
            return answered

        return timed


def host_of(address: str) -> str | None:
    """Return the host of an address to listen on, None for a unix socket.

    Raises
    ------
    SetupError
        It is no ``HOST:PORT`` and no ``unix:/path``.
    """
    if address.startswith("unix:/"):
        return None
    host, _, port = address.rpartition(":")
    if host and not address.startswith("unix:") and port.isascii() and port.isdigit() and int(port) <= 65_535:
        return host
    raise SetupError(f"ext-authz of edge must be HOST:PORT or unix:/path, got {address!r}")


def _grpc() -> Any:  # noqa: ANN401 - ships no types
    try:
        import grpc
    except ImportError as exc:
        raise SetupError(
            "ext-authz of edge must have gRPC, got no module `grpc`: pip install 'agent-behaviour-detector[gateway]'"
        ) from exc
    return grpc
