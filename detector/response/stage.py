"""From alert to command: the stage behind the alerts, pure and one per tenant owner.

The worker's side of it::

    stage = ResponseStage(settings, "default/v1", levels, mode)
    stage.restore(states, entries)      # agent.policy to its end; the tail of agent.policy.log
    decision = stage.on_alert(alert, receipt)    # or stage.on_release(release, receipt)
    # 1. publish each of decision.records in its order and await its acknowledgement: a PolicyState to agent.policy and
    #    a PolicyLogEntry to agent.policy.log (key of both: subject), an Alert to agent.alerts (OCSF, key: "*")
    # 2. acknowledge the alert

Break off anywhere and start again: a command that stands is recognised by its cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.response import commands, common_cause
from detector.response.answers import answered, has_further_cause, is_lifted, release_by, release_or_not, shown
from detector.response.book import PolicyBook
from detector.response.breaker import end_of, in_force
from detector.response.commands import CommandAuthor, SubjectStanding
from detector.response.ladder import RANK
from detector.response.turn import StageDecision, Turn, ahead_by, dated
from detector.response.waiting import covers, strength_of
from detector.response.wanted import Wanted, wanted_again, wanted_by
from detector.schema.command import Decided, Mode, PolicyLogEntry, PolicyState, Tier, subject_of
from detector.schema.tenant import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.response import chain
    from detector.response.ladder import Levels
    from detector.response.settings import ResponseSettings
    from detector.schema.alert import Alert
    from detector.schema.feedback import Release


class ResponseStage:
    """Decide what is done about alerts and releases; the same inputs give the same bytes.

    Detectors only raise a tier, except that the weakest automatic limit yields its place to an isolation; a human
    lowers it. Nothing here knows Kafka or a clock. Memory: one policy state (about 1 kB) per agent ever contained,
    which the breaker's hourly rates bound for each tenant, and what :class:`~detector.response.breaker.Ledger`,
    :class:`~detector.response.waiting.HeldQueue` and :class:`~detector.response.common_cause.Episode` name.

    Parameters
    ----------
    settings : ResponseSettings
        ``[response]`` of the profile.
    profile_id : str
        For example ``"default/v1"``; stands in every command as the policy version.
    levels : Levels
        Scores of the tiers, as in ``Profile.levels``; an alert is held against those of its risk class.
    mode : {"enforce", "shadow"} or None, default=None
        None takes the settings' own. Pass it through :func:`~detector.response.ladder.mode_of`:
        only a stable profile may command.
    """

    def __init__(self, settings: ResponseSettings, profile_id: str, levels: Levels, mode: Mode | None = None) -> None:
        self._author = CommandAuthor(settings, profile_id, settings.mode if mode is None else mode)
        self._levels = levels
        self._book = PolicyBook(self._author)

    @property
    def states(self) -> dict[str, PolicyState]:
        """A copy of what stands, by subject."""
        return dict(self._book.states)

    def restore(self, states: Iterable[PolicyState], entries: Iterable[chain.Link] = ()) -> None:
        """Take up what the topics remember, before the first decision.

        Parameters
        ----------
        states : iterable of PolicyState
            Every record of ``agent.policy``, or what compaction left; of a subject the highest revision counts.
        entries : iterable of Link
            Entries of ``agent.policy.log``, at least the last one of each tenant: it carries the hash chain on. Without
            it a tenant's chain starts anew at entry 1, and `verify` says so. From whole entries what was held comes
            back too; what was held before the first of them is forgotten. May be called again, with entries of
            tenants that were not among the first.
        """
        self._book.restore(states, entries)

    def on_alert(self, alert: Alert, receipt: float | None = None) -> StageDecision:
        """Return what is done about one record of a finding.

        A record that comes back (same finding, same causes, same tier) changes nothing but the log. A held
        containment is in ``entry.command`` with ``breaker.held``, and never in ``command``.

        Parameters
        ----------
        alert : Alert
            One record of a finding.
        receipt : float or None
            When the record was written, by the broker's or the writing worker's clock, epoch seconds: nothing counts
            from later than that. None in replay, where the alert's own time is all there is.
        """
        alert, note = dated(alert, receipt, self._author.settings.skew_s)
        turn = Turn(alert.tenant or DEFAULT_TENANT, alert.time if receipt is None else receipt, receipt, note)
        ladder = self._levels.of(alert.risk_class)
        tier: Tier = "observe" if alert.score is None or alert.learning else ladder.tier(alert.score)
        if alert.detection != common_cause.DETECTION:
            self._book.tenants[turn.tenant].fleet.hear(alert.partition, alert.partition_agents)
        if alert.activity == "verdict":
            return self._on_verdict(alert, turn)
        wanted = wanted_by(alert, tier, ladder.terms(self._author.settings), turn.now)
        if self._waits_behind(wanted, turn):
            self._let_through(turn)
        standing = self._book.standing(turn.tenant, wanted, turn.receipt)
        idle = self._reason_to_skip(alert, wanted, standing, receipt)
        if idle is not None:
            entry = self._log(turn, "skipped", wanted, idle)
            self._let_through(turn)
            return turn.decided(None, entry)
        placed = self._place(wanted, standing, turn)
        if placed is None:
            return self._hold(alert, wanted, standing, turn)
        self._let_through(turn)
        return turn.decided(*placed)

    def on_release(self, act: Release, now: float) -> StageDecision:
        """Return what is done about a human's release.

        Parameters
        ----------
        act : Release
            Who lifts what, why; `at` in the future counts as `now`, or no later release could follow it.
        now : float
            When its record was written, or the wall clock of whoever handles it, epoch seconds.
        """
        at, book = min(act.at, now), self._book
        ahead = act.at - now
        turn = Turn(act.tenant, now, now, ahead_by(ahead) if ahead > self._author.settings.skew_s else "")
        subject = subject_of(act.tenant, act.agent_id)
        state = book.states.get(subject)
        said, detail = release_or_not(act, at, state)
        command = None
        if said == "released" and state is not None:
            verdict = book.figures(turn.tenant, state, at)
            standing = SubjectStanding(subject, state, "observe", state.established, verdict)
            command = commands.release(self._author, act, (at, now), standing)
            book.enter(turn.tenant, command)
            for queue in book.tenants[turn.tenant].held.values():
                queue.drop(subject)
            turn.records.append(command)
        entry = book.entry(turn.tenant, said, (subject, act.id, at, detail + turn.note), command)
        turn.records.append(entry)
        self._let_through(turn)
        return turn.decided(command, entry)

    def _on_verdict(self, alert: Alert, turn: Turn) -> StageDecision:
        """Note on the state that answers to a finding whether a person confirms it: then it yields to nobody.

        Who calls the finding safe lifts what it caused, as by a release.
        """
        wanted = wanted_by(alert, "observe", self._author.settings, turn.now)
        state, note = self._book.states.get(wanted.subject), alert.verdict
        if note and note.verdict == "safe" and state and self._is_answer_to(state, alert, turn.now):
            return self.on_release(release_by(alert, note), turn.now)
        by = note.by if note is not None and note.verdict == "confirm" else None
        if state is None or not self._is_answer_to(state, alert, turn.now) or state.confirmed_by == by:
            entry = self._log(turn, "skipped", wanted, "a person's verdict on the finding: it asks for no response")
            self._let_through(turn)
            return turn.decided(None, entry)
        command = commands.judged(state, by)
        self._book.enter(turn.tenant, command)
        said = f"confirmed by {by}: it yields to nobody" if by else "confirmed by nobody any more"
        turn.records.append(command)
        entry = self._log(turn, "judged", wanted, said, command)
        self._let_through(turn)
        return turn.decided(command, entry)

    def _is_answer_to(self, state: PolicyState, alert: Alert, now: float) -> bool:
        is_ours = state.mode == self._author.mode and in_force(state, now) != "observe"
        return is_ours and state.reason.finding_uid == alert.finding_uid

    def _reason_to_skip(
        self, alert: Alert, wanted: Wanted, standing: SubjectStanding, receipt: float | None
    ) -> str | None:
        """Return why nothing is to be done, or None."""
        state, tier = standing.state, wanted.tier
        if alert.detection == common_cause.DETECTION:
            return "the breaker's own incident"
        if alert.activity == "close":
            return "the finding is closed: its session has ended"
        if tier == "observe":
            early = "too early to tell: the partition is learning, or a new agent does what its peers do"
            return early if alert.learning else self._levels.of(alert.risk_class).below(shown(alert.score))
        if state is None:
            return None
        if self._is_shadow_over(state, wanted.begins):
            return "an enforced command stands: a shadow does not replace it"
        is_named = state.command_id == wanted.command_id and not has_further_cause(alert, state)
        if is_named and standing.tier != "observe":
            return f"revision {state.revision} already names this cause"
        if RANK[standing.tier] > RANK[tier]:
            return f"{standing.tier} is in force: a detector does not lower it"
        ends = state.expires_at if tier == state.tier else end_of(state)
        if standing.tier == tier and (ends is None or wanted.expires_at <= ends):
            return f"{tier} is in force, and for no shorter time"
        return answered(wanted, state, receipt)

    def _is_shadow_over(self, state: PolicyState, at: float) -> bool:
        is_shadow = self._author.mode == "shadow" and state.mode == "enforce"
        return is_shadow and in_force(state, at) != "observe"

    def _waits_behind(self, wanted: Wanted, turn: Turn) -> bool:
        """Tell whether something that is held is stronger than what is wanted now."""
        mine = (-RANK[wanted.tier], -wanted.reason.score, wanted.caused_at, wanted.subject)
        firsts = [queue.strongest() for queue in self._book.tenants[turn.tenant].held.values()]
        return any(first is not None and strength_of(first) < mine for first in firsts)

    def _place(
        self, wanted: Wanted, standing: SubjectStanding, turn: Turn, said: str = ""
    ) -> tuple[PolicyState, PolicyLogEntry] | None:
        """Contain an agent, in the place of weaker ones if need be; None if the breaker holds."""
        book = self._book
        if standing.verdict.why is not None:
            leaving = book.yielding(turn.tenant, wanted, standing, turn.now)
            for state in leaving:
                self._yield(state, wanted, turn)
            standing = book.standing(turn.tenant, wanted, turn.receipt) if leaving else standing
            if standing.verdict.why is not None:
                return None
        command = commands.contain(self._author, wanted, standing)
        book.enter(turn.tenant, command)
        for queue in book.tenants[turn.tenant].held.values():
            queue.settle(command)
        decision: Decided = "issued" if self._author.mode == "enforce" else "shadowed"
        detail = f"{said}{standing.tier} to {wanted.tier}, score {wanted.reason.score:.3f}"
        turn.records.append(command)
        return command, self._log(turn, decision, wanted, detail, command)

    def _yield(self, state: PolicyState, to: Wanted, turn: Turn) -> None:
        """Free a subject for a stronger command; its own waits. Logged first: nobody is freed unsaid."""
        book = self._book
        freed = commands.yielded(self._author, state, to, book.figures(turn.tenant, state, to.begins))
        waiting = state.model_copy(update={"breaker": state.breaker.model_copy(update={"held": True})})
        detail = (
            f"yielded to {to.reason.finding_uid} of {to.agent_id} ({to.tier}, score {to.reason.score:.3f}): revision "
            f"{freed.revision} lifts a limit of score {state.reason.score:.3f}, which waits"
        )
        what = (state.subject, to.reason.finding_uid, to.caused_at, detail)
        turn.records += (book.entry(turn.tenant, "yielded", what, waiting), freed)
        book.enter(turn.tenant, freed)
        turn.evicted += len(book.tenants[turn.tenant].held[state.established].put(waiting, turn.now))

    def _let_through(self, turn: Turn) -> None:
        """Let the strongest of what is held through, as far as there is room."""
        for queue in self._book.tenants[turn.tenant].held.values():
            while (held := queue.strongest()) is not None:
                wanted = wanted_again(held, turn.now)
                standing = self._book.standing(turn.tenant, wanted, turn.receipt)
                is_settled = self._is_settled(held, standing, turn.now)
                if not is_settled and self._place(wanted, standing, turn, "held until now: ") is None:
                    break
                queue.drop(held.subject)

    def _is_settled(self, held: PolicyState, standing: SubjectStanding, now: float) -> bool:
        """Tell whether a held command has nothing more to say: over, answered, or covered by what stands."""
        state = standing.state
        if held.expires_at is not None and held.expires_at <= now:
            return True
        if state is None:
            return False
        if is_lifted(held, state) or self._is_shadow_over(state, now):
            return True
        return standing.tier != "observe" and covers(state, held, now)

    def _hold(self, alert: Alert, wanted: Wanted, standing: SubjectStanding, turn: Turn) -> StageDecision:
        """Return a decision that waits for room or a human; all that are held together are one incident."""
        verdict = standing.verdict
        command = commands.contain(self._author, wanted, standing)
        why = verdict.why or "held"
        if self._book.is_protected(alert.agent_id):
            return turn.decided(None, self._log(turn, "held", wanted, why, command))
        book, kind = self._book.tenants[turn.tenant], standing.established
        left = book.held[kind].put(command, turn.now)
        turn.evicted += len(left)
        why += f"; too many wait, and {left[0]} waits no longer" if left else ""
        entry = self._log(turn, "held", wanted, why, command)
        starts, episode = book.ledgers[kind].starts, book.episodes[kind]
        anchor = repr(starts[-1]) if starts else "none"
        told = None
        if episode.hold(anchor if kind else f"new/{anchor}", command.subject):
            told = common_cause.incident(self._author, alert, verdict, (episode, book.held[kind]))
            turn.records.append(told)
        return turn.decided(None, entry, told)

    def _log(
        self, turn: Turn, said: Decided, wanted: Wanted, detail: str, command: PolicyState | None = None
    ) -> PolicyLogEntry:
        what = (wanted.subject, wanted.reason.finding_uid, wanted.caused_at, detail + turn.note)
        entry = self._book.entry(turn.tenant, said, what, command)
        turn.records.append(entry)
        return entry
