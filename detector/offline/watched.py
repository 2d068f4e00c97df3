"""The detector with its gauges taken down as it goes: where its threshold stood while a stream was scored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from detector.offline.core import Core
from detector.profile.model import Profile
from detector.schema.record import Record

_THRESHOLDS: Final = ("threshold", "threshold_evidence")


class WatchedCore(Core):
    """A :class:`~detector.offline.core.Core` that takes its gauges down after every batch.

    Attributes
    ----------
    course : list of dict
        One row a batch: ``at`` (aware: the newest event time), ``threshold`` (the score
        from which a session alerts) and ``threshold_evidence`` (the evidence that has this score then), both None until
        enough have closed; ``promised`` and ``spent``.
    """

    def __init__(
        self, profile: Profile | str = "default/v1", seed: int = 0, trusted_until: float | None = None
    ) -> None:
        super().__init__(profile, seed, trusted_until)
        self.course: list[dict[str, Any]] = []

    def process_records(self, records: Sequence[Record]) -> np.ndarray:
        """Return one score a line, as the core does; takes down where the gauges stand after it."""
        scores = super().process_records(records)
        gauges = self.pipeline.gauges()
        self.course.append({
            "at": datetime.fromtimestamp(max(gauges["watermark"], 0.0), UTC),
            **{name: gauges[name] if np.isfinite(gauges[name]) else None for name in _THRESHOLDS},
            "promised": gauges["promised"],
            "spent": gauges["spent"],
        })  # fmt: skip
        return scores
