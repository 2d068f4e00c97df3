"""TLS of the edge service's ports: what it shows, whom it lets in, and which addresses need it."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from detector.errors import SetupError

log = structlog.get_logger("detector.edge")

ALOUD = "--anyone-may-ask"


class Pems(NamedTuple):
    """What the three files held when they were read together."""

    key: bytes
    cert: bytes
    client_ca: bytes | None


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM.

    Attributes
    ----------
    cert, key : Path
        Certificate with its chain, and its key: what the service shows.
    client_ca : Path or None
        Certificates of authorities; who asks needs a certificate of one of them. None: nobody needs one.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a port speaks: TLS 1.2 at least.

        Raises
        ------
        SetupError
            A file cannot be read, is no certificate or key, or the two do not belong together.
        """
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.options |= ssl.OP_NO_TICKET  # who resumes a session is not asked for a certificate again
        made.num_tickets = 0
        try:
            made.load_cert_chain(self.cert, self.key, password="")  # without one it would ask on the terminal
            if self.client_ca is not None:
                made.load_verify_locations(self.client_ca)
                made.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as exc:  # an SSLError is an OSError
            files = ", ".join(str(path) for path in (self.cert, self.key, self.client_ca) if path is not None)
            raise SetupError(
                "tls-cert, tls-key and tls-client-ca of edge must be PEM files that belong together, the key without "
                f"a password, got {files} ({exc})"
            ) from exc
        return made

    def pems(self) -> Pems:
        """Return what the files hold, as bytes."""
        ca = None if self.client_ca is None else self.client_ca.read_bytes()
        return Pems(self.key.read_bytes(), self.cert.read_bytes(), ca)

    def both(self) -> tuple[ssl.SSLContext, Pems]:
        """Return what a port speaks, and the same files as bytes; SetupError if they are being replaced meanwhile."""
        try:
            before, context = self.pems(), self.context()
            after = self.pems()
        except OSError as exc:
            raise SetupError(f"tls files of edge must be PEM files that belong together, got none ({exc})") from exc
        if after != before:
            raise SetupError("files of TLS must stay while they are read, got ones that were replaced: look again")
        return context, after

    def stamp(self) -> tuple[tuple[int, ...], ...]:
        """Return what differs once a file was written or replaced; of a file that is not there, nothing."""
        return tuple(_stamp(path) for path in (self.cert, self.key, self.client_ca) if path is not None)


class RenewedTls:
    """TLS of ports whose files are renewed under way: each connection meets the newest that belong together.

    Certificates are short-lived where nothing is trusted for long, and an authority that was withdrawn must not go on
    letting in; a connection that stands is asked again when it ends. What does not belong together, as while files are
    being replaced, is not taken: what was stays, and is looked at again when a file changes.

    Parameters
    ----------
    files : Tls
        Where they lie.
    tell : callable
        Told ``taken`` or ``refused`` for each change.

    Raises
    ------
    SetupError
        The files do not belong together to begin with.
    """

    def __init__(self, files: Tls, tell: Callable[[str], None]) -> None:
        self._files, self._tell = files, tell
        self._stamp = files.stamp()
        self._context, self._pems = files.both()
        self._given: Pems | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a port of asyncio speaks: each handshake goes over to the newest certificates and authorities."""
        made = self._files.context()

        def newest(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
            connection.context = self._context

        made.sni_callback = newest  # called for every hello, whether it names a server or not
        return made

    def credentials(self, grpc: Any) -> Any:  # noqa: ANN401 - ships no types
        """Return the same for a server of gRPC, which asks at each connection whether there are newer ones."""

        def made(pems: Pems) -> Any:  # noqa: ANN401
            return grpc.ssl_server_certificate_configuration([(pems.key, pems.cert)], root_certificates=pems.client_ca)

        def newer() -> Any:  # noqa: ANN401
            pems = self._pems
            if self._given is pems:
                return None
            found = made(pems)
            self._given = pems
            return found

        self._given = pems = self._pems
        must = pems.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(made(pems), newer, require_client_authentication=must)

    def look(self) -> None:
        """Take up files that have changed since the last look."""
        if (stamp := self._files.stamp()) == self._stamp:
            return
        self._stamp = stamp  # of before the reading: what is replaced meanwhile is looked at again
        try:
            context, pems = self._files.both()
        except SetupError as exc:
            log.warning("certificates are not taken, those before stay", why=str(exc))
            self._tell("refused")
            return
        self._context, self._pems = context, pems
        log.info("certificates are renewed", cert=str(self._files.cert))
        self._tell("taken")


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def tls_of(cert: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    """Return the files that were named together; None if none was.

    Raises
    ------
    SetupError
        One is missing beside another.
    """
    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None:
        raise SetupError(f"tls-cert of edge must come with tls-key, and tls-client-ca with both, got {cert} and {key}")
    return Tls(cert, key, client_ca)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address, as it is written."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_reach(what: str, host: str, tls: Tls | None, *, may_anyone: bool) -> None:
    """Refuse an address that others reach unless they must show a certificate, or it was said aloud that they need not.

    Whoever reaches the service can use up an agent's rate, have answers acknowledged, and read which agents are
    contained: it has no authentication of its own but this one.

    Raises
    ------
    SetupError
        Anyone could ask.
    """
    if is_loopback(host) or may_anyone or (tls is not None and tls.client_ca is not None):
        return
    raise SetupError(
        f"{what} of edge must be of loopback, or with tls-cert, tls-key and tls-client-ca, got {host!r}: run one edge "
        f"beside each gateway, in its pod or on its machine; or give the certificates; or say {ALOUD}"
    )
