"""Receivers as URLs."""

from __future__ import annotations

import pytest

from detector.errors import SetupError
from detector.sinks.target import Target, parse_target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("syslog://127.0.0.1:5514", Target("tcp", "127.0.0.1", 5_514)),
        ("syslog://siem", Target("tcp", "siem", 601)),
        ("syslog+udp://siem", Target("udp", "siem", 514)),
        ("syslog+tls://[::1]:6514", Target("tls", "::1", 6_514)),
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
    """The message shows the forms there are."""
    with pytest.raises(SetupError, match="must be syslog://HOST:PORT"):
        parse_target(url)


def test_each_transport_knows_what_receivers_take() -> None:
    """Datagrams are small, lines are not."""
    assert Target("udp", "h", 1).limit < Target("tcp", "h", 1).limit < Target("file", "/x", 0).limit
