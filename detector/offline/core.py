"""The whole detector as one object, for harnesses and notebooks: records in, one score an event out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.pipeline import Pipeline
from detector.profile.load import load_profile
from detector.profile.model import Profile
from detector.schema.alert import Alert
from detector.schema.control import Control
from detector.schema.decode import Refusal
from detector.schema.record import Record, records_of
from detector.state.report import Outcome


class Core:
    """Scores records in order, prequentially: each event by what was known before it.

    Parameters
    ----------
    profile : Profile or str, default="default/v1"
        What is watched, or the name of a shipped profile.
    seed : int, default=0
        Added to the profile's seeds.
    trusted_until : float or None
        Event time, epoch seconds, before which everything is learned and nothing alerts.
    secret : str or None
        A deployment's DETECTOR_STATE_KEY: hashes are then those of its workers.

    Attributes
    ----------
    alerts : list of Alert
        So far.
    unheard : set of str
        Sessions, or agents without one, whose incident was folded into a storm.
    classes : dict of str to str
        Of sessions, or agents without one, the risk class; of those that have one.
    refusals : list of (int, Refusal)
        Place of the record among all given so far, and why it, or one line of it, is no event as it stands.
    outcomes : Outcome
        Of the last call.

    Examples
    --------
    >>> core = Core()
    >>> scores = core.process([b'{"event_id": "1"}'])
    >>> bool(np.isnan(scores[0])), core.refusals[0][1].reason
    (True, 'missing_field')
    """

    def __init__(
        self,
        profile: Profile | str = "default/v1",
        seed: int = 0,
        trusted_until: float | None = None,
        secret: str | None = None,
    ) -> None:
        loaded = load_profile(profile) if isinstance(profile, str) else profile
        self.pipeline = Pipeline(loaded, seed, trusted_until, secret)
        self.alerts: list[Alert] = []
        self.unheard: set[str] = set()
        self.classes: dict[str, str] = {}
        self.refusals: list[tuple[int, Refusal]] = []
        self.outcomes = Outcome()
        self._records = 0

    def process(self, records: Sequence[bytes]) -> np.ndarray:
        """Return one score a line in input order: evidence, high is strange, 0 for events that are only context.

        Parameters
        ----------
        records : sequence of bytes
            One event each, or NDJSON of many.

        Returns
        -------
        ndarray of float64, shape (n_lines,)
            NaN for a repeated one, and for a refused one of which no event could be made; the refused ones' reasons
            are in `refusals`, scored or not.
        """
        return self.process_records(records_of(records, self._records))

    def process_records(self, records: Sequence[Record]) -> np.ndarray:
        """Return the same of records that know where they stand."""
        self.outcomes = self.pipeline.process(records)
        self.alerts += self.outcomes.alerts
        self.unheard.update(self.outcomes.unheard)
        for name, kind in self.outcomes.classes.items():
            self.classes[name] = kind
            if not kind:
                del self.classes[name]
        self.refusals += [(self._records + index, refusal) for index, refusal in self.outcomes.refusals]
        self._records += len(records)
        return self.outcomes.scores

    def control(self, controls: Sequence[Control]) -> Outcome:
        """Return what controls led to, verdicts for one; they take effect before the events that follow."""
        self.outcomes = self.pipeline.control(controls)
        self.alerts += self.outcomes.alerts
        return self.outcomes

    def finish(self) -> Outcome:
        """Return what comes of closing every open session."""
        self.outcomes = self.pipeline.finish()
        self.alerts += self.outcomes.alerts
        return self.outcomes
