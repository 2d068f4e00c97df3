"""What the demo sees: alerts and commands as any consumer of the topics would, and the worker's own figures."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError

from detector.errors import DeliveryError
from detector.schema.alert import Alert
from detector.schema.topics import TopicNames
from detector.sinks.ocsf_read import decode

ANSWER_WAIT_S = 2.0
SERIES = re.compile(r"^(detector_\w+)(\{[^}]*\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


class SeenAlert(NamedTuple):
    """First record of one finding, as the SOC received it, or of one that a further detection was added to.

    Attributes
    ----------
    uid, agent_id, session_id : str
        Finding, agent and session.
    detection : str
        What found it.
    event_time : float
        Event time of what triggered it, epoch seconds.
    at : float
        When it was read, epoch seconds.
    score : float
        -log10 of the share of recent sessions at least as strange.
    why : str
        Leading contribution, observed against expected.
    """

    uid: str
    agent_id: str
    session_id: str
    detection: str
    event_time: float
    at: float
    score: float
    severity: str
    why: str


class SeenCommand(NamedTuple):
    """One policy state, as an enforcement point received it."""

    agent_id: str
    state: str
    tier: str
    mode: str
    effective_at: float
    at: float


@dataclass(slots=True)
class DemoFacts:
    """Everything seen so far.

    Attributes
    ----------
    alerts : dict of str to SeenAlert
        First record of each finding.
    findings : dict of (str, str) to SeenAlert
        By finding and detection: a session that a rule told may be found by what was learned as well, or first.
    """

    alerts: dict[str, SeenAlert] = field(default_factory=dict)
    findings: dict[tuple[str, str], SeenAlert] = field(default_factory=dict)
    alert_records: int = 0
    commands: list[SeenCommand] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Records the worker has taken."""
        return int(self.figures.get("detector_records_total", 0))

    @property
    def refused(self) -> int:
        """Events the worker has refused."""
        return int(self.figures.get("detector_refused_total", 0))


class Watch:
    """Reads alerts and policy as they come.

    Parameters
    ----------
    bootstrap : str
        Broker.
    names : TopicNames
        Topics of the demo.
    """

    def __init__(self, bootstrap: str, names: TopicNames, clock: Callable[[], float] = time.time) -> None:
        self.facts = DemoFacts()
        self._names = names
        self._clock = clock
        options: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": f"{names.group}.watch",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6_000,
            "log_level": 0,
            "error_cb": lambda _: None,
        }
        self._consumer = Consumer(options)
        self._consumer.subscribe([names.alerts, names.policy])

    def listen(self, for_s: float) -> None:
        """Take up what arrives, waiting up to a time for the first of it."""
        for message in self._consumer.consume(200, for_s):
            error = message.error()
            if error is not None:
                if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue  # the embedded broker makes a topic when it is first asked for
                raise DeliveryError(f"topics of the demo must be readable, got {error.str()}: look at the broker's log")
            self._take(str(message.topic()), message.value())

    def _take(self, topic: str, value: bytes | None) -> None:
        if value is None:
            return
        if topic == self._names.policy:
            self.facts.commands.append(_command(json.loads(value), self._clock()))
            return
        self.facts.alert_records += 1
        alert = decode(value)
        for detection in dict.fromkeys(cause.split("/", 1)[0] for cause in alert.causes or (alert.detection,)):
            seen = _alert(alert, detection, self._clock())
            self.facts.alerts.setdefault(seen.uid, seen)
            self.facts.findings.setdefault((seen.uid, detection), seen)

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def _alert(alert: Alert, detection: str, at: float) -> SeenAlert:
    why = alert.title
    if alert.contributions:
        lead = alert.contributions[0]
        which = "" if lead.voice == "rule" else f"{lead.channel}: "  # the detection of a rule is named beside it
        why = f"{which}{lead.observed} (expected {lead.expected})"
    return SeenAlert(
        uid=alert.finding_uid,
        agent_id=alert.agent_id,
        session_id=alert.session_id or "",
        detection=detection,
        event_time=alert.time,
        at=at,
        score=alert.score or 0.0,
        severity=alert.severity.capitalize(),
        why=why,
    )


def _command(state: Mapping[str, Any], at: float) -> SeenCommand:
    agent = str(state["subject"]).split("/agent/", 1)[1]
    return SeenCommand(agent, state["state"], state["tier"], state["mode"], float(state["effective_at"]), at)


def figures(port: int) -> dict[str, float]:
    """Return the worker's metrics summed over their labels, empty while it does not answer.

    Those with a label ``name`` also by it, those of controls by ``kind`` and ``outcome``.
    """
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=ANSWER_WAIT_S) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return {}
    found: dict[str, float] = {}
    for match in map(SERIES.match, text.splitlines()):
        if match:
            name, labels, value = match.groups()
            found[name] = found.get(name, 0.0) + float(value)
            told = dict(LABEL.findall(labels or ""))
            for keys in (("name",), ("kind", "outcome")):
                if all(key in told for key in keys):
                    key = ".".join((name, *(told[key] for key in keys)))
                    found[key] = found.get(key, 0.0) + float(value)
    return found


def is_ready(port: int) -> bool:
    """Tell whether the worker has its partitions and its policy."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=ANSWER_WAIT_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
