"""The suites of renderings and transports: silent on every entry of the tables, loud on what breaks the law."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from detector.checks.sinks import faults_of_rendering, faults_of_shortening, faults_of_transport
from detector.errors import DeliveryError
from detector.schema.alert import Alert
from detector.sinks import ocsf
from detector.sinks.body import Body, Rendering, to_bytes
from detector.sinks.renderings import RENDERINGS
from detector.sinks.target import Target
from detector.sinks.transports import TRANSPORTS, Transport
from tests.sinks.alerts import make

ALERT = make("a-1", 2.5, 1_772_434_800.0)


def nobody(scheme: str, folder: Path) -> Target:
    """Return a target where nobody listens; of a transport that goes by path, a file that may be written."""
    if TRANSPORTS[scheme].port is None:
        return Target(scheme, str(folder / "alerts"), 0)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return Target(scheme, "127.0.0.1", closed.getsockname()[1])


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_rendering_of_the_table_passes_the_suite(name: str) -> None:
    """Whatever is entered there is held here."""
    rendering = RENDERINGS[name]
    assert faults_of_rendering(lambda alert: to_bytes(rendering.render(alert)), ALERT) == []
    assert faults_of_shortening(rendering, ALERT) == []


@pytest.mark.parametrize("scheme", TRANSPORTS)
def test_every_transport_of_the_table_passes_the_suite(scheme: str, tmp_path: Path) -> None:
    """With every rendering there is."""
    assert faults_of_transport(TRANSPORTS[scheme], nobody(scheme, tmp_path), ALERT) == []


@pytest.mark.parametrize("render", [ocsf.encode, lambda alert: alert.model_dump_json().encode()])
def test_what_goes_over_our_own_topics_passes_the_suite_of_renderings(render: Callable[[Alert], bytes]) -> None:
    """For the SOC, and for the response stage."""
    assert faults_of_rendering(render, ALERT) == []


@pytest.mark.parametrize(
    ("render", "fault"),
    [
        (lambda alert: f"{alert.agent_id} {alert.counter}".encode(), "one line"),
        (lambda alert: b"alert", "must differ"),
        (lambda alert: json.dumps(alert.agent_id).encode(), "an update must differ"),
        (lambda alert: ascii(alert.agent_id).encode("utf-16"), "must be"),
    ],
)
def test_a_rendering_that_breaks_the_law_is_told(render: Callable[[Alert], bytes], fault: str) -> None:
    """By what it broke."""
    assert any(fault in one for one in faults_of_rendering(render, ALERT))


def plain(alert: Alert) -> Body:
    """Return a small rendering that keeps the law."""
    seen = [one.event_id for one in alert.evidence]
    return {"finding": alert.finding_uid, "agent": alert.agent_id, "counter": alert.counter, "seen": seen}


def plainly_marked(body: Body, size: int) -> Body:
    """Return the body with the size it had."""
    return {**body, "was": size}


def spoil(body: Body, size: int) -> Body:
    """Return the body marked, after changing the one that was given."""
    body["seen"] = []
    return plainly_marked(body, size)


TOY = Rendering(plain, ("seen",), plainly_marked)


def test_a_small_rendering_passes_the_suite_of_shortening() -> None:
    """The harmless twin of those below."""
    assert faults_of_shortening(TOY, ALERT, 400) == []


@pytest.mark.parametrize(
    ("toy", "fault"),
    [
        (TOY._replace(spare=()), "must be shortened to 400 bytes"),
        (TOY._replace(spare=("finding", "agent", "seen")), "must still name its finding"),
        (TOY._replace(spare=("finding", "agent", "seen")), "must still name its agent"),
        (TOY._replace(spare=("sene", "seen")), "spare part 'sene' must stand in the body"),
        (TOY._replace(mark=lambda body, size: body), "must say that it was"),
        (TOY._replace(mark=spoil), "must be left as it is"),
    ],
)
def test_a_rendering_that_cannot_be_shortened_well_is_told(toy: Rendering, fault: str) -> None:
    """By what it broke."""
    assert any(fault in one for one in faults_of_shortening(toy, ALERT, 400))


class Careless:
    """A sender that lets the errors of the machine through."""

    def send(self, one: bytes) -> None:
        raise ConnectionRefusedError

    def flush(self) -> None:
        raise DeliveryError("nobody there", 1.0)

    def close(self) -> None:
        pass


def refuse(*_: object) -> Careless:
    """Raise what no caller expects."""
    raise OSError("no such device")


TUBE = Transport("tube://HOST", 1, 65_536, None, lambda alert, rendered, header: rendered, lambda *_: Careless())


@pytest.mark.parametrize(
    ("toy", "fault"),
    [
        (TUBE, "send with nobody there must come back or raise a DeliveryError"),
        (TUBE._replace(open=refuse), "must open or refuse with a SetupError"),
        (TUBE._replace(wrap=lambda alert, rendered, header: rendered + b"."), "must end with the alert as ocsf"),
        (TUBE._replace(wrap=lambda alert, rendered, header: b"\n" + rendered), "must be one line"),
        (TUBE._replace(wrap=lambda alert, rendered, header: b"-" * 70_000 + rendered), "must fit 65536 bytes"),
        (TUBE._replace(most=100), "must reach the limit 65536, got 100"),
    ],
)
def test_a_transport_that_breaks_the_law_is_told(toy: Transport, fault: str) -> None:
    """By what it broke."""
    assert any(fault in one for one in faults_of_transport(toy, Target("tube", "h", 1), ALERT))


def test_a_transport_that_refuses_its_target_by_name_keeps_the_law(tmp_path: Path) -> None:
    """A folder that is not there will never take a file."""
    assert faults_of_transport(TRANSPORTS["file"], Target("file", str(tmp_path / "no" / "file"), 0), ALERT) == []
