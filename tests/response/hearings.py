"""What the tests of several agents share: tidings in plain words, and a stage that hears them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detector.response.joined import JoinedStage
from detector.response.ladder import Levels
from detector.response.settings import ResponseSettings
from detector.schema.alert import Alert
from detector.schema.tiding import Tiding

LEVELS = Levels(limit=2.0, isolate=2.7)


def tiding(agent: str, other: str, at: float, **more: Any) -> Tiding:
    """Return the news that an established agent called another one, or what is said otherwise."""
    values: dict[str, Any] = {
        "kind": "edge", "tenant": "acme", "agent_id": agent, "other": other, "at": at, "is_new": True,
        "established": True, "event_id": f"e-{agent}-{other}-{at:g}", "topic": "agent.events", "partition": 0,
        "offset": int(at), "line": 0, "event_kind": "message", "name": "ask_agent", "partition_agents": 100,
    }  # fmt: skip
    return Tiding(**{**values, **more})


def stage(**settings: Any) -> JoinedStage:
    """Return a stage to which the agent ``vault`` is critical, with some settings changed."""
    given = ResponseSettings.model_validate({"critical": ("vault",), **settings})
    return JoinedStage(given, "default/v1", LEVELS)


def heard(one: JoinedStage, *tidings: Tiding) -> list[Alert]:
    """Return what a stage finds while it hears tidings one by one."""
    return [found for each in tidings for found in one.on_tiding(each)]


def incidents(one: JoinedStage, alerts: Iterable[Alert], detection: str = "response.cascade") -> list[Alert]:
    """Return the records of one detection that a stage makes of alerts."""
    made = [record for alert in alerts for record in one.on_alert(alert).records]
    return [record for record in made if isinstance(record, Alert) and record.detection == detection]
