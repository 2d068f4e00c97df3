"""An enforcement point: the view, what it counts and what it acknowledges, safe for the two threads that use it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import structlog

from detector.edge.calls import HookCall, read_call
from detector.edge.contracts import ALLOWED, HookAnswer, denial
from detector.edge.ledger import AckLedger
from detector.edge.metrics import EdgeMetrics
from detector.edge.verdict import GateVerdict
from detector.edge.view import PolicyView
from detector.schema.acks import PolicyAck
from detector.schema.command import PolicyState

log = structlog.get_logger("detector.edge")

LOGGED = frozenset(("malformed", "mismatched", "rival", "tombstone_kept", "overfull"))
"""What became of a record that somebody should look at."""


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What the gate asks.

    Attributes
    ----------
    body : bytes
        The hook's input; empty if it was too long.
    subjects : tuple of str
        Every name under which commands could contain the caller.
    product : str
        From the hook's setting; empty: not told.
    """

    body: bytes
    subjects: tuple[str, ...]
    product: str = ""


class EnforcementPoint:
    """Applies what the reader brings, answers what the gate asks, and hands on acknowledgements.

    Parameters
    ----------
    view : PolicyView
        What holds.
    name : str
        Of this point, in acknowledgements.
    metrics : EdgeMetrics
        Where it is counted.
    send : callable
        Takes an acknowledgement; returns False if it was lost. Must not wait.
    """

    def __init__(self, view: PolicyView, name: str, metrics: EdgeMetrics, send: Callable[[PolicyAck], bool]) -> None:
        self._view, self._metrics, self._send = view, metrics, send
        self._ledger = AckLedger(name)
        self._lock = threading.Lock()
        self._lost = 0
        self._is_changed = True
        self.why_not_read = "policy topic not read to its end yet"

    def heard(self, key: bytes | None, value: bytes | None, written_at: float | None = None) -> None:
        """Apply a record of the policy topic; `written_at` is its time on Kafka, None for what was there before."""
        with self._lock:
            now = self._view.clock()
            newer = self._view.counts["newer_fields"]
            applied = self._view.apply(key, value)
            self._metrics.records.labels(applied).inc()
            self._metrics.newer.inc(self._view.counts["newer_fields"] - newer)
            self._is_changed = True
            if applied in LOGGED:
                log.warning("policy record left out", why=applied, key=repr(key)[:200])
            if applied == "applied" and value is not None:
                if written_at is not None:
                    self._metrics.apply_s.observe(max(0.0, now - written_at))
                self._acknowledge_applied(key or b"", now)

    def confirmed(self, asked_at: float) -> None:
        """Say that everything written before `asked_at` (monotonic) was heard."""
        with self._lock:
            self._view.confirm(asked_at)
            self.why_not_read = ""

    def answer(self, request: HookRequest) -> HookAnswer:
        """Return the answer to a hook, counted and acknowledged."""
        call = read_call(request.body, request.product)
        if not call.is_judged:
            return ALLOWED
        verdict = self.judge(request.subjects, call)
        return denial(call, verdict.says) if verdict.is_denied else ALLOWED

    def judge(self, subjects: Iterable[str], call: HookCall) -> GateVerdict:
        """Return what holds for a call of whoever may be one of the subjects, counted and acknowledged."""
        with self._lock:
            verdict = self._view.decide(subjects, call.tools)
            now = self._view.clock()
            self._count(call, verdict, now)
            for ack in self._ledger.answered(call, verdict, now):
                self._hand_on(ack)
        return verdict

    def refuse(self, call: HookCall, why: Literal["unnamed", "unreadable"]) -> GateVerdict:
        """Return a denial that no command is behind, counted."""
        verdict = GateVerdict(is_denied=True, why=why)
        with self._lock:
            self._count(call, verdict, self._view.clock())
        return verdict

    def tick(self, *, is_last: bool = False) -> None:
        """Hand on repeats whose time is over, and set the gauges."""
        with self._lock:
            for ack in self._ledger.due(self._view.clock(), is_last=is_last):
                self._hand_on(ack)
            self._metrics.bound.set(len(self._view.binding()))
            age = self._view.age_s
            self._metrics.age_s.set(math.nan if age is None else age)

    def changed(self) -> list[tuple[str, PolicyState]] | None:
        """Return what binds if it may have changed since the last call and the topic has been read; None if not."""
        with self._lock:
            if not self._is_changed or self._view.freshness == "unread":
                return None
            self._is_changed = False
            return self._view.binding()

    def touch(self) -> None:
        """Say that the copy could not be written: it is to be tried again."""
        with self._lock:
            self._is_changed = True

    def why_not_ready(self) -> str | None:
        """Return why answers are not by what Kafka says now, None if they are."""
        with self._lock:
            freshness, age = self._view.freshness, self._view.age_s
            if self._view.is_overfull:
                return "more subjects are contained than fit: agents that are not known are denied; restart with room"
        if freshness == "unread":
            return self.why_not_read
        if freshness == "stale":
            what = "every call is denied" if self._view.fail == "closed" else "answers follow what was read last"
            return f"policy topic not read for {age:.0f} s ({self.why_not_read or 'no answer'}): {what}"
        return None

    def _acknowledge_applied(self, key: bytes, now: float) -> None:
        state = self._view.state_of(key.decode("utf-8", "replace"))
        if state is None:
            return
        tier = state.tier_at(max(now, state.begins_at))  # our clock may be a little behind the workers'
        if tier != "observe":
            self._hand_on(self._ledger.applied(state, tier, now))

    def _count(self, call: HookCall, verdict: GateVerdict, now: float) -> None:
        self._metrics.answers.labels(call.product or "unknown", verdict.why, str(verdict.is_denied).lower()).inc()
        if verdict.is_first and verdict.state is not None:
            self._metrics.containment_s.observe(max(0.0, now - verdict.state.effective_at))

    def _hand_on(self, ack: PolicyAck) -> None:
        if self._send(ack.model_copy(update={"lost": self._lost}) if self._lost else ack):
            self._lost = 0
            self._metrics.acks.inc()
        else:
            self._lost += 1
            self._metrics.acks_lost.inc()
