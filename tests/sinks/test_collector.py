"""A real receiver of syslog over TLS: the OpenTelemetry Collector's, which asks for certificates and parses RFC 5424.

It is not part of the Collector that `detector connect` needs, so nothing here builds it: `DETECTOR_SYSLOG_COLLECTOR`
names a binary with `syslogreceiver` and `fileexporter` (tried: 0.158.0).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detector.errors import DeliveryError
from detector.schema.alert import Alert
from detector.sinks.ocsf import encode
from detector.sinks.sender import SenderOptions, tls_context
from detector.sinks.syslog import SyslogHeader, frame, message
from detector.sinks.target import Target
from detector.sinks.transports import open_sender
from tests.edge.test_tls import Authority, ours, theirs
from tests.sinks.rsyslog import WAIT_S, wait_until
from tests.sinks.test_rsyslog import NASTY

__all__ = ["ours", "theirs"]

MakeAlert = Callable[..., Alert]
CONFIG = """\
receivers:
  syslog:
    protocol: rfc5424
    enable_octet_counting: true
    tcp:
      listen_address: 127.0.0.1:{port}
      max_log_size: 64KiB
      tls: {{cert_file: {cert}, key_file: {key}, client_ca_file: {ca}}}
exporters:
  file: {{path: {out}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [syslog], exporters: [file]}}
"""


class Collector:
    """A running receiver: where it listens, and what it wrote."""

    def __init__(self, binary: str, folder: Path, ours: Authority) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.out = folder / "out.jsonl"
        cert, key = ours.write("siem")
        config = folder / "collector.yaml"
        config.write_text(CONFIG.format(port=self.port, cert=cert, key=key, ca=ours.path, out=self.out))
        self._said = folder / "collector.log"
        with self._said.open("wb") as log:
            self._process = subprocess.Popen([binary, f"--config={config}"], stdout=log, stderr=log)
        wait_until(self._listens)

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._said.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def records(self) -> list[dict[str, Any]]:
        """Return what was received, as it was taken apart."""
        lines = self.out.read_text().splitlines() if self.out.is_file() else []
        return [
            {one["key"]: one["value"] for one in record["attributes"]} | {"raw": record["body"]["stringValue"]}
            for line in lines
            for resource in json.loads(line)["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    def stop(self) -> None:
        """End it in order."""
        self._process.terminate()
        self._process.wait(WAIT_S)


@pytest.fixture
def collector(tmp_path: Path, ours: Authority) -> Iterator[Collector]:
    """Return a running receiver that asks for a certificate of our authority."""
    binary = os.environ.get("DETECTOR_SYSLOG_COLLECTOR")
    if not binary:
        pytest.skip("DETECTOR_SYSLOG_COLLECTOR names no Collector: syslog over TLS has no receiver of others here")
    made = Collector(binary, tmp_path, ours)
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.integration
def test_nasty_strings_come_back_exactly_over_tls(collector: Collector, ours: Authority, make_alert: MakeAlert) -> None:
    """Framed by octet counting, taken apart as RFC 5424 says, and the body is the finding."""
    alerts = [make_alert(agent=text, title=text, event_id=str(number)) for number, text in enumerate(NASTY)]
    sent = [message(alert, encode(alert), SyslogHeader("soc-1")) for alert in alerts]
    cert, key = ours.write("forwarder")
    options = SenderOptions(timeout_s=WAIT_S, attempts=1, tls=tls_context(str(ours.path), str(cert), str(key)))
    with closing(open_sender(Target("syslog+tls", "127.0.0.1", collector.port), options)) as sender:
        for one in sent:
            sender.send(one)
        sender.flush()
    wait_until(lambda: len(collector.records()) >= len(sent))
    records = collector.records()
    assert [record["raw"].encode() for record in records] == [frame(one) for one in sent]
    bodies = [json.loads(record["message"]["stringValue"]) for record in records]
    assert [body["finding_info"]["title"] for body in bodies] == NASTY
    assert {record["appname"]["stringValue"] for record in records} == {"agent-behaviour-detector"}


@pytest.mark.integration
def test_a_burst_over_tls_arrives_whole_when_the_sender_ends(
    collector: Collector, ours: Authority, make_alert: MakeAlert
) -> None:
    """Ten thousand messages, and the process that sent them is done."""
    sent = [message(make_alert(), b'{"count":%d}' % number, SyslogHeader("soc-1")) for number in range(10_000)]
    cert, key = ours.write("forwarder")
    options = SenderOptions(timeout_s=WAIT_S, attempts=1, tls=tls_context(str(ours.path), str(cert), str(key)))
    with closing(open_sender(Target("syslog+tls", "127.0.0.1", collector.port), options)) as sender:
        for one in sent:
            sender.send(one)
    wait_until(lambda: len(collector.records()) >= len(sent))
    assert [record["raw"].encode() for record in collector.records()] == [frame(one) for one in sent]


@pytest.mark.integration
def test_without_a_certificate_of_its_authority_nothing_is_taken(
    collector: Collector, ours: Authority, theirs: Authority, make_alert: MakeAlert
) -> None:
    """Neither none nor a stranger's; and the sender says so instead of taking the message for sent."""
    one = message(make_alert(), b"{}", SyslogHeader("soc-1"))
    stranger = [str(path) for path in theirs.write("forwarder")]
    for pair in ([], stranger):
        options = SenderOptions(timeout_s=WAIT_S, attempts=1, tls=tls_context(str(ours.path), *pair))
        with pytest.raises(DeliveryError):
            _hand_over(Target("syslog+tls", "127.0.0.1", collector.port), options, one)
    assert collector.records() == []


def _hand_over(target: Target, options: SenderOptions, one: bytes) -> None:
    with closing(open_sender(target, options)) as sender:
        sender.send(one)
        sender.flush()
