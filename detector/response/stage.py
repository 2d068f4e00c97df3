"""From alert to command: the stage behind the alerts, pure and one per tenant owner.

The worker's side of it::

    stage = ResponseStage(settings, "default/v1", levels, mode)
    stage.restore(states, entries)      # agent.policy to its end; the tail of agent.policy.log
    decision = stage.on_alert(alert)    # or stage.on_release(release, now)
    # 1. publish decision.command to agent.policy (key: subject), await its acknowledgement
    # 2. publish decision.entry to agent.policy.log (key: subject), await
    # 3. publish decision.incident, if any, to agent.alerts (OCSF, key: "*"), await
    # 4. acknowledge the alert

Break off anywhere and start again: a command that stands is recognised by its cause.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from detector.response import chain, commands, common_cause
from detector.response.breaker import BreakerVerdict, Ledger, end_of
from detector.response.commands import CommandAuthor, SubjectStanding
from detector.response.ladder import RANK, duration_s, term_s
from detector.schema.command import Decided, Mode, PolicyLogEntry, PolicyState, Tier, command_id, subject_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.response.ladder import Levels
    from detector.response.settings import ResponseSettings
    from detector.schema.alert import Alert
    from detector.schema.feedback import Release

DEFAULT_TENANT: Final = "default"


class StageDecision(NamedTuple):
    """What is to be published, in this order.

    Parameters
    ----------
    command : PolicyState or None
        New whole state of the subject, for ``agent.policy``.
    entry : PolicyLogEntry
        The decision with its cause, for ``agent.policy.log``; always there, also when nothing was done.
    incident : Alert or None
        Common-cause incident, for ``agent.alerts``.
    """

    command: PolicyState | None
    entry: PolicyLogEntry
    incident: Alert | None


class ResponseStage:
    """Decide what is done about alerts and releases; the same inputs give the same bytes.

    Detectors only raise a tier; a human lowers it. Nothing here knows Kafka or a clock.
    Memory: one policy state (about 1 kB) per agent ever contained, which the breaker's
    hourly rate bounds for each tenant, and what :class:`Ledger` and :class:`Episode` name.

    Parameters
    ----------
    settings : ResponseSettings
        ``[response]`` of the profile.
    profile_id : str
        For example ``"default/v1"``; stands in every command as the policy version.
    levels : Levels
        Scores of the tiers, as in ``Profile.levels``.
    mode : {"enforce", "shadow"} or None, default=None
        None takes the settings' own. Pass it through :func:`~detector.response.ladder.mode_of`:
        only a stable profile may command.
    """

    def __init__(self, settings: ResponseSettings, profile_id: str, levels: Levels, mode: Mode | None = None) -> None:
        self._author = CommandAuthor(settings, profile_id, settings.mode if mode is None else mode)
        self._levels = levels
        self._states: dict[str, PolicyState] = {}
        self._ledgers: defaultdict[str, Ledger] = defaultdict(Ledger)
        self._heads: dict[str, chain.Head] = {}
        self._episodes: defaultdict[str, common_cause.Episode] = defaultdict(common_cause.Episode)

    @property
    def states(self) -> dict[str, PolicyState]:
        """A copy of what stands, by subject."""
        return dict(self._states)

    def restore(self, states: Iterable[PolicyState], entries: Iterable[chain.Link] = ()) -> None:
        """Take up what the topics remember, before the first decision.

        Parameters
        ----------
        states : iterable of PolicyState
            Every record of ``agent.policy``, or what compaction left; of a subject the highest revision counts.
        entries : iterable of Link
            Entries of ``agent.policy.log``, at least the last one of each tenant: it carries the hash chain on. Without
            it a tenant's chain starts anew at entry 1, and `verify` says so. May be called again, with entries of
            tenants that were not among the first.
        """
        decided: dict[str, float] = {}
        for state in states:
            current = self._states.get(state.subject)
            if current is None or current.revision < state.revision:
                self._enter(_tenant_of(state.subject), state)
        for subject, state in self._states.items():
            tenant = _tenant_of(subject)
            at = state.effective_at if state.answer is None else max(state.answer.cause_at, state.effective_at)
            if at >= decided.get(tenant, at):
                decided[tenant] = at
                self._ledgers[tenant].known_fleet = state.breaker.fleet
        for tenant, head in chain.heads(entries).items():
            if head.sequence > self._heads.get(tenant, chain.Head()).sequence:
                self._heads[tenant] = head

    def on_alert(self, alert: Alert) -> StageDecision:
        """Return what is done about one record of a finding.

        A record that comes back (same finding, same tier) changes nothing but the log. A held
        containment is in ``entry.command`` with ``breaker.held``, and never in ``command``.
        """
        tier: Tier = "observe" if alert.score is None else self._levels.tier(alert.score)
        tenant = alert.tenant or DEFAULT_TENANT
        if alert.detection != common_cause.DETECTION:
            self._ledgers[tenant].hear(alert.partition, alert.partition_agents)
        standing = self._standing(alert, tier)
        idle = self._reason_to_skip(alert, tier, standing)
        if idle is not None:
            return StageDecision(None, self._log(alert, standing.subject, "skipped", idle), None)
        command = commands.contain(self._author, alert, tier, standing)
        if standing.verdict.why is not None:
            return self._hold(alert, command, standing.verdict)
        self._enter(tenant, command)
        said: Decided = "issued" if self._author.mode == "enforce" else "shadowed"
        detail = f"{standing.tier} to {tier}, score {_shown(alert.score)}"
        return StageDecision(command, self._log(alert, standing.subject, said, detail, command), None)

    def on_release(self, act: Release, now: float) -> StageDecision:
        """Return what is done about a human's release.

        Parameters
        ----------
        act : Release
            Who lifts what, why; `at` in the future counts as `now`, or no later release could follow it.
        now : float
            The wall clock of whoever handles it, epoch seconds.
        """
        at = min(act.at, now)
        subject = subject_of(act.tenant, act.agent_id)
        state = self._states.get(subject)
        said, detail = _release_or_not(act, at, state)
        if said != "released":
            return StageDecision(None, self._log_at(act.tenant, subject, said, (act.id, at, detail, None)), None)
        ledger = self._ledgers[act.tenant]
        ends = end_of(state) if state is not None and self._counts(state) else None
        others = ledger.contained(at, math.inf) - (1 if ends is not None and ends > at else 0)
        verdict = BreakerVerdict(None, others, ledger.fleet)
        command = commands.release(self._author, act, at, SubjectStanding(subject, state, "observe", verdict))
        self._enter(act.tenant, command)
        return StageDecision(command, self._log_at(act.tenant, subject, said, (act.id, at, detail, command)), None)

    def _standing(self, alert: Alert, asked: Tier) -> SubjectStanding:
        subject = subject_of(alert.tenant, alert.agent_id)
        state = self._states.get(subject)
        counts = state is not None and self._counts(state)
        tier: Tier = state.tier_at(alert.time) if state is not None and counts else "observe"
        ledger, settings = self._ledgers[alert.tenant or DEFAULT_TENANT], self._author.settings
        end = alert.time + term_s(settings, asked)
        verdict = ledger.ask(settings, alert.time, end)
        if alert.agent_id in settings.protected:
            verdict = verdict._replace(why=f"{alert.agent_id} is protected: only a human contains it")
        elif state is not None and tier != "observe":
            # Already among the contained, so only what lies past its present end is new. That can
            # pass the cap if the alert comes late and others have been contained since.
            now_ends = end_of(state) or alert.time
            longer = ledger.ask(settings, now_ends, max(end, now_ends), is_new=False)
            verdict = verdict._replace(why=longer.why if end > now_ends else None)
        return SubjectStanding(subject, state, tier, verdict)

    def _reason_to_skip(self, alert: Alert, tier: Tier, standing: SubjectStanding) -> str | None:
        """Return why nothing is to be done, or None."""
        state = standing.state
        if alert.detection == common_cause.DETECTION:
            return "the breaker's own incident"
        if alert.activity == "close":
            return "the finding is closed: its session has ended"
        if alert.activity == "verdict":
            return "a person's verdict on the finding: it asks for no response"
        if tier == "observe":
            return f"score {_shown(alert.score)} is below the ladder ({self._levels.limit:.3f})"
        if state is None:
            return None
        if self._author.mode == "shadow" and state.mode == "enforce" and state.tier_at(alert.time) != "observe":
            return "an enforced command stands: a shadow does not replace it"
        named = state.command_id == command_id(standing.subject, tier, alert.finding_uid)
        if named and standing.tier != "observe":
            return f"revision {state.revision} already names this cause"
        if RANK[standing.tier] > RANK[tier]:
            return f"{standing.tier} is in force: a detector does not lower it"
        if standing.tier == tier and not self._outlasts(alert, tier, state):
            return f"{tier} is in force, and for no shorter time"
        return _answered(alert, tier, state)

    def _outlasts(self, alert: Alert, tier: Tier, state: PolicyState) -> bool:
        ends = state.expires_at if tier == state.tier else end_of(state)
        return ends is not None and alert.time + duration_s(self._author.settings, tier) > ends

    def _hold(self, alert: Alert, command: PolicyState, verdict: BreakerVerdict) -> StageDecision:
        """Return a decision that waits for a human; all that are held together are one incident."""
        entry = self._log(alert, command.subject, "held", verdict.why or "held", command)
        if alert.agent_id in self._author.settings.protected:
            return StageDecision(None, entry, None)
        tenant = alert.tenant or DEFAULT_TENANT
        starts, episode = self._ledgers[tenant].starts, self._episodes[tenant]
        news = episode.hold(repr(starts[-1]) if starts else "none", command.subject)
        told = common_cause.incident(self._author, alert, verdict, episode) if news else None
        return StageDecision(None, entry, told)

    def _enter(self, tenant: str, state: PolicyState) -> None:
        old = self._states.get(state.subject)
        self._ledgers[tenant].replace(
            old if old is not None and self._counts(old) else None, state if self._counts(state) else None
        )
        self._states[state.subject] = state

    def _counts(self, state: PolicyState) -> bool:
        """Tell whether a state is real in this mode: to one who enforces, shadows are nothing."""
        return self._author.mode == "shadow" or state.mode == "enforce"

    def _log(
        self, alert: Alert, subject: str, said: Decided, detail: str, command: PolicyState | None = None
    ) -> PolicyLogEntry:
        return self._log_at(
            alert.tenant or DEFAULT_TENANT, subject, said, (alert.finding_uid, alert.time, detail, command)
        )

    def _log_at(
        self, tenant: str, subject: str, said: Decided, what: tuple[str, float, str, PolicyState | None]
    ) -> PolicyLogEntry:
        cause, at, detail, command = what
        head = self._heads.get(tenant, chain.Head())
        entry = PolicyLogEntry(
            tenant=tenant,
            sequence=head.sequence + 1,
            time=at,
            subject=subject,
            decision=said,
            cause=cause,
            detail=detail,
            command=command,
            previous=head.hash,
        ).sealed()
        self._heads[tenant] = chain.Head(entry.sequence, entry.hash)
        return entry


def _tenant_of(subject: str) -> str:
    return unquote(subject.partition("/agent/")[0])


def _answered(alert: Alert, tier: Tier, state: PolicyState) -> str | None:
    """Return why a human's last answer covers this alert, or None.

    The finding that was lifted stays lifted up to the tier it had; so does what came before
    it and is delivered once more. Anything later, or stronger, is a new matter.
    """
    answer = state.answer
    if answer is None:
        return None
    if alert.finding_uid == answer.finding_uid and RANK[tier] <= RANK[answer.tier]:
        return f"{answer.by} released this finding"
    if alert.finding_uid != answer.finding_uid and alert.time <= answer.cause_at:
        return f"older than what {answer.by} released"
    return None


def _release_or_not(act: Release, at: float, state: PolicyState | None) -> tuple[Decided, str]:
    if state is None or state.state == "released":
        return "skipped", "nothing to lift"
    answer = state.answer
    if answer is not None and (answer.release_id == act.id or at < answer.at):
        return "skipped", "this release was answered before"
    if act.revision is not None and act.revision != state.revision:
        return "refused", f"revision {state.revision} stands, {act.revision} was looked at: look again"
    return "released", f"{act.by}: {act.reason}"


def _shown(score: float | None) -> str:
    """Return a score as the log shows it; only rules have spoken where there is none."""
    return "none" if score is None else f"{score:.3f}"
