"""The whole detector with a registry: each entry takes effect before the first event at or after its own time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.errors import SetupError
from detector.offline.controls import Plan
from detector.offline.core import Core
from detector.profile.model import Profile
from detector.state.report import Outcome


class DeclaredCore(Core):
    """A core whose agents are declared, as :class:`~detector.offline.core.Core` otherwise.

    Parameters
    ----------
    profile, seed, trusted_until, secret
        As of :class:`~detector.offline.core.Core`.
    plan : Plan
        Entries of the registry by their own time, for one partition.
    """

    def __init__(
        self, plan: Plan, profile: Profile, seed: int = 0, trusted_until: float | None = None, secret: str | None = None
    ) -> None:
        super().__init__(profile, seed, trusted_until, secret)
        self._plan = plan

    def process(self, records: Sequence[bytes]) -> np.ndarray:
        """Return one score a line; entries that are due take effect between two of them.

        Raises
        ------
        SetupError
            An entry is refused.
        """
        scores, whole, start = [np.empty(0)], Outcome(), 0
        for at, line in enumerate(records):
            due = self._plan.before(0, at, line)
            if due and at > start:
                scores.append(super().process(records[start:at]))
                whole.counts.update(self.outcomes.counts)
                start = at
            for control in due:
                for _, refusal in self.control([control]).refusals:
                    raise SetupError(
                        f"entries of the registry must take effect, got {refusal.reason}: {refusal.detail}"
                    )
        scores.append(super().process(records[start:]))
        whole.counts.update(self.outcomes.counts)
        self.outcomes = whole
        return np.concatenate(scores)
