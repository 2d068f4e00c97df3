"""A core and a pipeline small enough to see through, with the faces of the real ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detector.offline.episodes import seconds
from detector.schema.alert import Alert, finding_uid
from detector.schema.control import Control
from detector.schema.record import Record
from detector.schema.tiding import PlacedTiding


def event(number: int, **fields: Any) -> bytes:
    """Return one event; its score stands in the attribute ``score``."""
    body = {
        "event_id": f"e{number}",
        "ts": f"2026-03-02T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "agent_id": "a",
        "kind": "tool_call",
        "name": "t",
        **fields,
    }
    return json.dumps(body).encode()


def alert(one: dict[str, Any], at: float, score: float = 3.0, partition: int = 0) -> Alert:
    """Return an alert on one event."""
    agent_id, session = one["agent_id"], one.get("session_id")
    return Alert(
        finding_uid=finding_uid("default", agent_id, session, one["event_id"], "behaviour", "default/v1"),
        counter=1, activity="create", tenant="default", agent_id=agent_id, agent_type="default", agent_version=None,
        zone=None, session_id=session, profile="default/v1", detection="behaviour", title="t", time=at, first_seen=at,
        last_seen=at, event_id=one["event_id"], score=score, threshold=2.0, risk=50, severity="high", events=1,
        events_over=1, contributions=(), normal_if="n", evidence=(), asi=("ASI01",), atlas=(), partition_agents=1000,
        partition=partition,
    )  # fmt: skip


@dataclass
class Result:
    """What a batch led to."""

    alerts: list[Alert] = field(default_factory=list)
    refusals: list[tuple[int, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    tidings: list[PlacedTiding] = field(default_factory=list)


class StandInCore:
    """A core whose scores stand in the events; 2 and more is an alert, no JSON is refused."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.refusals: list[tuple[int, Any]] = []
        self.is_finished = False
        self.seen = 0

    def process(self, records: list[bytes]) -> np.ndarray:
        """Return one score per record."""
        out = np.full(len(records), np.nan)
        for index, record in enumerate(records):
            try:
                one = json.loads(record)
            except ValueError:
                self.refusals.append((self.seen + index, type("R", (), {"reason": "not_json", "is_scored": False})()))
                continue
            score = one.get("attributes", {}).get("score")
            if score is not None:
                out[index] = score
                if score >= 2.0:
                    self.alerts.append(alert(one, seconds(one["ts"]), score))
        self.seen += len(records)
        return out

    def finish(self) -> None:
        """Take note that the sessions were closed."""
        self.is_finished = True


class AnswerableStandIn(StandInCore):
    """The same with verdicts; an event with the attribute ``end`` closes a session."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes = Result()
        self.controls: list[tuple[int, Control]] = []

    def process(self, records: list[bytes]) -> np.ndarray:
        """Return one score per record; counts the sessions that closed."""
        closed = sum('"end"' in record.decode() for record in records)
        self.outcomes = Result(counts=Counter(sessions_closed=closed))
        return super().process(records)

    def control(self, controls: Sequence[Control]) -> Result:
        """Take note before which event a verdict came; one on a finding that was never told is unmatched."""
        self.controls += [(self.seen, one) for one in controls]
        known = {one.finding_uid for one in self.alerts}
        acts = [json.loads(one.value) for one in controls]
        unmatched = sum(act["finding_uid"] not in known for act in acts)
        return Result(counts=Counter(verdicts=len(acts) - unmatched, verdicts_unmatched=unmatched))


class StandInPipeline:
    """A pipeline that alerts on every event whose score is 2 or more, and remembers what it was given."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.controls: list[tuple[int, Control]] = []
        self.is_finished = False

    def process(self, records: list[Record]) -> Result:
        """Return alerts and counts of a batch."""
        self.records += records
        out = Result()
        for index, record in enumerate(records):
            try:
                one = dict(json.loads(record.value))
            except ValueError:
                out.refusals.append((index, type("Refusal", (), {"reason": "not_json"})()))
                continue
            score = one.get("attributes", {}).get("score", 0.0)
            if score >= 2.0:
                out.alerts.append(alert(one, float(one["event_id"][1:]), score, record.partition))
            out.counts["events"] += 1
        return out

    def control(self, controls: list[Control]) -> Result:
        """Take note before which record a control came."""
        self.controls += [(len(self.records), control) for control in controls]
        return Result(counts=Counter(controls=len(controls)))

    def finish(self) -> Result:
        """Close the sessions."""
        self.is_finished = True
        return Result(counts=Counter(closed=1))
