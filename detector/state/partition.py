"""All that one partition knows: memory, models, standing, and room to work in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detector.alerts.incidents import Policy
from detector.intake.columns import AGENT, BATCH, GROUP, Columns, allocate_columns
from detector.memory.clock import watermarks
from detector.memory.grow import room_for_batch
from detector.memory.layout import FLEET, NOW, OPEN, USED_AGENTS, USED_GROUPS, Memory, allocate_memory
from detector.profile.model import Profile
from detector.schema.alert import Alert
from detector.scorers.artifacts import half_space_structure
from detector.scorers.half_space import allocate as allocate_masses
from detector.scorers.half_space import grow as grow_masses
from detector.sketches.index import find_row
from detector.sketches.rolling import upper_quantile
from detector.sketches.survival import allocate_survival
from detector.state.refit import Refit
from detector.state.settings import Settings, settings_of
from detector.steps.combine import Evidence, Models, allocate_evidence
from detector.steps.judge import FUSED, Standing, Verdicts, allocate_standing, allocate_verdicts
from detector.steps.learn import Scratch, allocate_scratch
from detector.steps.workspace import Closes, Context, allocate_closes, allocate_context

BLOCK = 8
"""Agents in one shard of a snapshot."""


@dataclass(slots=True)
class Workspace:
    """Arrays that are filled anew for every micro-batch."""

    columns: Columns
    context: Context
    evidence: Evidence
    verdicts: Verdicts
    closes: Closes
    scratch: Scratch


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
    """

    def __init__(self, profile: Profile, seed: int = 0, trusted_until: float | None = None) -> None:
        shape = profile.half_space
        structure = half_space_structure(shape.seed + seed, trees=shape.trees, height=shape.height, window=shape.window)
        self.profile = profile
        self.trusted_until = trusted_until
        self.settings: Settings = settings_of(profile, trusted_until)
        self.memory: Memory = allocate_memory(self.settings.sizes)
        groups = len(self.memory.groups)
        self.models = Models(structure, allocate_masses(structure, groups), allocate_survival(1)[0])
        self.standing: Standing = allocate_standing(profile.budget.window)
        self.incidents: dict[int, Alert] = {}
        self.touched_blocks: set[int] = set()
        self.touched_groups: set[int] = {0}
        self.rewritten: set[str] = set()
        self.forest_written = 0
        self.marks = np.empty(0)
        self.policy = Policy(
            profile=profile.id,
            alerts=self.settings.budget.alerts,
            quarantine=self.settings.budget.quarantine,
            ignored=profile.features.ignored_attributes,
            models=(profile.weights.forest, profile.weights.half_space),
        )
        self.refit = Refit(profile.forest.model_copy(update={"seed": profile.forest.seed + seed}))
        self.work = Workspace(
            columns=allocate_columns(),
            context=allocate_context(),
            evidence=allocate_evidence(BATCH),
            verdicts=allocate_verdicts(BATCH, 1),
            closes=allocate_closes(1),
            scratch=allocate_scratch(profile.sessions.observations),
        )
        self.make_room(0)

    def make_room(self, events: int) -> None:
        """Grow every memory so that the next `events` events of the columns fit."""
        names = np.unique(self.work.columns.ident[:events, GROUP])
        unknown = sum(find_row(self.memory.group_index, name) < 0 for name in names)
        self.memory = room_for_batch(self.memory, self.settings.sizes, events, unknown)
        slots, groups = len(self.memory.sessions), len(self.memory.groups)
        if groups > len(self.models.masses.seen):
            self.models = self.models._replace(masses=grow_masses(self.models.masses, groups))
        rows = slots + BATCH
        if rows > len(self.work.closes.at):
            self.work.closes = allocate_closes(rows)
            self.work.verdicts = allocate_verdicts(BATCH, rows)
        self.work.closes.count[0] = 0

    def note_touched(self, events: int) -> None:
        """Remember whose rows the last batch changed, for the next snapshot."""
        closes = int(self.work.closes.count[0])
        agents = np.concatenate([self.work.context.agent[:events], self.work.closes.agent[:closes]])
        groups = np.concatenate([self.work.context.group[:events], self.work.closes.group[:closes]])
        self.touched_blocks.update((np.unique(agents) // BLOCK).tolist())
        self.touched_groups.update(np.unique(groups[groups >= 0]).tolist())
        self.touched_groups.add(FLEET)

    def spans(self, events: int) -> Iterator[tuple[int, int]]:
        """Yield the spans of a batch between which the forest changes or a fit begins."""
        memory = self.memory
        marks = watermarks(
            memory.clock,
            self.work.columns.ts[:events],
            np.ascontiguousarray(self.work.columns.ident[:events, AGENT]),
            self.settings.rules.step_s,
        )
        self.marks = marks
        start = 0
        while start < events:
            stop = self.refit.cut(marks, start)
            if stop == start:
                self.refit.turn(float(marks[start]), memory.sample, int(memory.sampled[0]))
                stop = self.refit.cut(marks, start)
            yield start, stop
            start = stop

    def gauges(self) -> dict[str, float]:
        """Return the figures an operator watches.

        Agents and peer groups known, sessions open, the evidence at which a session alerts (infinite
        until enough have closed), the share of sessions promised and spent, forests fitted, the watermark.
        """
        budget, rolling, totals = self.settings.budget, self.standing.rolling, self.standing.totals
        is_ready = rolling.used[FUSED, 0] >= budget.least
        threshold = upper_quantile(rolling, FUSED, budget.alerts, budget.tail) if is_ready else float("inf")
        return {
            "agents": float(self.memory.used[USED_AGENTS]),
            "groups": float(self.memory.used[USED_GROUPS] - 1),
            "sessions_open": float(self.memory.ends[OPEN]),
            "incidents_open": float(len(self.incidents)),
            "threshold": float(threshold),
            "promised": float(self.profile.budget.alerts),
            "spent": float(totals[4] / totals[3]) if totals[3] else 0.0,
            "sessions_closed": float(totals[3]),
            "forest_fits": float(self.refit.fits),
            "watermark": float(self.memory.clock[NOW]),
        }
