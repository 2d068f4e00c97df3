"""All that one partition knows: memory, models, standing, and room to work in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detector.alerts.budget import Standing, Verdicts, allocate_standing, allocate_verdicts
from detector.features.columns import BATCH, GROUP, Columns, allocate_columns
from detector.features.memory import Memory, allocate_memory
from detector.fusion.combine import Evidence, Models, allocate_evidence
from detector.fusion.learn import Scratch, allocate_scratch
from detector.fusion.observe import Closes, Context, allocate_closes, allocate_context, watermarks
from detector.profile.model import Profile
from detector.scorers.artifacts import half_space_structure
from detector.scorers.half_space import allocate as allocate_masses
from detector.scorers.half_space import grow as grow_masses
from detector.sketches.index import find_row
from detector.sketches.survival import allocate_survival
from detector.state.grow import room_for_batch
from detector.state.refit import Refit
from detector.state.settings import Settings, settings_of


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
        structure = half_space_structure(
            shape.seed + seed, trees=shape.trees, height=shape.height, window=shape.window
        )
        self.profile = profile
        self.trusted_until = trusted_until
        self.settings: Settings = settings_of(profile, trusted_until)
        self.memory: Memory = allocate_memory(self.settings.sizes)
        groups = len(self.memory.groups)
        self.models = Models(structure, allocate_masses(structure, groups), allocate_survival(1)[0])
        self.standing: Standing = allocate_standing(profile.budget.window)
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

    def spans(self, events: int) -> Iterator[tuple[int, int]]:
        """Yield the spans of a batch between which the forest changes or a fit begins."""
        memory = self.memory
        marks = watermarks(memory.clock[0], self.work.columns.ts[:events], self.settings.rules.step_s)
        start = 0
        while start < events:
            stop = self.refit.cut(marks, start)
            if stop == start:
                self.refit.turn(float(marks[start]), memory.sample, int(memory.sampled[0]))
                stop = self.refit.cut(marks, start)
            yield start, stop
            start = stop
