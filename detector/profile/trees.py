"""The models of a profile: isolation forest and half-space trees."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from detector.profile.section import Natural, Seconds, Section


class Forest(Section):
    """``[forest]``: the isolation forest, refitted by event time.

    Parameters
    ----------
    trees, samples : int
        Trees, and training vectors drawn for each.
    window : int
        Most recent vectors kept for the next fit.
    refit_s, lag_s : float
        Seconds of event time between fits, and from a fit's start to the event at which it takes effect.
    least : int
        Fewest vectors a fit is made from; below it the voice says "not ready".
    seed : int
        Seed of the fit.
    """

    trees: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 50
    samples: Annotated[int, Field(strict=True, ge=2, le=65_536)] = 256
    window: Annotated[int, Field(strict=True, ge=2, le=1_048_576)] = 8_192
    refit_s: Seconds = 86_400.0
    lag_s: Seconds = 3_600.0
    least: Annotated[int, Field(strict=True, ge=2)] = 100
    seed: Natural = 0


class HalfSpace(Section):
    """``[half_space]``: river's half-space trees, one set per peer group, on the channels' p-values."""

    trees: Annotated[int, Field(strict=True, ge=1, le=256)] = 10
    height: Annotated[int, Field(strict=True, ge=1, le=12)] = 6
    window: Annotated[int, Field(strict=True, ge=1, le=65_535)] = 250
    seed: Natural = 0
