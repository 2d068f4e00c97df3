"""Receivers as URLs, and what goes to each."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.sinks.target import Target
from detector.sinks.transports import TRANSPORTS, open_sender, parse_target, transport_of


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("syslog://127.0.0.1:5514", Target("syslog", "127.0.0.1", 5_514)),
        ("syslog://siem", Target("syslog", "siem", 601)),
        ("syslog+tcp://siem", Target("syslog+tcp", "siem", 601)),
        ("syslog+udp://siem", Target("syslog+udp", "siem", 514)),
        ("syslog+tls://[::1]:6514", Target("syslog+tls", "::1", 6_514)),
        ("file:///var/log/alerts%20x.jsonl", Target("file", "/var/log/alerts x.jsonl", 0)),
    ],
)
def test_a_receiver_is_read_from_its_url(url: str, target: Target) -> None:
    """With the port its transport has by custom."""
    assert parse_target(url) == target


@pytest.mark.parametrize(
    "url", ["", "siem:514", "http://siem", "syslog://", "syslog://h:99999", "file://host/x", "file:"]
)
def test_what_is_no_receiver_is_refused(url: str) -> None:
    """The message shows how it is written."""
    with pytest.raises(SetupError, match=r"target of siem must be .*(://HOST:PORT|:///PATH)"):
        parse_target(url)


@pytest.mark.parametrize("scheme", ["", "syslog+relp", "SYSLOG", "tcp"])
def test_an_unknown_transport_is_refused_and_never_taken_for_syslog(scheme: str) -> None:
    """With the list of those there are, wherever it comes from."""
    for refuse in (transport_of, lambda one: open_sender(Target(one, "siem", 601))):
        with pytest.raises(SetupError, match=r"must be syslog://HOST:PORT, .*file:///PATH, got scheme"):
            refuse(scheme)


def test_each_transport_knows_what_receivers_take() -> None:
    """Datagrams are small, lines are not."""
    assert TRANSPORTS["syslog+udp"].limit < TRANSPORTS["syslog"].limit < TRANSPORTS["file"].limit


def test_a_target_reads_as_it_is_asked_for() -> None:
    """In logs and in errors."""
    assert str(parse_target("syslog+tls://siem")) == "syslog+tls://siem:6514"
    assert str(parse_target("file:///var/log/alerts")) == "/var/log/alerts"


def test_a_file_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    """Not with the first alert, days later."""
    with pytest.raises(SetupError, match="must be writable"):
        open_sender(Target("file", str(tmp_path / "no" / "file"), 0))
