"""RFC 5424 messages: their grammar, and names that try to break out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import SetupError
from detector.schema.alert import Alert
from detector.sinks.ocsf import encode, render
from detector.sinks.syslog import SyslogHeader, escape, frame, message, unescape

MakeAlert = Callable[..., Alert]
GRAMMAR = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128})"
    r" (?P<msgid>[!-~]{1,32}) (?P<sd>\[[!-~]+(?: [!-~]+=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*\]) (?P<msg>\{.*\})"
)
PARAMETER = re.compile(r' (\w+)="((?:[^"\\\]]|\\["\\\]])*)"')
NASTY = 'a\n\r\t\x00\x1b[31m"]=|\\ \u2028\u202e\x7f\U0001f600é <13>1 - x - - - -'


def _parse(data: bytes) -> re.Match[str]:
    found = GRAMMAR.fullmatch(data.decode("ascii"))
    assert found is not None
    return found


def test_a_message_has_the_parts_of_the_rfc(make_alert: MakeAlert) -> None:
    """Priority local0.err, event time in milliseconds, sender, kind, ids, and the finding as it is."""
    alert = make_alert(time=1_000.5)
    found = _parse(message(alert, encode(alert), SyslogHeader("soc-1")))
    assert found["pri"] == str(16 * 8 + 3)
    assert found["time"] == "1970-01-01T00:16:40.500Z"
    assert (found["host"], found["app"], found["msgid"]) == ("soc-1", "agent-behaviour-detector", "finding-create")
    assert dict(PARAMETER.findall(found["sd"])) == {
        "uid": alert.finding_uid,
        "counter": "1",
        "tenant": "acme",
        "agent": "agent-1",
        "severity": "High",
        "risk": "80",
    }
    assert json.loads(found["msg"]) == render(alert)


@pytest.mark.parametrize(("severity", "number"), [("low", 5), ("medium", 4), ("high", 3), ("critical", 2)])
def test_severities_map_downwards(make_alert: MakeAlert, severity: str, number: int) -> None:
    """Syslog counts the other way round: critical is 2."""
    found = _parse(message(make_alert(severity=severity), b"{}", SyslogHeader()))
    assert int(found["pri"]) % 8 == number


def test_a_message_bears_no_byte_order_mark(make_alert: MakeAlert) -> None:
    """ASCII is MSG-ANY: a mark is for UTF-8 text, and JSON parsers choke on it."""
    assert b"\xef\xbb\xbf" not in message(make_alert(), encode(make_alert()), SyslogHeader())


@given(st.text(max_size=40))
def test_any_name_stays_inside_its_parameter(make_alert: MakeAlert, text: str) -> None:
    """One alert is one message of printable ASCII, whatever an agent calls itself; the name comes back whole."""
    data = message(make_alert(agent=text), b"{}", SyslogHeader())
    assert all(32 <= byte < 128 for byte in data)
    found = _parse(data)
    assert unescape(dict(PARAMETER.findall(found["sd"]))["agent"]) == text


@given(st.text())
def test_escaping_is_undone_by_unescaping(text: str) -> None:
    """And leaves printable ASCII only."""
    escaped = escape(text)
    assert all(" " <= letter < "\x7f" for letter in escaped)
    assert unescape(escaped) == text


@pytest.mark.parametrize("text", [NASTY, '"]', "\\", '\\"', "]\\", "\\]"])
def test_nasty_names_come_back_whole(text: str) -> None:
    """The characters the RFC escapes, at every place that has broken a writer before."""
    assert unescape(escape(text)) == text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_host_name_becomes_a_legal_one(make_alert: MakeAlert, host: str) -> None:
    """Spaces and controls would shift every later part."""
    _parse(message(make_alert(), b"{}", SyslogHeader(host)))


@pytest.mark.parametrize("time", [1e27, -1e27])
def test_a_time_that_no_calendar_has_becomes_nil(make_alert: MakeAlert, time: float) -> None:
    """The alert still goes out."""
    assert message(make_alert(time=time), b"{}", SyslogHeader())[:9] == b"<131>1 - "


def test_frames_count_octets() -> None:
    """Line feeds end nothing."""
    assert frame(b"abc") == b"3 abc"


@pytest.mark.parametrize("fault", [{"facility": 24}, {"facility": -1}, {"enterprise": -1}])
def test_a_faulty_header_is_refused(fault: dict[str, Any]) -> None:
    """Numbers out of range are said at the start, not by the receiver."""
    with pytest.raises(SetupError, match="of syslog must be"):
        SyslogHeader(**fault)
