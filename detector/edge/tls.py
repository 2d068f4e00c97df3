"""TLS of the edge service's ports: what it shows, whom it lets in, and which addresses need it."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.errors import SetupError

ALOUD = "--anyone-may-ask"


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

    def credentials(self, grpc: Any) -> Any:  # noqa: ANN401 - ships no types
        """Return the same for a server of gRPC, or SetupError."""
        self.context()
        ca = None if self.client_ca is None else self.client_ca.read_bytes()
        pair = (self.key.read_bytes(), self.cert.read_bytes())
        return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)


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
