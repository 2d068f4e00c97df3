"""Pipelines of one profile, as the scoring stage asks for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from detector.kernels import KernelStep, kernels_told
from detector.profile.load import load_profile, with_mode
from detector.profile.model import Profile
from detector.schema.record import Record
from detector.worker.settings import WorkerSettings

if TYPE_CHECKING:
    from detector.pipeline import Pipeline

WARM_UP = b'{"event_id":"w","ts":"2026-01-01T00:00:00Z","agent_id":"w","kind":"tool_call","name":"w","session_id":"w"}'
UNSCORED: dict[str, Any] = {"profile": True, "response": True, "rules": True, "learning": {"expected_s"}}
"""What of a profile changes no score by itself: state learnt without it is still the same state."""


def profile_of(settings: WorkerSettings) -> Profile:
    """Return the profile a worker was told to use, in the mode it was told."""
    profile = load_profile(settings.profile, settings.models)
    return profile if settings.mode is None else with_mode(profile, settings.mode)


class ProfilePipelines:
    """Makes and restores pipelines with the profile, seed and trust of a worker.

    Parameters
    ----------
    profile : Profile
        As it was loaded.
    settings : WorkerSettings
        Seed, ``trusted_until`` and the secret that hashes are keyed with.
    """

    def __init__(self, profile: Profile, settings: WorkerSettings) -> None:
        from detector.pipeline import Pipeline as Scoring

        self._scoring = Scoring
        self._profile = profile
        trusted = settings.trusted_until
        self._options: dict[str, Any] = {
            "seed": settings.seed,
            "trusted_until": trusted.timestamp() if trusted is not None else None,
            "secret": settings.state_key.get_secret_value() if settings.state_key else None,
        }
        # a profile without classes is what it was before there were any
        unscored = UNSCORED if profile.classes else {**UNSCORED, "classes": True}
        content = json.dumps(profile.model_dump(mode="json", exclude=unscored), sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        self.fingerprint = f"{profile.id} {digest} seed {settings.seed}"

    def new(self) -> Pipeline:
        """Return a pipeline that has seen nothing."""
        pipeline: Pipeline = self._scoring(self._profile, **self._options)
        return pipeline

    def restore(self, shards: Mapping[str, bytes]) -> Pipeline:
        """Return the pipeline whose snapshot the shards are."""
        pipeline: Pipeline = self._scoring.restore(self._profile, dict(shards), **self._options)
        return pipeline

    def warm_up(self, told: Callable[[KernelStep], None]) -> None:
        """Compile every kernel a worker may need before the group waits for it; each one is told as it begins.

        Nearly all of the time goes into five kernels that hold others: `observe` (two thirds of it), `_fill`,
        `judge`, `close_all` and the half-space trees.
        """
        with kernels_told(told):
            pipeline = self._scoring(self._profile, **self._options)
            pipeline.process([Record(WARM_UP)])
            pipeline.finish()
            self.restore(pipeline.snapshot(full=True))
            _ask_a_forest()


def _ask_a_forest() -> None:
    """Compile what the first refit would compile amid the events."""
    import numpy as np

    from detector.channels.catalogue import MEASURES
    from detector.scorers.forest import evidence
    from detector.scorers.forest_fit import fit

    rows = np.arange(2.0 * len(MEASURES)).reshape(2, -1)
    evidence(fit(rows, trees=1, samples=2), rows, np.zeros(len(rows)))
