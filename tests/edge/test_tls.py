"""An edge that other machines reach: who has a certificate of the authority asks, everybody else is turned away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from detector.edge import grpc_server, wire
from detector.edge.grpc_server import ENVOY_SERVICE
from detector.edge.service import EdgeOptions, EdgeService
from detector.edge.tls import RenewedTls, Tls, check_reach, tls_of
from detector.errors import SetupError
from detector.schema.topics import TopicNames
from tests.edge.questions import envoy_question, tool
from tests.edge.test_service import NO_BROKER, _is_impatient, _serve, options

__all__ = ["_is_impatient", "options"]

READY = b"GET /livez HTTP/1.1\r\n\r\n"


class Authority:
    """A made-up authority, which writes certificates into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.path, self._key = self._made(name, "basicConstraints=critical,CA:TRUE")

    def write(self, name: str) -> tuple[Path, Path]:
        """Return the files of a new certificate for 127.0.0.1 and of its key."""
        return self._made(f"{self._name}.{name}", "subjectAltName=IP:127.0.0.1", "-CA", self.path, "-CAkey", self._key)

    def locked(self, name: str) -> tuple[Path, Path]:
        """Return the same, the key with a password."""
        cert, key = self.write(name)
        _openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", f"{key}.locked")
        return cert, Path(f"{key}.locked")

    def _made(self, name: str, extension: str, *signed_by: object) -> tuple[Path, Path]:
        cert, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "1"]
        more = ["-subj", f"/CN={name}", "-addext", extension, "-out", cert, "-keyout", key]
        _openssl("req", "-x509", *words, *more, *signed_by)
        return cert, key


def _openssl(*words: object) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not on the PATH: ports with certificates are not tested here")
    subprocess.run([openssl, *map(str, words)], check=True, capture_output=True, timeout=60)


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """Return the authority of the fleet."""
    return Authority(tmp_path, "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Authority:
    """Return somebody else's authority."""
    return Authority(tmp_path, "theirs")


def _ask_grpc(port: int, ca: Path | None, pair: tuple[Path, Path] | None) -> object:
    """Return the answer to a question over gRPC, or the status it failed with."""
    address, raw = f"127.0.0.1:{port}", envoy_question(tool("a"), "ci-7")
    if ca is None:
        channel = grpc.insecure_channel(address)
    else:
        key, cert = (None, None) if pair is None else (pair[1].read_bytes(), pair[0].read_bytes())
        channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes(), key, cert))
    with channel:
        try:
            answer = channel.unary_unary(f"/{ENVOY_SERVICE}/Check")(raw, timeout=5.0)
        except grpc.RpcError as error:
            return error.code()
    return wire.CheckResponse.FromString(answer).status.code


async def _ask_http(port: int, ca: Path | None, pair: tuple[Path, Path] | None = None) -> bytes:
    """Return what comes back from /livez; nothing where the other side turns away."""
    context = None
    if ca is not None:
        context = ssl.create_default_context(cafile=str(ca))
        if pair is not None:
            context.load_cert_chain(*pair)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(READY)
        answer = await reader.read()
        writer.close()
    except (ssl.SSLError, ConnectionError):
        return b""
    return answer


@pytest.mark.integration
def test_who_has_a_certificate_of_the_authority_asks_and_nobody_else(
    options: EdgeOptions, ours: Authority, theirs: Authority
) -> None:
    """Both ports, listened on where other machines reach them: a stranger's, none and no TLS at all are turned away."""
    tls = Tls(*ours.write("edge"), ours.path)
    reached = replace(options, listen=("0.0.0.0", 0), gateways="0.0.0.0:0", tls=tls)  # noqa: S104 - that is the test
    mine, stranger = ours.write("gateway"), theirs.write("gateway")

    async def act(service: EdgeService) -> None:
        port = service.gateway_port
        assert await asyncio.to_thread(_ask_grpc, port, ours.path, mine) == 7, "denied: no topic was read yet"
        for ca, pair in ((ours.path, stranger), (ours.path, None), (None, None)):
            assert await asyncio.to_thread(_ask_grpc, port, ca, pair) is grpc.StatusCode.UNAVAILABLE
        assert (await _ask_http(service.probe_port, ours.path, mine)).startswith(b"HTTP/1.1 200")
        for ca, pair in ((ours.path, stranger), (ours.path, None), (None, None)):
            assert await _ask_http(service.probe_port, ca, pair) == b""

    _serve(reached, act)


