"""What ends a worker that runs: partitions it does not read, and no place in its group."""

from __future__ import annotations

from typing import Any

from detector.errors import SetupError
from detector.worker.ports import Engine
from detector.worker.settings import WorkerSettings
from detector.worker.startup import widened

WATCH_S = 60.0
"""How often the number of partitions of the events is looked at."""


async def watch_partitions(app: Any, engine: Engine, settings: WorkerSettings) -> None:  # noqa: ANN401
    """End the worker when the events topic gets more partitions: a group that runs does not read the new ones."""
    known = 0
    while not app.should_stop:
        await app.sleep(WATCH_S)
        if app.should_stop or app.rebalancing:
            continue
        width = await app.consumer.width(settings.topics.events)
        if known and width > known:
            await engine.crash(_widened(settings, known, width))
            return
        known = width


def _widened(settings: WorkerSettings, known: int, width: int) -> SetupError:
    names, events = settings.topics, settings.topics.events
    how = " and ".join(
        f"`{widened(settings.bootstrap, name, width)}`" for name in (names.state, names.feedback, names.registry)
    )
    return SetupError(
        f"partitions of {events} must stay as many as a running worker knows ({known}), got {width}: give state, "
        f"feedback and registry as many with {how}, and start the worker again; nothing is lost"
    )


def outside(settings: WorkerSettings) -> SetupError:
    """Return what is told when a worker was without a place in its group for too long."""
    return SetupError(
        f"place of the worker in group {settings.group} must be given within {settings.assignment_timeout_s:.0f} s, "
        f"got none: check READ on the group, that {settings.bootstrap} answers, and assignment_timeout_s"
    )
