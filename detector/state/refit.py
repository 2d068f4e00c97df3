"""When the forest is fitted again, off the hot path, and at which event the new one takes over.

A fit begins when the watermark enters a new day of event time, on the measures remembered at
that event; its forest serves from the first event one lag later. Both are points of the input, so
recovery and replay find the same forest at the same event. Why a day: ``docs/science.md``, *The forest's clock*.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from detector.memory.clock import first_change
from detector.memory.layout import Memory
from detector.profile.trees import Forest as ForestSettings
from detector.scorers.forest import FlatForest
from detector.scorers.forest_fit import fit


@cache
def _background() -> ThreadPoolExecutor:
    """Return the one thread that fits forests for every partition of this process."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="forest-fit")


@dataclass(slots=True)
class Refit:
    """The forest in use and the one being made.

    Parameters
    ----------
    settings : Forest
        The profile's section.
    forest : FlatForest or None
        In use; None until the first fit took effect.
    day : int or None
        Event-time day (period of `refit_s`) of the watermark; None before any event.
    sample : ndarray of float32, shape (n, 7), or None
        What the coming forest is fitted on.
    due : float
        Watermark from which the coming forest serves; infinite if none is coming.
    fits, served : int
        Fits begun so far; forests that came into use.
    """

    settings: ForestSettings
    forest: FlatForest | None = None
    day: int | None = None
    sample: np.ndarray | None = None
    due: float = float("inf")
    fits: int = 0
    served: int = 0
    _future: Future[FlatForest] | None = field(default=None, repr=False)

    def serve(self, clock: np.ndarray, first: int, memory: Memory) -> int:
        """Return the event up to which one forest serves from `first` on; takes over the one that is due.

        A fit begins where the clock enters a new day.

        Parameters
        ----------
        clock : ndarray of float64, shape (n,)
            The watermark as each event of the batch finds it.
        first : int
            First event that is to be served.
        memory : Memory
            Its sample of measures is copied where a fit begins.
        """
        stop = self.next_change(clock, first)
        if stop == first:
            self.change(float(clock[first]), memory.sample, int(memory.sampled[0]))
            stop = self.next_change(clock, first)
        return stop

    def next_change(self, clock: np.ndarray, first: int) -> int:
        """Return the first event from `first` on at which the forest changes or a fit begins; else the length."""
        marks = clock[first:]
        if self.day is None:
            return first
        changes = (marks >= self.due) | (marks // self.settings.refit_s != self.day)
        return first_change(changes, first)

    def change(self, watermark: float, sample: np.ndarray, sampled: int) -> None:
        """Take over the coming forest if it is due; begin a fit if a new day has begun.

        Parameters
        ----------
        watermark : float
            As the next event will find it.
        sample : ndarray of float32, shape (window, 7)
            The ring of measures; copied.
        sampled : int
            How many ever went into the ring.
        """
        if watermark >= self.due:
            self.forest = self._ready()
            self.served += 1
            self.sample, self.due, self._future = None, float("inf"), None
        day = int(watermark // self.settings.refit_s)
        if self.day is not None and day != self.day and sampled >= self.settings.least:
            newest = min(sampled, len(sample))
            self.sample = np.roll(sample, -(sampled % len(sample)), axis=0)[-newest:].copy()
            self.due = watermark + self.settings.lag_s
            self.fits += 1
            self.begin()
        self.day = day

    def begin(self) -> None:
        """Begin the fit on the sample at hand (also after a restart, which remembers the sample)."""
        settings = self.settings
        assert self.sample is not None  # noqa: S101 - a fit is begun on the sample just taken or restored
        self._future = _background().submit(fit, self.sample, settings.trees, settings.samples, settings.seed)

    def _ready(self) -> FlatForest:
        if self._future is None:
            self.begin()
        assert self._future is not None  # noqa: S101 - begin() has just set it
        return self._future.result()
