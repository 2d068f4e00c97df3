"""What became of a session of a real agent: found on the topics, as any consumer finds it, with each step's time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.table import Table

from detector.demo.dialects import Call
from detector.demo.program import Program
from detector.demo.scripted_model import Script
from detector.schema.topics import TopicNames
from detector.views.reading import TopicReader

ACK_WAIT_S: Final = 15.0
"""After the session: an acknowledgement is written within a second, and read after it."""


@dataclass(frozen=True, slots=True)
class AgentsSummary:
    """The story in figures, and why it failed, if it did.

    Attributes
    ----------
    history_sessions, history_events : int
        What the operator vouched for.
    false_alarms : int
        Findings of ordinary sessions, of the history too.
    agent_id, severity, why, tier : str
        What the alert and the command said.
    score : float
        -log10 of the share of sessions at least as strange.
    calls_between : int
        Calls that ran between the odd act and the denial.
    bytes_taken : int
        What the odd act had sent by then: a detector is behind the act, never before it.
    seconds : dict of str to float
        From the end of the odd act, by the agent's own clock, to each step.
    released, works_after : bool
        A person lifted it; the next session ran.
    failures : tuple of str
        Empty if all happened that had to.
    """

    seed: int
    history_sessions: int
    history_events: int
    false_alarms: int
    agent_id: str
    severity: str
    score: float
    why: str
    tier: str
    calls_between: int
    bytes_taken: int
    seconds: dict[str, float]
    released: bool
    works_after: bool
    failures: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


STEPS: Final = {
    "event": "telemetry is an event on agent.events",
    "alert": "alert on agent.alerts",
    "command": "state on agent.policy",
    "applied": "in force at the edge (agent.policy.acks)",
    "denied": "first tool call denied (agent.policy.acks)",
}


class Told:
    """Gathers what the topics tell.

    Parameters
    ----------
    names : TopicNames
        Topics.
    kafka : mapping
        Settings of a confluent-kafka client.
    """

    def __init__(self, names: TopicNames, kafka: Mapping[str, Any]) -> None:
        self._names, self._kafka = names, kafka
        self.history_sessions = self.history_events = self.false_alarms = 0
        self.agent_id = self.severity = self.why = self.tier = ""
        self.score, self.calls_between, self.bytes_taken = 0.0, 0, 0
        self.at: dict[str, float] = {}
        self.released = self.works_after = False

    def odd(self, call: Call, script: Script, taken: int, program: Program) -> None:
        """Take up what became of the odd act `call`."""
        self.bytes_taken = taken
        asked = [one for one, _ in script.asked]
        denied = script.denied_at is not None
        self.calls_between = len(asked) - 1 - asked.index(call) - denied if call in asked else 0
        act = next((one for one in self._read(self._names.events) if program.is_act(one[1], call)), None)
        if act is None:
            return
        self.at["event"], event = act
        self.agent_id = event["agent_id"]
        self.at["act"] = _seconds(event["ts"])
        self._alert(event["session_id"])
        for at, state in self._read(self._names.policy):
            if state["subject"].endswith(f"/agent/{self.agent_id}") and state["mode"] == "enforce":
                self.at.setdefault("command", at)
                self.tier = state["tier"]
        if self.tier and denied:
            self._wait(lambda: self._acknowledged() and "denied" in self.at)

    def _alert(self, session: str) -> None:
        """Take up the alerts: of the odd session, and of all others, which were scored before it on one partition."""
        others = set()
        for at, finding in self._read(self._names.alerts):
            own = finding.get("unmapped", {}).get("detector", {})
            if own.get("session_id") == session:
                self.at.setdefault("alert", at)
                self.score, self.severity = float(own.get("score") or 0.0), finding["severity"]
                self.why = self.why or finding["finding_info"]["title"]
            else:
                others.add(finding["finding_info"]["uid"])
        self.false_alarms = len(others)

    def _acknowledged(self) -> bool:
        for _, ack in self._read(self._names.acks):
            if ack["subject"].endswith(f"/agent/{self.agent_id}"):
                self.at.setdefault(ack["status"], float(ack["first_at"]))
        return "applied" in self.at

    def _wait(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + ACK_WAIT_S
        while not is_so() and time.monotonic() < end:
            time.sleep(0.2)  # written by another process, which nothing here is told of

    def _read(self, topic: str) -> Iterator[tuple[float, dict[str, Any]]]:
        """Yield time and value of each record of a topic."""
        with TopicReader(self._kafka, topic) as reader:
            for record in reader.to_the_end():
                for line in record.value.splitlines():
                    yield record.at, json.loads(line)

    def summary(self, seed: int) -> AgentsSummary:
        """Return the figures and the verdict."""
        seconds = {name: round(self.at[name] - self.at["act"], 3) for name in STEPS if name in self.at}
        return AgentsSummary(
            seed=seed,
            history_sessions=self.history_sessions,
            history_events=self.history_events,
            false_alarms=self.false_alarms,
            agent_id=self.agent_id,
            severity=self.severity,
            score=round(self.score, 2),
            why=self.why,
            tier=self.tier,
            calls_between=self.calls_between,
            bytes_taken=self.bytes_taken,
            seconds=seconds,
            released=self.released,
            works_after=self.works_after,
            failures=tuple(self._failures()),
        )

    def _failures(self) -> Iterator[str]:
        if self.false_alarms:
            yield f"{self.false_alarms} alerts of ordinary sessions"
        for name, said in STEPS.items():
            if name not in self.at:
                yield f"did not come: {said}"
        if "denied" in self.at and not self.released:
            yield "the agent could not be released"
        elif self.released and not self.works_after:
            yield "the released agent did not work again"


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def summary_table(summary: AgentsSummary) -> Table:
    """Return the summary as it is shown at the end."""
    verdict = "passed" if not summary.failures else "failed: " + "; ".join(summary.failures)
    table = Table(
        title=f"{summary.agent_id}: {summary.severity}, score {summary.score:.2f}, {summary.tier}",
        caption=f"{summary.calls_between} everyday calls ran before one was denied; {summary.bytes_taken} bytes had "
        f"left by then; released: {summary.released}, works again: {summary.works_after}. {verdict}",
        min_width=72,
    )
    table.add_column("after the end of the odd act")
    table.add_column("seconds", justify="right")
    for name, said in STEPS.items():
        table.add_row(said, f"{summary.seconds[name]:.2f}" if name in summary.seconds else "-")
    return table
