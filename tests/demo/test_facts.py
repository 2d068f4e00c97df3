"""What the demo sees on its topics and of its worker, and what its platform team publishes."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from detector.demo.facts import SeenCommand, Watch, figures
from detector.demo.registering import Registrar
from detector.errors import SetupError
from detector.local.embedded import EmbeddedBroker
from detector.schema.registry import RegistryEntry
from detector.schema.topics import TopicNames
from detector.simulate.fleet import Fleet
from detector.simulate.registry import Terms, entries_of
from detector.sinks.ocsf import encode
from detector.views.reading import TopicReader
from tests.schema.test_alert import alert


def _record(**more: Any) -> bytes:
    """Return a record of `agent.alerts`."""
    return encode(alert(**more))


def test_alerts_and_commands_are_read_as_any_consumer_reads_them() -> None:
    """Findings once, and once for each detection in them; policy states in the order they come."""
    state = {
        "subject": "default/agent/a",
        "state": "quarantined",
        "tier": "limit",
        "mode": "enforce",
        "effective_at": 1.0,
    }
    learned, ruled = "behaviour.session/alert/send", "rule.outside_grant/tool"
    with EmbeddedBroker() as broker:
        watch = Watch(broker.bootstrap, TopicNames(), lambda: 7.0)
        watch._take("agent.alerts", _record(causes=(ruled,)))
        watch._take("agent.alerts", _record(counter=2, activity="update", causes=(ruled, learned)))
        watch._take("agent.policy", json.dumps(state).encode())
        watch._take("agent.policy", None)
        watch.close()
    facts = watch.facts
    assert (facts.alert_records, len(facts.alerts)) == (2, 1)
    assert [one.detection for one in facts.findings.values()] == ["rule.outside_grant", "behaviour.session"]
    first = next(iter(facts.alerts.values()))
    assert " (expected " in first.why
    assert first.at == 7.0
    assert facts.commands == [SeenCommand("a", "quarantined", "limit", "enforce", 1.0, 7.0)]


def test_figures_of_the_worker_are_summed_and_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over labels, by name, and of controls by kind and outcome: so one knows when an entry is in force."""
    text = (
        'detector_controls_total{kind="registry",outcome="applied"} 3.0\n'
        'detector_controls_total{kind="verdict",outcome="applied"} 2.0\n'
        'detector_pipeline{name="registered",partition="0"} 3.0\n'
    )
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: io.BytesIO(text.encode()))
    found = figures(1)
    assert found["detector_controls_total"] == 5.0
    assert found["detector_controls_total.registry.applied"] == 3.0
    assert found["detector_pipeline.registered"] == 3.0


def test_a_registry_is_in_force_when_the_worker_took_every_entry() -> None:
    """On the topic itself, keyed by agent; an entry that is refused ends the demo with a sentence."""
    entries = list(entries_of(Fleet(agents=5, is_registered=True), Terms(0.0, 1.0), 0.0))
    with EmbeddedBroker() as broker:
        registrar = Registrar(broker.bootstrap, TopicNames())
        registrar.publish(entries)
        with TopicReader({"bootstrap.servers": broker.bootstrap}, "agent.registry") as reader:
            records = {record.key.decode(): record.value for record in reader.to_the_end()}
    assert {name: RegistryEntry.model_validate_json(value) for name, value in records.items()} == {
        entry.agent_id: entry for entry in entries
    }
    applied, refused = (f"detector_controls_total.registry.{outcome}" for outcome in ("applied", "refused"))
    assert not registrar.is_in_force({applied: 4.0})
    assert registrar.is_in_force({applied: 5.0})
    with pytest.raises(SetupError, match="must be taken by the worker, got 1 refused"):
        registrar.is_in_force({applied: 4.0, refused: 1.0})
