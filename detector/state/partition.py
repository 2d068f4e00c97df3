"""All that one partition knows: memory, models, standing, threshold, incidents, and room to work in."""

from __future__ import annotations

from collections import Counter

import numpy as np

from detector.alerts.answered import RuleAnswers
from detector.alerts.classes import RiskClasses
from detector.alerts.findings import Policy
from detector.alerts.incidents import Incidents
from detector.channels.context import REPEATED
from detector.intake.columns import AGENT, BATCH, GROUP
from detector.memory.clock import watermarks
from detector.memory.grow import room_for_batch
from detector.memory.layout import FLEET, FUSED, NOW, OPEN, STRANGERS, USED_GROUPS, Memory, allocate_memory
from detector.memory.roster import (
    BLOCK,
    EVENT,
    EVICTED,
    EVICTED_ESTABLISHED,
    FREE_GROUPS,
    GROUPS_EVICTED,
    HELD_S,
    KNOWN_WELL,
    LIVE,
    LOST,
    RETURNED,
)
from detector.profile.model import Profile
from detector.rules import ENTRIES, RULES, Inventory, Rule, RuleMemory
from detector.rules.crowd import NewcomerPace
from detector.rules.pace import RulePace
from detector.schema.past import Past
from detector.scorers.artifacts import half_space_structure
from detector.scorers.half_space import allocate as allocate_masses
from detector.scorers.half_space import grow as grow_masses
from detector.sketches.index import find_row
from detector.sketches.rolling import upper_quantile
from detector.sketches.survival import allocate_survival
from detector.sketches.usual import EVICTED as PLACES_EVICTED
from detector.sketches.usual import TAKEN
from detector.state.refit import Refit
from detector.state.settings import Settings, ceilings_of, settings_of
from detector.state.texts import UsualTexts
from detector.state.turnover import Turnover
from detector.steps.combine import Models
from detector.steps.decisions import Threshold
from detector.steps.judge import CLOSED_SESSIONS, SessionStanding, allocate_standing
from detector.steps.suppressions import Suppressions
from detector.steps.threshold import BudgetThreshold
from detector.steps.workspace import Workspace, allocate_closes, allocate_judgements, allocate_workspace

REWRITTEN = ("sessions/", "incidents/", "closed/")
"""What the shards are called that are written anew with every snapshot."""


