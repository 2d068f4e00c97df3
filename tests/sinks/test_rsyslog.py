"""A real rsyslogd on loopback: what is sent is what it writes down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from detector.schema.alert import Alert
from detector.sinks.datagram import DatagramSender
from detector.sinks.ocsf import encode
from detector.sinks.sender import SenderOptions, StreamSender
from detector.sinks.syslog import SyslogHeader, message
from detector.sinks.target import Target
from tests.sinks.rsyslog import WAIT_S, Rsyslog, rsyslogd, wait_until

MakeAlert = Callable[..., Alert]
NASTY = [
    "line\nfeed\r\n<13>1 - forged - - - -",
    'quote " bracket ] backslash \\ pipe | equals = end"]',
    "tab\tnul\x00escape\x1b[31m delete\x7f",
    "separator\u2028override\u202e smile \U0001f600 é ü",
    "%s %n #012 #{x} $(x) {{x}}",
]


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    """Return a running rsyslogd."""
    with Rsyslog(rsyslogd(), tmp_path) as server:
        yield server


def _nasty(make_alert: MakeAlert) -> list[bytes]:
    alerts = [make_alert(agent=text, title=text, event_id=str(number)) for number, text in enumerate(NASTY)]
    return [message(alert, encode(alert), SyslogHeader("soc-1")) for alert in alerts]


@pytest.mark.integration
def test_nasty_strings_come_back_exactly_over_tcp(rsyslog: Rsyslog, make_alert: MakeAlert) -> None:
    """One alert is one record, byte for byte; the body is the finding and parses."""
    sent = _nasty(make_alert)
    with StreamSender(Target("syslog", "127.0.0.1", rsyslog.tcp)) as sender:
        for one in sent:
            sender.send(one)
        sender.flush()
    wait_until(lambda: len(rsyslog.lines("body.log")) >= len(sent))
    assert rsyslog.lines() == sent
    bodies = [json.loads(line) for line in rsyslog.lines("body.log")]
    assert [body["resources"][0]["uid"] for body in bodies] == NASTY
    assert [body["finding_info"]["title"] for body in bodies] == NASTY


@pytest.mark.integration
def test_nasty_strings_come_back_exactly_over_udp(rsyslog: Rsyslog, make_alert: MakeAlert) -> None:
    """Loopback loses nothing; a network may."""
    sent = _nasty(make_alert)
    with DatagramSender(Target("syslog+udp", "127.0.0.1", rsyslog.udp)) as sender:
        for number, one in enumerate(sent):
            sender.send(one)
            wait_until(partial(lambda due: len(rsyslog.lines()) >= due, number + 1))
    assert rsyslog.lines() == sent


@pytest.mark.integration
def test_a_close_in_order_loses_nothing(rsyslog: Rsyslog, make_alert: MakeAlert) -> None:
    """Ten thousand messages, and the process that sent them is done."""
    sent = [message(make_alert(), b'{"count":%d}' % number, SyslogHeader("soc-1")) for number in range(10_000)]
    with StreamSender(Target("syslog", "127.0.0.1", rsyslog.tcp)) as sender:
        for one in sent:
            sender.send(one)
    wait_until(lambda: len(rsyslog.lines()) >= len(sent))
    assert rsyslog.lines() == sent


@pytest.mark.integration
def test_a_killed_receiver_is_found_again_and_nothing_is_missing(rsyslog: Rsyslog, make_alert: MakeAlert) -> None:
    """Kill -9 between two alerts: the last ones are sent again, so repeats there may be, gaps not."""
    sent = [message(make_alert(), b'{"count":%d}' % number, SyslogHeader("soc-1")) for number in range(400)]
    options = SenderOptions(timeout_s=WAIT_S, attempts=100)
    with StreamSender(Target("syslog", "127.0.0.1", rsyslog.tcp), options) as sender:
        for number, one in enumerate(sent):
            sender.send(one)
            if number in {100, 250}:
                rsyslog.stop(kill=True)
                rsyslog.start()
    wait_until(lambda: set(rsyslog.lines()) >= set(sent))
    assert set(rsyslog.lines()) == set(sent)
