"""A worker that is killed at a named step: ``python -m tests.kafka.crash "after the manifest"``.

The steps are those of ``ScoringStage._steps`` and ``Controls._steps``. They are wrapped here, in the process of the
worker that is to die; the product has no switch for it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable
from typing import Any

from detector.cli import main
from detector.worker.checkpoint import MANIFEST, CheckpointStore
from detector.worker.controls import Controls
from detector.worker.journal import PREFIX
from detector.worker.scoring import ScoringStage
from detector.worker.transport import BatchConsumer

CHECKPOINT = (
    "before the fence",
    "after the fence",
    "after the outputs",
    "after the first shard",
    "before the manifest",
    "after the manifest",
    "before the commit",
    "after the commit",
)
"""Points of a checkpoint, in order."""
CONTROL = ("before the entry", "after the entry", "after the effect")
"""Points of a control, in order."""


class Death:
    """Kills the process when the step is reached; of a checkpoint, only of a partition that has an earlier one."""

    def __init__(self, step: str) -> None:
        assert step in CHECKPOINT + CONTROL, step
        self.step = step
        self.is_later = False
        self.is_saved = False

    def reach(self, step: str) -> None:
        """Die here, if this is the place: as ``kill -9`` does it, nothing is flushed and nobody is told."""
        if step == self.step and (self.is_later or step in CONTROL):
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap_checkpoint(self) -> None:
        """Put the points of a checkpoint into the scoring stage and into Faust's commit."""
        steps, commits, acknowledged = ScoringStage._steps, ScoringStage._commits, ScoringStage._acknowledged
        commit = BatchConsumer._commit

        async def _steps(stage: ScoringStage, owner: Any, snapshot: Any) -> bool:
            self.is_later = owner.manifest.epoch >= 1 and bool(snapshot.shards)
            self.reach("before the fence")
            is_done = await steps(stage, owner, snapshot)
            self.reach("before the commit")
            self.is_saved |= self.is_later
            self.is_later = False
            return is_done

        async def _commits(stage: ScoringStage, offsets: Any) -> bool:
            is_accepted = await commits(stage, offsets)
            self.reach("after the fence")
            return is_accepted

        async def _acknowledged(stage: ScoringStage, outputs: Any) -> None:
            await acknowledged(stage, outputs)
            self.reach("after the outputs")

        async def _commit(consumer: BatchConsumer, offsets: Any) -> bool:
            is_done = bool(await commit(consumer, offsets))
            if self.is_saved and any(tp.topic == consumer._sink.topic for tp in offsets):
                self.is_later = True
                self.reach("after the commit")
            return is_done

        for wrapped in (_steps, _commits, _acknowledged):
            setattr(ScoringStage, wrapped.__name__, wrapped)
        setattr(BatchConsumer, _commit.__name__, _commit)

    def wrap_state(self) -> None:
        """Put the points of shards, manifest and journal into what writes the state topic."""
        build = CheckpointStore.__init__

        def _init(store: CheckpointStore, topic: str, group: str, key: bytes, send: Any) -> None:
            async def sending(topic: str, key: bytes, value: bytes, partition: int) -> Awaitable[Any]:
                what = _what(key)
                self.reach(f"before the {what}")
                sent: Awaitable[Any] = await send(topic, key, value, partition)
                if self.step == f"after the {what}":
                    await sent
                    self.reach(self.step)
                return sent

            build(store, topic, group, key, sending)

        setattr(CheckpointStore, build.__name__, _init)

    def wrap_controls(self) -> None:
        """Put the last point of a control behind its effect."""
        one = Controls._one

        async def _one(controls: Controls, owner: Any, entry: Any) -> None:
            await one(controls, owner, entry)
            self.reach("after the effect")

        setattr(Controls, _one.__name__, _one)


def _what(key: bytes) -> str:
    if key.startswith(PREFIX):
        return "entry"
    return "manifest" if key == MANIFEST.encode() else "first shard"


if __name__ == "__main__":
    death = Death(sys.argv[1])
    death.wrap_checkpoint()
    death.wrap_state()
    death.wrap_controls()
    main(["worker"])
