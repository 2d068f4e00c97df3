"""What is acknowledged: every answer under a command, the first at once, its repeats as one with a count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from detector.edge.calls import HookCall
from detector.edge.verdict import GateVerdict
from detector.schema.acks import MOST_NAME, AckStatus, PolicyAck, ack_id
from detector.schema.command import PolicyState, Tier

FOLD_S: Final = 5.0
"""Answers alike within so many seconds are one acknowledgement."""
MOST_FOLDS: Final = 1_000
"""Kinds of answers counted at a time; the oldest is sent when another comes."""

FoldKey = tuple[str, int, str, str, str, str, str]


@dataclass(slots=True)
class _Fold:
    first: PolicyAck
    opened: float
    count: int = 0
    first_at: float = 0.0
    last_at: float = 0.0

    def closed(self) -> list[PolicyAck]:
        """Return the repeats as one acknowledgement, nothing if there were none."""
        if not self.count:
            return []
        body = self.first
        fresh = ack_id(body.ack_id, "repeats", repr(self.first_at))
        changes = {"ack_id": fresh, "first_at": self.first_at, "last_at": self.last_at, "count": self.count}
        return [body.model_copy(update={**changes, "call_id": ""})]


class AckLedger:
    """Turns answers into acknowledgements; at most 1,000 kinds of answers wait, none longer than 5 seconds.

    Parameters
    ----------
    point : str
        Name of this enforcement point.
    """

    def __init__(self, point: str) -> None:
        self._point = point
        self._folds: dict[FoldKey, _Fold] = {}

    def applied(self, state: PolicyState, tier: Tier, now: float) -> PolicyAck:
        """Return the acknowledgement that a state is in force here."""
        made = ack_id(state.command_id, str(state.revision), self._point, "applied")
        return self._ack(state, made, "applied", tier, now)

    def answered(self, call: HookCall, verdict: GateVerdict, now: float) -> list[PolicyAck]:
        """Return what is to be sent now for an answer under a command; nothing if no command was behind it."""
        state = verdict.state
        if state is None:
            return []
        status: AckStatus = "denied" if verdict.is_denied else "allowed"
        tool = call.tools[0] if call.tools else ""
        key = (state.command_id, state.revision, status, verdict.why, call.product, tool, call.session_id)
        fold = self._folds.get(key)
        if fold is not None and now - fold.opened < FOLD_S:
            fold.first_at = fold.first_at if fold.count else now
            fold.count, fold.last_at = fold.count + 1, now
            return []
        out = fold.closed() if fold is not None else self._oldest_if_full()
        self._folds.pop(key, None)
        why = verdict.why if verdict.is_denied and verdict.why in {"tool", "rate"} else ""
        made = ack_id(*map(str, key), self._point, call.call_id, repr(now))
        ack = self._ack(state, made, status, verdict.tier, now).model_copy(
            update={
                "why": why,
                "product": call.product[:MOST_NAME],
                "tool": tool,
                "session_id": call.session_id,
                "call_id": call.call_id,
            }
        )
        self._folds[key] = _Fold(ack, now)
        return [*out, ack]

    def due(self, now: float, *, is_last: bool = False) -> list[PolicyAck]:
        """Return the repeats whose time is over; all of them at the end."""
        done = [key for key, fold in self._folds.items() if is_last or now - fold.opened >= FOLD_S or now < fold.opened]
        return [ack for key in done for ack in self._folds.pop(key).closed()]

    def _oldest_if_full(self) -> list[PolicyAck]:
        if len(self._folds) < MOST_FOLDS:
            return []
        return self._folds.pop(next(iter(self._folds))).closed()

    def _ack(self, state: PolicyState, made: str, status: AckStatus, tier: Tier, now: float) -> PolicyAck:
        return PolicyAck(
            ack_id=made,
            command_id=state.command_id,
            revision=state.revision,
            subject=state.subject,
            point=self._point,
            status=status,
            tier=tier,
            first_at=now,
            last_at=now,
        )
