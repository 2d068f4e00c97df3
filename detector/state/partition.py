"""All that one partition knows: memory, models, standing, threshold, incidents, and room to work in."""

from __future__ import annotations

from collections import Counter

import numpy as np

from detector.alerts.findings import Policy
from detector.alerts.incidents import Incidents
from detector.intake.columns import AGENT, BATCH, GROUP
from detector.memory.clock import watermarks
from detector.memory.grow import room_for_batch
from detector.memory.layout import FLEET, FUSED, NOW, OPEN, USED_AGENTS, USED_GROUPS, Memory, allocate_memory
from detector.profile.model import Profile
from detector.rules import RULES, Rule
from detector.schema.past import Past
from detector.scorers.artifacts import half_space_structure
from detector.scorers.half_space import allocate as allocate_masses
from detector.scorers.half_space import grow as grow_masses
from detector.sketches.index import find_row
from detector.sketches.rolling import upper_quantile
from detector.sketches.survival import allocate_survival
from detector.state.refit import Refit
from detector.state.settings import Settings, ceilings_of, settings_of
from detector.steps.combine import Models
from detector.steps.judge import CLOSED_SESSIONS, SessionStanding, allocate_standing
from detector.steps.threshold import BudgetThreshold, Threshold
from detector.steps.workspace import Workspace, allocate_closes, allocate_judgements, allocate_workspace

BLOCK = 8
"""Agents in one shard of a snapshot."""
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
        self.threshold: Threshold = BudgetThreshold(self.settings.threshold)
        self.rules: tuple[Rule, ...] = tuple(RULES[name] for name in profile.rules.enabled)
        shares = self.settings.threshold
        self.incidents = Incidents(
            Policy(profile.id, shares.alerts, shares.quarantine, profile.features.ignored_attributes),
            ceilings_of(profile),
        )
        self.verdicts: Counter[str] = Counter()
        self.past = Past()
        self.touched_blocks: set[int] = set()
        self.touched_groups: set[int] = {FLEET}
        self.rewritten: set[str] = set()
        self.groups_known = 1
        self.forest_written = 0
        self.refit = Refit(profile.forest.model_copy(update={"seed": profile.forest.seed + seed}))
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

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches.

        Agents and peer groups known, sessions open, the evidence at which a session alerts (infinite
        until enough have closed), the share of sessions promised and spent, forests fitted, the
        watermark, incidents opened in its hour, those folded by the ceilings, and the ceiling, and how
        many verdicts of each kind were taken.
        """
        judge, rolling = self.settings.judge, self.standing.rolling
        is_ready = rolling.used[FUSED, 0] >= judge.least
        share = self.settings.threshold.alerts
        threshold = upper_quantile(rolling, FUSED, share, judge.tail) if is_ready else float("inf")
        return {
            "agents": float(self.memory.used[USED_AGENTS]),
            "groups": float(self.memory.used[USED_GROUPS] - 1),
            "sessions_open": float(self.memory.ends[OPEN]),
            "incidents_open": float(len(self.incidents.open)),
            "threshold": float(threshold),
            "sessions_closed": float(self.standing.totals[CLOSED_SESSIONS]),
            "forest_fits": float(self.refit.fits),
            "watermark": float(self.memory.clock[NOW]),
            **self.threshold.gauges(),
            **self.incidents.ceilings.gauges(),
            **{f"verdicts_{kind}": float(count) for kind, count in sorted(self.verdicts.items())},
        }
