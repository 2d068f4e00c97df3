"""What is known of a worker's condition: is it alive, is it ready, and if not, why."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

STALE_BEAT_S = 30.0
"""An event loop that has not turned for so long is not alive; a forest fit takes well under a second."""


@dataclass(slots=True)
class Health:
    """What is known of the worker's condition; written by the event loop, read by the probe's thread.

    Parameters
    ----------
    checkpoint_interval_s : float
        A checkpoint older than six of these, and than 60 s, makes the worker not ready.
    monotonic : callable
        Seconds that only go forward.
    """

    checkpoint_interval_s: float
    monotonic: Callable[[], float] = time.monotonic
    partitions: int | None = None
    is_policy_restored: bool = False
    phase: str | None = None
    _beat: float = field(init=False)
    _checkpoint: float | None = None

    def __post_init__(self) -> None:
        self._beat = self.monotonic()

    def starting(self, phase: str) -> None:
        """Say what is done before the event loop turns; a worker that compiles for minutes is alive, and not ready."""
        self.phase = phase

    def started(self) -> None:
        """Say that the event loop begins to turn now."""
        self.phase = None
        self._beat = self.monotonic()

    def beat(self) -> None:
        """Say that the event loop turns."""
        self._beat = self.monotonic()

    def hold(self, partitions: int) -> None:
        """Say how many event partitions are held now."""
        self.partitions = partitions
        self._checkpoint = self.monotonic()

    def lose(self) -> None:
        """Say that the place in the group was lost."""
        self.partitions = None
        self.is_policy_restored = False

    def checkpointed(self) -> None:
        """Say that everything is durable."""
        self._checkpoint = self.monotonic()

    def why_not_live(self) -> str | None:
        """Return what is wrong with the process, None if nothing is."""
        if self.phase is not None:
            return None
        age = self.monotonic() - self._beat
        return f"event loop has not turned for {age:.0f} s: restart the worker" if age > STALE_BEAT_S else None

    def why_not_ready(self) -> str | None:
        """Return what keeps the worker from doing its work, None if nothing does."""
        if self.phase is not None:
            return self.phase
        if self.partitions is None:
            return "no place in the consumer group yet"
        if self.partitions == 0:
            return "no partitions assigned: more workers than partitions"
        if not self.is_policy_restored:
            return "policy topic not read to its end yet"
        age = self.monotonic() - (self._checkpoint or 0.0)
        if age > max(60.0, 6 * self.checkpoint_interval_s):
            return f"last checkpoint is {age:.0f} s old: is the state topic writable?"
        return self.why_not_live()
