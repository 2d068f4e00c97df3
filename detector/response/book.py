"""What the response stage remembers: what stands, what waits, the figures of the breaker, the ends of the logs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from detector.response import chain
from detector.response.breaker import HOUR_S, BreakerVerdict, KnownFleet, Ledger, caps_of, end_of, in_force
from detector.response.commands import CommandAuthor, SubjectStanding
from detector.response.common_cause import Episode
from detector.response.waiting import HeldQueue
from detector.response.wanted import agent_of
from detector.schema.command import Decided, PolicyLogEntry, PolicyState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.response.wanted import Wanted


@dataclass(slots=True)
class TenantBook:
    """What is remembered of one tenant; by `established` where established agents and newcomers are kept apart."""

    fleet: KnownFleet = field(default_factory=KnownFleet)
    ledgers: dict[bool, Ledger] = field(default_factory=lambda: {True: Ledger(), False: Ledger()})
    held: dict[bool, HeldQueue] = field(default_factory=lambda: {True: HeldQueue(), False: HeldQueue()})
    episodes: dict[bool, Episode] = field(default_factory=lambda: {True: Episode(), False: Episode()})
    head: chain.Head = chain.Head()  # noqa: RUF009 - a named tuple, it cannot change


@dataclass(slots=True)
class PolicyBook:
    """States of all subjects, and the books of their tenants.

    Parameters
    ----------
    author : CommandAuthor
        Settings and mode: to one who enforces, shadows are nothing.
    """

    author: CommandAuthor
    states: dict[str, PolicyState] = field(default_factory=dict)
    tenants: defaultdict[str, TenantBook] = field(default_factory=lambda: defaultdict(TenantBook))

    def counts(self, state: PolicyState) -> bool:
        """Tell whether a state is real in this mode."""
        return self.author.mode == "shadow" or state.mode == "enforce"

    def is_protected(self, agent_id: str) -> bool:
        """Tell whether only a human contains an agent."""
        return agent_id in self.author.settings.protected

    def enter(self, tenant: str, state: PolicyState) -> None:
        """Put a subject's new state in place of its old one."""
        old, ledgers = self.states.get(state.subject), self.tenants[tenant].ledgers
        if old is not None and self.counts(old):
            ledgers[old.established].leave(old)
        if self.counts(state):
            ledgers[state.established].enter(state)
        self.states[state.subject] = state

    def standing(self, tenant: str, wanted: Wanted, receipt: float | None) -> SubjectStanding:
        """Return how a subject stands, and what the breaker says to what is wanted for it at `receipt`, if known."""
        state = self.states.get(wanted.subject)
        tier = in_force(state, wanted.begins) if state is not None and self.counts(state) else "observe"
        if state is not None and receipt is not None and state.begins_at > receipt + HOUR_S:
            tier = "observe"  # dated ahead, by a version that let it: it must not stand in the way until then
        established = state.established if state is not None and tier != "observe" else wanted.established
        book, fleet = self.tenants[tenant], self.tenants[tenant].fleet.size
        ledger, caps = book.ledgers[established], caps_of(self.author.settings, fleet, established=established)
        term = (wanted.begins, wanted.ends)
        verdict = ledger.ask(caps, fleet, term, wanted.tier)
        if self.is_protected(wanted.agent_id):
            why = f"{wanted.agent_id} is protected: only a human contains it"
            verdict = verdict._replace(why=why, over=0)
        elif state is not None and tier != "observe":
            # Already among the contained, so only what lies past its present end is new.
            now_ends = end_of(state) or wanted.begins
            term = (now_ends, max(wanted.ends, now_ends))
            longer = ledger.ask(caps, fleet, term, None)
            is_longer = wanted.ends > now_ends
            verdict = verdict._replace(why=longer.why if is_longer else None, over=longer.over if is_longer else 0)
        return SubjectStanding(wanted.subject, state, tier, established, verdict, term)

    def yielding(self, tenant: str, wanted: Wanted, standing: SubjectStanding, now: float) -> list[PolicyState]:
        """Return whose automatic limits make room for an isolation, the weakest first; empty if that is not enough.

        The weakest has the lowest score, then the older containment, then the first name. Nobody yields whom a
        person confirmed or who is protected, and no isolation does.
        """
        verdict, (begin, end) = standing.verdict, standing.term
        if verdict.over == 0 or wanted.tier != "isolate" or wanted.expires_at <= now:
            return []
        contained = self.tenants[tenant].ledgers[standing.established].among(begin)
        states = [self.states[subject] for subject in contained if subject != wanted.subject]
        weaker = [state for state in states if state.begins_at < end and self._may_yield(state, now)]
        weaker.sort(key=lambda state: (state.reason.score, state.begins_at, state.subject))
        return weaker[: verdict.over] if len(weaker) >= verdict.over else []

    def _may_yield(self, state: PolicyState, now: float) -> bool:
        is_automatic = state.issuer.kind == "detector" and state.confirmed_by is None
        return is_automatic and in_force(state, now) == "limit" and not self.is_protected(agent_of(state.subject))

    def figures(self, tenant: str, state: PolicyState, at: float) -> BreakerVerdict:
        """Return how many agents of a subject's kind are contained at or after `at` besides itself."""
        book = self.tenants[tenant]
        others = book.ledgers[state.established].contained(at, float("inf"))
        ends = end_of(state) if self.counts(state) else None
        return BreakerVerdict(None, others - (1 if ends is not None and ends > at else 0), book.fleet.size)

    def entry(
        self, tenant: str, said: Decided, what: tuple[str, str, float, str], command: PolicyState | None
    ) -> PolicyLogEntry:
        """Return the next entry of a tenant's log.

        Parameters
        ----------
        tenant : str
            Whose log.
        said : str
            The decision.
        what : (str, str, float, str)
            Subject, cause, time, detail.
        command : PolicyState or None
            What was issued, lifted, or waits.
        """
        book, (subject, cause, at, detail) = self.tenants[tenant], what
        entry = PolicyLogEntry(
            tenant=tenant,
            sequence=book.head.sequence + 1,
            time=at,
            subject=subject,
            decision=said,
            cause=cause,
            detail=detail,
            command=command,
            previous=book.head.hash,
        ).sealed()
        book.head = chain.Head(entry.sequence, entry.hash)
        return entry

    def restore(self, states: Iterable[PolicyState], entries: Iterable[chain.Link]) -> None:
        """Take up what the topics remember; see :meth:`~detector.response.stage.ResponseStage.restore`."""
        for state in states:
            current = self.states.get(state.subject)
            if current is None or current.revision < state.revision:
                self.enter(tenant_of(state.subject), state)
        decided: dict[str, float] = {}
        for subject, state in self.states.items():
            tenant, answer = tenant_of(subject), state.answer
            at = max(state.effective_at, state.begins_at, state.effective_at if answer is None else answer.cause_at)
            if at >= decided.get(tenant, at):
                decided[tenant] = at
                self.tenants[tenant].fleet.restored = state.breaker.fleet
        links = list(entries)
        for tenant, head in chain.heads(links).items():
            if head.sequence > self.tenants[tenant].head.sequence:
                self.tenants[tenant].head = head
        told = [entry for entry in links if isinstance(entry, PolicyLogEntry)]
        for entry in sorted(told, key=lambda entry: entry.sequence):
            self._wait_again(entry)

    def _wait_again(self, entry: PolicyLogEntry) -> None:
        """Follow one entry of the log as the queues did when it was written."""
        held, command = self.tenants[entry.tenant].held, entry.command
        if entry.decision == "released":
            for queue in held.values():
                queue.drop(entry.subject)
        elif command is None or not self.counts(command) or self.is_protected(agent_of(entry.subject)):
            return
        elif entry.decision in {"held", "yielded"}:
            held[command.established].put(command, entry.time)
        elif entry.decision in {"issued", "shadowed"}:
            for queue in held.values():
                queue.settle(command)


def tenant_of(subject: str) -> str:
    """Return the tenant of a subject."""
    return unquote(subject.partition("/agent/")[0])
