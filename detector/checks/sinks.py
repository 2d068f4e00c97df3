"""What every rendering of alerts and every transport must keep, whoever wrote it.

Each check returns faults, a sentence each; none if it holds. The tests run them over all entries of
:data:`detector.sinks.renderings.RENDERINGS` and :data:`detector.sinks.transports.TRANSPORTS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from detector.errors import DeliveryError, DetectorError, SetupError
from detector.schema.alert import Alert
from detector.sinks.body import Rendering, shorten, to_bytes
from detector.sinks.renderings import RENDERINGS
from detector.sinks.sender import SenderOptions
from detector.sinks.syslog import SyslogHeader
from detector.sinks.target import Sender, Target
from detector.sinks.transports import Transport, outgoing

NASTY = ('"quoted"', "back\\slash", "]bracket]", "line\nfeed\r", "nul\0", "ünïcode 日本", "\x1b[31mred", "a" * 1_024)
"""Strings an agent may choose: whoever renders them must neither break nor be broken by them."""
SMALL = 6_144
"""Bytes that a rendering must fit into when all it can spare is left out: a datagram of 8 kB, less its header."""
QUICK = SenderOptions(timeout_s=1.0, attempts=1)


def faults_of_rendering(render: Callable[[Alert], bytes], alert: Alert) -> list[str]:
    """Return where a rendering of alerts to bytes breaks the law of renderings.

    Parameters
    ----------
    render : callable
        Returns what is sent of one alert.
    alert : Alert
        One that renders well; it is varied with strings agents may choose.
    """
    faults = []
    variants = [alert, *(alert.model_copy(update={"agent_id": text, "title": text, "zone": text}) for text in NASTY)]
    for one in variants:
        sent = render(one)
        if sent != render(one):
            faults.append(f"rendering of agent {one.agent_id!r:.40} must be the same each time, got another")
        if not sent or b"\n" in sent or b"\0" in sent:
            faults.append(f"rendering of agent {one.agent_id!r:.40} must be one line without NUL, got {sent[:40]!r}")
        try:
            sent.decode()
        except UnicodeDecodeError:
            faults.append(f"rendering of agent {one.agent_id!r:.40} must be UTF-8, got other bytes")
    if len({render(one) for one in variants}) != len(variants):
        faults.append("renderings of alerts that differ must differ, got the same for two")
    later = alert.model_copy(update={"counter": alert.counter + 1, "activity": "update"})
    if render(later) == render(alert):
        faults.append("rendering of an update must differ from its first alert, got the same")
    return faults


def faults_of_shortening(rendering: Rendering, alert: Alert, limit: int = SMALL) -> list[str]:
    """Return where a rendering cannot be made to fit a receiver, or hides that it was.

    Parameters
    ----------
    rendering : Rendering
        An entry of the table, or one that wants to be.
    alert : Alert
        One with evidence and contributions; it is made longer than any limit.
    limit : int
        Bytes that must do.
    """
    faults = []
    long = {"evidence": alert.evidence * 300, "contributions": alert.contributions * 300}
    body = rendering.render(alert.model_copy(update=long))
    before = to_bytes(body)
    short = shorten(body, rendering, limit)
    sent = to_bytes(short)
    if to_bytes(body) != before:
        faults.append("body given to be shortened must be left as it is, got a changed one")
    if len(sent) > limit:
        faults.append(f"long alert must be shortened to {limit} bytes, got {len(sent)}: name more that can be spared")
    known = {"finding": alert.finding_uid, "agent": alert.agent_id}
    lost = [
        name for name, value in known.items() if json.dumps(value).encode() not in sent and value.encode() not in sent
    ]
    faults += [f"shortened alert must still name its {name}, got none" for name in lost]
    bare = rendering.render(alert.model_copy(update={"evidence": (), "contributions": ()}))
    if to_bytes(rendering.mark(bare, len(before))) == to_bytes(bare):
        faults.append("shortened alert must say that it was, got no mark")
    faults += [
        f"spare part {path!r} must stand in the body, got none such" for path in rendering.spare if not _has(body, path)
    ]
    return faults


def faults_of_transport(transport: Transport, nobody: Target, alert: Alert) -> list[str]:
    """Return where a transport breaks the law of transports.

    Parameters
    ----------
    transport : Transport
        An entry of the table, or one that wants to be.
    nobody : Target
        A target of it where nobody listens, or a path that can be written.
    alert : Alert
        One that renders well.
    """
    faults = _faults_of_wrapping(transport, alert)
    try:
        sender = transport.open(nobody, QUICK)
    except SetupError:
        return faults
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the fault
        return [*faults, f"sender must open or refuse with a SetupError, got {error!r}"]
    return faults + _faults_of_sender(sender, transport.wrap(alert, b"{}", SyslogHeader()))


def _faults_of_wrapping(transport: Transport, alert: Alert) -> list[str]:
    faults = []
    long = alert.model_copy(update={"evidence": alert.evidence * 10_000})
    for name, rendering in RENDERINGS.items():
        rendered = to_bytes(rendering.render(alert))
        if not transport.wrap(alert, rendered, SyslogHeader()).endswith(rendered):
            faults.append(f"message must end with the alert as {name} rendered it, got something else")
        sent = outgoing(long, rendering, transport, SyslogHeader())
        if len(sent) > transport.limit:
            faults.append(f"message of a long alert as {name} must fit {transport.limit} bytes, got {len(sent)}")
        faults += faults_of_rendering(_sent(rendering, transport), alert)
    if transport.most is not None and transport.most < transport.limit:
        faults.append(f"most that can be sent must reach the limit {transport.limit}, got {transport.most}")
    return faults


def _sent(rendering: Rendering, transport: Transport) -> Callable[[Alert], bytes]:
    return lambda alert: outgoing(alert, rendering, transport, SyslogHeader())


def _faults_of_sender(sender: Sender, message: bytes) -> list[str]:
    faults = []
    acts: dict[str, Callable[[], None]] = {
        "send": lambda: sender.send(message),
        "flush": sender.flush,
        "close": sender.close,
        "second close": sender.close,
    }
    for name, act in acts.items():
        try:
            act()
        except DeliveryError:
            continue
        except (DetectorError, OSError, ValueError, AttributeError) as error:
            faults.append(f"{name} with nobody there must come back or raise a DeliveryError, got {error!r}")
    return faults


def _has(body: object, path: str) -> bool:
    for name in path.split("."):
        if not isinstance(body, dict) or name not in body:
            return False
        body = body[name]
    return True