class Partition:
    """The state of one partition.

    Parameters
    ----------
    profile : Profile
        What is watched, and how.
    seed : int, default=0
        Added to the profile's seeds of forest and half-space trees.
    trusted_until : float or None
        Event time before which the gate is off, epoch seconds.
    secret : str or None
        What the key of the hashes is made of; without one it is the public key.
    """

    def __init__(
        self, profile: Profile, seed: int = 0, trusted_until: float | None = None, secret: str | None = None
    ) -> None:
        shape = profile.half_space
        structure = half_space_structure(shape.seed + seed, trees=shape.trees, height=shape.height, window=shape.window)
        self.profile = profile
        self.settings: Settings = settings_of(profile, trusted_until, secret)
        self.memory: Memory = allocate_memory(self.settings.sizes)
        groups = len(self.memory.groups)
        self.models = Models(structure, allocate_masses(structure, groups), allocate_survival(1)[0])
        self.standing: SessionStanding = allocate_standing(profile.budget.window)
        self.suppressions = Suppressions(self.settings.weights)
        self.threshold: Threshold = BudgetThreshold(self.settings.threshold, self.suppressions)
        self.rules: tuple[Rule, ...] = tuple(RULES[name] for name in profile.rules.enabled)
        self.rule_memory = RuleMemory()
        self.rule_pace = RulePace()
        self.newcomer_pace = NewcomerPace()
        self.told_lately: dict[int, tuple[int, str, float]] = {}
        self.inventory = Inventory(profile.rules.registered)
        self.classes = RiskClasses(profile, self.settings.keyed)
        self.expected = 0
        shares = self.settings.threshold
        self.incidents = Incidents(
            Policy(profile.id, shares.alerts, shares.quarantine, profile.features.ignored_attributes),
            ceilings_of(profile),
        )
        self.rule_answers = RuleAnswers()
        self.verdicts: Counter[str] = Counter()
        self.past = Past()
        self.texts = UsualTexts()
        self.past.has_changed = True  # a first snapshot may come before any event, and must be whole
        self.touched_blocks: set[int] = set()
        self.touched_groups: set[int] = {FLEET, STRANGERS}
        self.touched_graves: set[int] = set()
        self.rewritten: set[str] = set()
        self.groups_known = STRANGERS + 1
        self.forest_written = 0
        self.refit = Refit(profile.forest.model_copy(update={"seed": profile.forest.seed + seed}))
        self.turnover = Turnover()
        self.work: Workspace = allocate_workspace(profile.sessions.observations)
        self.make_room(0)

    def make_room(self, events: int) -> None:
        """Grow every memory so that the next `events` events of the columns fit; note the clock each will find."""
        columns = self.work.columns
        names = np.unique(columns.ident[:events, GROUP])
        unknown = sum(find_row(self.memory.group_index, name) < 0 for name in names)
        self.memory = room_for_batch(self.memory, self.settings.sizes, events, unknown)
        slots, groups = len(self.memory.sessions), len(self.memory.groups)
        if groups > len(self.models.masses.seen):
            self.models = self.models._replace(masses=grow_masses(self.models.masses, groups))
        rows = slots + BATCH
        if rows > len(self.work.closes.at):
            self.work.closes = allocate_closes(rows)
            self.work.judgements = allocate_judgements(BATCH, rows)
        self.work.closes.count[0] = 0
        agents = np.ascontiguousarray(columns.ident[:events, AGENT])
        self.work.clock = watermarks(
            self.memory.clock, columns.ts[:events], columns.receipt[:events], agents, self.settings.rules.step_s
        )

    def stretch(self, first: int) -> int:
        """Return the event up to which a batch may be walked from `first` on: forest and memory change only between."""
        stop = self.refit.serve(self.work.clock, first, self.memory)
        turn, left = self.turnover.serve(self.work.clock, first, self.memory, self.models.masses)
        self.touched_groups.update(left)
        return min(stop, turn)

    def hold(self, event: int, events: int) -> None:
        """Note that an event of a batch of `events` alerted: its agent leaves after others, for a while.

        A hold that has begun is not moved: between an alert and the end of its batch, cuts would show.
        """
        agent, tally = self.memory.agents[self.work.context.agent[event]], self.memory.roster.tally
        now = float(self.work.clock[event])
        if not agent["alerted_event"] or now >= agent["alerted"] + self.memory.roster.limits[HELD_S]:
            later = np.count_nonzero(self.work.context.state[event + 1 : events] != REPEATED)
            agent["alerted"], agent["alerted_event"] = now, tally[EVENT] - later

    def mark_for_snapshot(self, events: int) -> None:
        """Remember whose rows the last batch changed: the next snapshot holds them."""
        closes = int(self.work.closes.count[0])
        agents = np.concatenate([self.work.context.agent[:events], self.work.closes.agent[:closes]])
        groups = np.concatenate([self.work.context.group[:events], self.work.closes.group[:closes]])
        self.touched_blocks.update((np.unique(agents) // BLOCK).tolist())
        self.touched_groups.update(np.unique(groups[groups >= 0]).tolist())
        # a group that was only named is there too, though nobody was held against it
        used = int(self.memory.used[USED_GROUPS])
        self.touched_groups.update({FLEET, *range(self.groups_known, used)})
        self.groups_known = used
        roster = self.memory.roster
        self.touched_blocks.update(np.flatnonzero(roster.touched).tolist())
        self.touched_graves.update(np.flatnonzero(roster.touched_graves).tolist())
        roster.touched[:], roster.touched_graves[:] = 0, 0

    def mark_taught(self, agent: int, group: int) -> None:
        """Remember that a person's verdict changed the rows of an agent and of a peer group."""
        self.touched_blocks.add(agent // BLOCK)
        self.touched_groups.add(group)

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches.

        Agents and peer groups known, how many left or came back, tombstones, sessions open, the
        evidence at which a session alerts (infinite until enough have closed), the share of
        sessions promised and spent, forests fitted, the watermark, incidents opened in its hour,
        those folded by the ceilings, and the ceiling, how many verdicts of each kind were taken,
        and how many agents are registered; of each risk class what was promised and spent, and
        the share of the last alerted sessions that one agent has.
        """
        return {
            **self._remembered(),
            "sessions_open": float(self.memory.ends[OPEN]),
            "incidents_open": float(len(self.incidents.open)),
            "threshold": self.level(),
            "sessions_closed": float(self.standing.totals[CLOSED_SESSIONS]),
            "forest_fits": float(self.refit.fits),
            "watermark": float(self.memory.clock[NOW]),
            **self.threshold.gauges(),
            "worst_agent": self._worst_agent(),
            **self.incidents.ceilings.gauges(),
            "suppressions": float(len(self.suppressions.held)),
            "suppressions_over": float(self.suppressions.expired),
            "suppressed_findings": float(self.suppressions.findings),
            "suppressed_sessions": float(self.suppressions.sessions),
            "rules_quieted": float(self.rule_answers.hidden),
            "rules_answered": float(len(self.rule_answers.answers)),
            "rules_told_again": float(self.rule_answers.expired),
            "rules_folding": float(len(self.rule_pace.folding({name: one.promise for name, one in ENTRIES.items()}))),
            **self.inventory.gauges(),
            **{f"verdicts_{kind}": float(count) for kind, count in sorted(self.verdicts.items())},
        }

    def _worst_agent(self) -> float:
        """Return the share of the remembered alerted sessions that are one agent's: of the one that has most."""
        counts = Counter(case.agent for case in self.threshold.cases.cases.values())
        return max(counts.values(), default=0) / max(counts.total(), 1)

    def level(self) -> float:
        """Return the score at which a session alerts, before peers correct it; infinite until enough have closed."""
        judge, rolling = self.settings.judge, self.standing.rolling
        if rolling.used[FUSED, 0] < judge.least:
            return float("inf")
        return float(upper_quantile(rolling, FUSED, self.settings.threshold.alerts, judge.tail))

    def _remembered(self) -> dict[str, float]:
        """Return how many agents, peer groups and tombstones there are, and how many of them left."""
        roster, groups = self.memory.roster, int(self.memory.used[USED_GROUPS]) - STRANGERS - 1
        tally, usual = roster.tally, self.memory.usual.tally
        return {
            "agents": float(tally[LIVE]),
            "agents_established": float(tally[KNOWN_WELL]),
            "agents_evicted": float(tally[EVICTED]),
            "agents_evicted_established": float(tally[EVICTED_ESTABLISHED]),
            "agents_returned": float(tally[RETURNED]),
            "tombstones": float(roster.buried.sum() - tally[RETURNED] - tally[LOST]),
            "groups": float(groups - tally[FREE_GROUPS]),
            "groups_evicted": float(tally[GROUPS_EVICTED]),
            "usual_places": float(usual[TAKEN]),
            "usual_places_evicted": float(usual[PLACES_EVICTED]),
        }
