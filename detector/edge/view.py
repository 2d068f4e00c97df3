"""What holds for every subject: the policy topic as an enforcement point must read it. No Kafka, no own clock."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import ValidationError

from detector.clock import Clock
from detector.edge.verdict import CallWindow, GateVerdict
from detector.schema.command import PolicyState, Tier
from detector.schema.constraints import bars, is_allowed, rate_of
from detector.schema.reading import read

MOST_SUBJECTS: Final = 100_000
"""Subjects remembered; one that is contained takes about 3 kB, one that is free 200 bytes."""
MOST_STATE_BYTES: Final = 64 * 1_024
"""A state is about 1 kB."""

FailMode = Literal["closed", "static"]
Freshness = Literal["unread", "fresh", "stale"]
Applied = Literal[
    "applied", "released", "shadow", "older", "repeated", "rival", "tombstone", "tombstone_kept", "malformed",
    "mismatched", "overfull",
]  # fmt: skip
"""What became of a record. older, repeated, rival (another state of the same number) leave what stands; so do
malformed, mismatched (its key names somebody else) and tombstone_kept (what stands still binds)."""


@dataclass(slots=True)
class HeldState:
    """A state that may bind, with what was answered under it."""

    state: PolicyState
    digest: bytes
    is_live: bool
    is_met: bool = False
    window: CallWindow = field(default_factory=CallWindow)


@dataclass(frozen=True, slots=True)
class Fence:
    """Of a subject that nothing binds: what must not be applied again."""

    revision: int
    digest: bytes


class PolicyView:
    """The desired state of every subject, and the answer to a call under it.

    A state is applied only if its revision is greater than the last one's; expiry is judged by the clock that is handed
    in, at each question. A record that cannot be read, bears another's key or is older never frees anybody. At most
    100,000 subjects are remembered, those that nothing binds leave first; a contained one never does, and if all are,
    who is not known is denied.

    Parameters
    ----------
    clock : Clock
        The wall clock, which terms of commands are compared with.
    monotonic : callable
        Seconds that only go forward, for rates and for the age of what was read.
    fail : {"closed", "static"}, default="closed"
        When the topic has not been read to its end for `stale_after_s`: deny every call, or go on with what is known.
        Before it was read for the first time every call is denied, unless a kept copy was taken up (:meth:`take_up`)
        and the setting is static.
    stale_after_s : float, default=30
        Seconds.
    most : int
        Subjects remembered.
    """

    def __init__(
        self,
        clock: Clock,
        monotonic: Callable[[], float],
        *,
        fail: FailMode = "closed",
        stale_after_s: float = 30.0,
        most: int = MOST_SUBJECTS,
    ) -> None:
        self.clock, self._monotonic = clock, monotonic
        self.fail, self.stale_after_s, self._most = fail, stale_after_s, most
        self.counts: Counter[str] = Counter()
        self.is_overfull = False
        self._bound: dict[str, HeldState] = {}
        self._fences: dict[str, Fence] = {}
        self._confirmed: float | None = None
        self._has_copy = False

    @property
    def freshness(self) -> Freshness:
        """Whether the topic was read to its end: never, lately, or too long ago."""
        if self._confirmed is None:
            return "unread"
        return "fresh" if self._monotonic() - self._confirmed <= self.stale_after_s else "stale"

    @property
    def age_s(self) -> float | None:
        """Seconds since the topic was read to its end; None: never."""
        return None if self._confirmed is None else self._monotonic() - self._confirmed

    def confirm(self, asked_at: float) -> None:
        """Say that everything written before `asked_at` (seconds of the monotonic clock) has been applied."""
        self._confirmed = asked_at if self._confirmed is None else max(self._confirmed, asked_at)

    def take_up(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Apply a kept copy, so that there is something to go on with before the topic is read."""
        for key, value in records:
            self.apply(key, value)
        self._has_copy = True

    def apply(self, key: bytes | None, value: bytes | None) -> Applied:
        """Return what became of a record of the topic, which is also counted.

        Parameters
        ----------
        key : bytes or None
            The subject.
        value : bytes or None
            The state; None is a tombstone.
        """
        applied = self._apply(key, value)
        self.counts[applied] += 1
        return applied

    def binding(self) -> list[tuple[str, PolicyState]]:
        """Return what binds now or will, by subject."""
        now = self.clock()
        return [(subject, held.state) for subject, held in self._bound.items() if not _is_over(held.state, now)]

    def state_of(self, subject: str) -> PolicyState | None:
        """Return the state that may bind a subject, None if there is none."""
        held = self._bound.get(subject)
        return None if held is None else held.state

    def decide(self, subjects: Iterable[str], tools: tuple[str, ...]) -> GateVerdict:
        """Return the answer to a call: the strictest of all subjects that the caller may be.

        Parameters
        ----------
        subjects : iterable of str
            Every name under which commands could contain the caller.
        tools : tuple of str
            Names the tool goes by; empty if not known.
        """
        freshness = self.freshness
        if freshness == "unread" and not (self._has_copy and self.fail == "static"):
            return GateVerdict(is_denied=True, why="unread")
        if freshness == "stale" and self.fail == "closed":
            return GateVerdict(is_denied=True, why="stale")
        now = self.clock()
        found = [(subject, held, held.state.tier_at(now)) for subject, held in self._held(subjects)]
        binding = [one for one in found if one[2] != "observe"]
        for subject, held, tier in binding:
            if bars(held.state, tier, tools):
                return _denied("tool", subject, held, tier)
        return self._by_rate(binding, tools)

    def _by_rate(self, binding: list[tuple[str, HeldState, Tier]], tools: tuple[str, ...]) -> GateVerdict:
        """Return the answer where no tool is barred; a call is counted by every limit that it falls under."""
        moment = self._monotonic()
        for subject, held, tier in binding:
            rate = rate_of(held.state, tier)
            is_excused = rate == 0.0 and is_allowed(held.state, tools)
            if rate is not None and not is_excused and not held.window.admits(rate, moment):
                return _denied("rate", subject, held, tier)
        if binding:
            subject, held, tier = binding[0]
            return GateVerdict(is_denied=False, why="limited", subject=subject, tier=tier, state=held.state)
        if self.is_overfull:
            return GateVerdict(is_denied=True, why="overfull")
        return GateVerdict(is_denied=False, why="free")

    def _held(self, subjects: Iterable[str]) -> Iterable[tuple[str, HeldState]]:
        for subject in dict.fromkeys(subjects):
            held = self._bound.get(subject)
            if held is not None:
                yield subject, held

    def _apply(self, key: bytes | None, value: bytes | None) -> Applied:
        if value is None:
            return self._bury(key)
        if len(value) > MOST_STATE_BYTES:
            return "malformed"
        try:
            state, unknown = read(PolicyState, value)
        except ValidationError:
            return "malformed"
        if key != state.subject.encode("utf-8", "surrogatepass"):
            return "mismatched"
        self.counts["newer_fields"] += bool(unknown)
        digest = hashlib.sha256(value).digest()
        before = self._bound.get(state.subject)
        fence = self._fences.get(state.subject) or (before and Fence(before.state.revision, before.digest))
        if fence and state.revision <= fence.revision:
            if state.revision < fence.revision:
                return "older"
            return "repeated" if digest == fence.digest else "rival"
        return self._put(state, digest)

    def _put(self, state: PolicyState, digest: bytes) -> Applied:
        """Let a newer state stand."""
        subject = state.subject
        before = self._bound.pop(subject, None)
        self._fences.pop(subject, None)
        if state.state == "released" or state.mode != "enforce":
            if self._make_room():
                self._fences[subject] = Fence(state.revision, digest)
            return "released" if state.state == "released" else "shadow"
        if not self._make_room():
            self.is_overfull = True
            return "overfull"
        window = before.window if before else CallWindow()  # a prolonged limit does not begin to count anew
        self._bound[subject] = HeldState(state, digest, self._confirmed is not None, window=window)
        return "applied"

    def _bury(self, key: bytes | None) -> Applied:
        """Forget a subject if nothing binds it any more; its fence stays."""
        subject = (key or b"").decode("utf-8", "replace")
        held = self._bound.get(subject)
        if held is None:
            return "tombstone"
        if not _is_over(held.state, self.clock()):
            return "tombstone_kept"
        self._loosen(subject)
        return "tombstone"

    def _loosen(self, subject: str) -> None:
        held = self._bound.pop(subject)
        self._fences[subject] = Fence(held.state.revision, held.digest)

    def _make_room(self) -> bool:
        """Return whether there is room for one more subject; whom nothing binds makes it, the oldest first."""
        if len(self._bound) + len(self._fences) < self._most:
            return True
        if not self._fences:
            now = self.clock()
            for subject in [one for one, held in self._bound.items() if _is_over(held.state, now)]:
                self._loosen(subject)
        if not self._fences:
            return False
        del self._fences[next(iter(self._fences))]
        return True


def _is_over(state: PolicyState, now: float) -> bool:
    """Return whether a state binds neither now nor later."""
    return now >= state.begins_at and state.tier_at(now) == "observe"


def _denied(why: Literal["tool", "rate"], subject: str, held: HeldState, tier: Tier) -> GateVerdict:
    is_first = held.is_live and not held.is_met
    held.is_met = True
    return GateVerdict(is_denied=True, why=why, subject=subject, tier=tier, state=held.state, is_first=is_first)