@pytest.mark.integration
def test_without_an_authority_nobody_needs_a_certificate_and_all_is_encrypted(
    options: EdgeOptions, ours: Authority
) -> None:
    """TLS on loopback: the service shows its certificate, and plain text is no answer."""
    served = replace(options, listen=("127.0.0.1", 0), gateways="127.0.0.1:0", tls=Tls(*ours.write("edge")))

    async def act(service: EdgeService) -> None:
        assert await asyncio.to_thread(_ask_grpc, service.gateway_port, ours.path, None) == 7
        assert (await _ask_http(service.probe_port, ours.path)).startswith(b"HTTP/1.1 200")
        assert await _ask_http(service.probe_port, None) == b""

    _serve(served, act)


@pytest.mark.integration
@pytest.mark.parametrize("port", ["probes", "gateways"])
def test_a_port_that_anyone_reaches_is_refused_until_it_is_said_aloud(
    options: EdgeOptions, ours: Authority, port: str
) -> None:
    """Neither in the clear nor with a certificate of the service alone; the socket is taken away again."""
    reached = (
        replace(options, listen=("0.0.0.0", 0))  # noqa: S104 - refused
        if port == "probes"
        else replace(options, gateways="0.0.0.0:0")
    )
    for tls in (None, Tls(*ours.write("edge"))):
        service = EdgeService(NO_BROKER, TopicNames(), replace(reached, tls=tls))
        with pytest.raises(SetupError, match="anyone-may-ask"):
            asyncio.run(service.run(asyncio.Event()))
        assert not options.socket_path.exists()

    async def act(service: EdgeService) -> None:
        assert service.probe_port or service.gateway_port

    _serve(replace(reached, may_anyone=True), act)


def _renew(tls: Tls, cert: Path, key: Path, ca: Path) -> None:
    """Replace the three files by others."""
    for old, new in zip((tls.cert, tls.key, tls.client_ca), (cert, key, ca), strict=True):
        assert old is not None
        shutil.copy(new, fresh := old.with_suffix(".fresh"))
        fresh.replace(old)


async def _until_counted(service: EdgeService, became: str, count: float) -> None:
    def counted() -> float | None:
        return service.metrics.registry.get_sample_value("detector_edge_certificates_total", {"became": became})

    async with asyncio.timeout(20.0):
        while counted() != count:  # noqa: ASYNC110 - a counter has nobody to tell
            await asyncio.sleep(0.05)


@pytest.mark.integration
def test_files_are_renewed_under_way_and_the_old_authority_lets_nobody_in_any_more(
    options: EdgeOptions, ours: Authority, theirs: Authority, tmp_path: Path
) -> None:
    """Both ports show the new certificate and ask for one of the new authority; what does not fit is not taken."""
    tls = Tls(tmp_path / "edge.pem", tmp_path / "edge.key", tmp_path / "ca.pem")
    for path in (tls.cert, tls.key, tls.client_ca):
        assert path is not None
        path.touch()
    _renew(tls, *ours.write("edge"), ours.path)
    served = replace(options, listen=("127.0.0.1", 0), gateways="127.0.0.1:0", tls=tls)
    before, after = ours.write("gateway"), theirs.write("gateway")

    async def let_in(service: EdgeService, ca: Path, pair: tuple[Path, Path]) -> tuple[bool, bool]:
        by_grpc = await asyncio.to_thread(_ask_grpc, service.gateway_port, ca, pair)
        by_http = await _ask_http(service.probe_port, ca, pair)
        return by_grpc == 7, by_http.startswith(b"HTTP/1.1 200")

    async def act(service: EdgeService) -> None:
        assert await let_in(service, ours.path, before) == (True, True)
        shutil.copy(theirs.write("other")[1], tls.key)
        await _until_counted(service, "refused", 1.0)
        assert await let_in(service, ours.path, before) == (True, True)
        _renew(tls, *theirs.write("edge"), theirs.path)
        await _until_counted(service, "taken", 1.0)
        assert await let_in(service, theirs.path, after) == (True, True)
        assert await let_in(service, ours.path, before) == (False, False)
        assert await let_in(service, theirs.path, before) == (False, False)

    _serve(served, act)


