"""The senders of syslog against receivers that behave and receivers that do not."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from detector.errors import DeliveryError, SetupError
from detector.sinks.datagram import DatagramSender
from detector.sinks.sender import SenderOptions, StreamSender, tls_context
from detector.sinks.target import Target
from detector.sinks.transports import open_sender

FRAME = re.compile(rb"(\d+) ")
QUICK = SenderOptions(timeout_s=2.0, attempts=2)
WAIT_S = 10.0


def frames(data: bytes) -> list[bytes]:
    """Return the messages of an octet-counted stream; a torn last one is left out."""
    found, at = [], 0
    while (head := FRAME.match(data, at)) is not None and head.end() + int(head[1]) <= len(data):
        at = head.end() + int(head[1])
        found.append(data[head.end() : at])
    return found


class Receiver:
    """A syslog server in a thread: reads each connection to its end.

    With `most`, it breaks a connection off (with a reset) once it has that many bytes of it.
    """

    def __init__(self, context: ssl.SSLContext | None = None, most: int | None = None) -> None:
        self.context = context
        self.most = most
        self.connections: list[bytes] = []
        self.ended = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(WAIT_S)

    def wait_for(self, connections: int) -> None:
        """Return once so many connections have ended."""
        with self.ended:
            assert self.ended.wait_for(lambda: len(self.connections) >= connections, WAIT_S)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                data = self._read(connection)
            with self.ended:
                self.connections.append(data)
                self.ended.notify_all()

    def _read(self, connection: socket.socket) -> bytes:
        data = b""
        while part := connection.recv(65_536):
            data += part
            if self.most is not None and len(data) >= self.most:
                self.most = None
                # Lingering for no time sends a reset: what a killed process with unread bytes looks like.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.close()
                return data
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap().close()
        return data


def _sender(receiver: Receiver, options: SenderOptions = QUICK) -> StreamSender:
    return StreamSender(Target("syslog", "127.0.0.1", receiver.port), options)


def test_messages_arrive_framed_and_in_order() -> None:
    """One connection, octet counting, line feeds and all."""
    sent = [b"one", b"two\nlines", b"x" * 70_000]
    with Receiver() as receiver:
        with _sender(receiver) as sender:
            for one in sent:
                sender.send(one)
            sender.flush()
        receiver.wait_for(1)
    assert [frames(data) for data in receiver.connections] == [sent]


@pytest.mark.slow
def test_closing_returns_when_the_receiver_has_read_to_the_end() -> None:
    """Nothing is lost between the last send and the close."""
    with Receiver() as receiver:
        with _sender(receiver) as sender:
            for number in range(20_000):
                sender.send(b"alert %d" % number)
        assert len(receiver.connections) <= 1
        receiver.wait_for(1)
    assert len(frames(receiver.connections[0])) == 20_000


def test_after_a_broken_connection_the_last_messages_are_sent_again() -> None:
    """What the receiver had not read when it died comes once more; consumers drop repeats by id."""
    sent = [b"alert %d" % number for number in range(50)]
    with Receiver(most=1) as receiver:
        with _sender(receiver) as sender:
            sender.send(sent[0])
            receiver.wait_for(1)
            for one in sent[1:]:
                sender.send(one)
        receiver.wait_for(2)
    assert frames(receiver.connections[1]) == sent


def test_a_connection_that_holds_sends_nothing_twice() -> None:
    """Repeats come of broken connections only, also when one is ended at each flush."""
    with Receiver() as receiver:
        with _sender(receiver, SenderOptions(timeout_s=2.0, attempts=2, confirm=True)) as sender:
            for one in (b"one", b"two", b"three"):
                sender.send(one)
                sender.flush()
        receiver.wait_for(3)
    assert [frames(data) for data in receiver.connections] == [[b"one"], [b"two"], [b"three"]]


def test_a_confirmed_flush_tells_when_the_receiver_died_before_reading() -> None:
    """The receiver resets: the flush must not come back as if all were well."""
    with Receiver(most=1) as receiver:
        sender = _sender(receiver, SenderOptions(timeout_s=2.0, attempts=2, confirm=True))
        sender.send(b"one")
        receiver.wait_for(1)
        with pytest.raises(DeliveryError, match="must take alerts"):
            sender.flush()


def test_nobody_listening_is_told_with_a_time_to_come_back() -> None:
    """After the attempts allowed, not after for ever."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    sender = StreamSender(Target("syslog", "127.0.0.1", port), QUICK)
    with pytest.raises(DeliveryError, match=f"receiver syslog://127.0.0.1:{port} must take alerts") as told:
        sender.send(b"one")
    assert told.value.retry_after == 2.0
    sender.flush()
    sender.close()


def test_a_receiver_that_does_not_read_holds_the_flush() -> None:
    """Full buffers are not delivery."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        target = Target("syslog", "127.0.0.1", listener.getsockname()[1])
        sender = StreamSender(target, SenderOptions(timeout_s=0.3, attempts=1))

        def fill() -> None:
            for _ in range(1_000):
                sender.send(b"x" * 60_000)
                sender.flush()

        with pytest.raises(DeliveryError, match="must take alerts"):
            fill()


def test_a_datagram_is_a_message() -> None:
    """No frame around it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(WAIT_S)
        with DatagramSender(Target("syslog+udp", "127.0.0.1", receiver.getsockname()[1]), QUICK) as sender:
            sender.send(b"one")
            sender.flush()
            assert receiver.recv(100) == b"one"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 and its key, made for this run."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not on the PATH: TLS to a SIEM is not tested here")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    made += ["-subj", "/CN=siem", "-addext", "subjectAltName=IP:127.0.0.1", "-out", str(cert), "-keyout", str(key)]
    subprocess.run(made, check=True, capture_output=True)
    return cert, key


@pytest.mark.integration
def test_tls_closes_in_order_and_loses_nothing(certificate: tuple[Path, Path]) -> None:
    """With close_notify: a bare close was measured to lose a fifth."""
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    options = SenderOptions(timeout_s=5.0, attempts=2, tls=tls_context(str(cert)))
    with Receiver(context) as receiver:
        with closing(open_sender(Target("syslog+tls", "127.0.0.1", receiver.port), options)) as sender:
            for number in range(5_000):
                sender.send(b"alert %d" % number)
            sender.flush()
        receiver.wait_for(1)
    assert len(frames(receiver.connections[0])) == 5_000


def test_missing_pem_files_are_told(tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(SetupError, match="must be readable PEM files"):
        tls_context(str(tmp_path / "no.pem"))


@pytest.mark.integration
def test_a_receiver_that_cannot_prove_itself_gets_nothing(certificate: tuple[Path, Path]) -> None:
    """An unknown certificate is no receiver of ours."""
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = Target("syslog+tls", "127.0.0.1", listener.getsockname()[1])
        sender = open_sender(target, SenderOptions(timeout_s=5.0, attempts=1))

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, pytest.raises(OSError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(DeliveryError, match="certificate verify failed"):
            sender.send(b"one")
        thread.join(WAIT_S)