@pytest.mark.integration
def test_a_handshake_that_nobody_ends_is_dropped_on_both_ports(
    options: EdgeOptions, ours: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has no certificate holds nothing open for long; gRPC's own patience is two minutes."""
    monkeypatch.setattr(grpc_server, "HANDSHAKE_MS", 200)
    served = replace(options, listen=("127.0.0.1", 0), gateways="127.0.0.1:0", tls=Tls(*ours.write("edge"), ours.path))

    async def act(service: EdgeService) -> None:
        for port in (service.gateway_port, service.probe_port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.timeout(10.0):
                assert await reader.read() == b""
            writer.close()

    _serve(served, act)


@pytest.mark.integration
def test_what_is_no_tls_after_the_handshake_breaks_off_and_is_counted(
    options: EdgeOptions, ours: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody writes a traceback into the log for each connection; the next one is answered."""
    served = replace(options, listen=("127.0.0.1", 0), tls=Tls(*ours.write("edge")))

    async def act(service: EdgeService) -> None:
        context = ssl.create_default_context(cafile=str(ours.path))
        reader, writer = await asyncio.open_connection("127.0.0.1", service.probe_port, ssl=context)
        os.write(writer.get_extra_info("socket").fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            await reader.read()
        writer.close()
        assert (await _ask_http(service.probe_port, ours.path)).startswith(b"HTTP/1.1 200")
        counted = service.metrics.registry.get_sample_value("detector_edge_connections_closed_total", {"why": "broken"})
        assert counted == 1

    _serve(served, act)
    assert [one for one in caplog.records if one.name == "asyncio"] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "::1", "127.9.9.9"])
def test_loopback_needs_no_certificate(host: str) -> None:
    """Where only this machine asks, the machine's own rights hold."""
    check_reach("ext-authz", host, None, may_anyone=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "[::]", "gateway", "", "127.0.0.1.example"])  # noqa: S104
def test_every_other_host_needs_one(host: str) -> None:
    """A name is not taken for loopback, whatever it begins with."""
    with pytest.raises(SetupError, match=r"run one edge beside each.*anyone-may-ask"):
        check_reach("ext-authz", host, None, may_anyone=False)
    check_reach("ext-authz", host, Tls(Path("c"), Path("k"), Path("a")), may_anyone=False)
    check_reach("ext-authz", host, None, may_anyone=True)


def test_files_of_tls_come_together() -> None:
    """A certificate without its key, an authority alone: refused before anything listens."""
    cert, key = Path("c"), Path("k")
    assert tls_of(None, None, None) is None
    assert tls_of(cert, key, None) == Tls(cert, key)
    for given in ((cert, None, None), (None, key, None), (None, None, cert), (cert, None, cert)):
        with pytest.raises(SetupError, match="must come with"):
            tls_of(*given)


@pytest.mark.integration
def test_files_that_are_none_are_refused_by_name(ours: Authority, theirs: Authority, tmp_path: Path) -> None:
    """Another's key, one with a password (nobody is asked for it), a file that is not there, or no PEM."""
    cert, key = ours.write("edge")
    junk = tmp_path / "junk"
    junk.write_text("none")
    for broken in (
        Tls(cert, theirs.write("edge")[1]),
        Tls(*ours.locked("edge2")),
        Tls(cert, tmp_path / "gone"),
        Tls(cert, key, junk),
        Tls(junk, key),
    ):
        with pytest.raises(SetupError, match="belong together"):
            broken.context()
        with pytest.raises(SetupError, match="belong together"):
            RenewedTls(broken, print)
