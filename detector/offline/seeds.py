"""An evaluation with several seeds: means in the place of figures, and how far the seeds lie apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.offline.analyst import Analyst
from detector.offline.controls import read_plan
from detector.offline.evaluate import Inputs, Question, evaluate
from detector.offline.metrics import Resampling
from detector.profile.model import Profile

if TYPE_CHECKING:
    from detector.offline.core import Core


@dataclass(frozen=True, slots=True)
class Asked:
    """How a stream is to be measured.

    Parameters
    ----------
    profile, trusted_until, seed, secret
        Of the detector; as of :class:`~detector.offline.core.Core`.
    analyst, attack_share, gap_s
        As of :class:`~detector.offline.evaluate.Question`.
    draws : int
        Bootstrap samples.
    registry : Path, optional
        Entries of the registry, one a line, each from its own time on.
    """

    profile: Profile
    trusted_until: float | None = None
    seed: int = 0
    analyst: Analyst | None = None
    attack_share: float | None = None
    draws: int = 200
    gap_s: float = 3_600.0
    secret: str | None = field(default=None, repr=False)
    registry: Path | None = None

    def later(self, by: int) -> Asked:
        """Return the same with every seed so much higher."""
        analyst = None if self.analyst is None else replace(self.analyst, seed=self.analyst.seed + by)
        return replace(self, seed=self.seed + by, analyst=analyst)

    def question(self) -> Question:
        """Return what is asked of the scored stream."""
        profile, resampling = self.profile, Resampling(self.draws, self.seed)
        return Question(
            profile.budget.alerts, resampling, self.gap_s, profile.sessions.idle_s, profile.time.step_s, self.analyst,
            self.attack_share, {one.name: profile.shares_of(one)[0] for one in profile.classes},
        )  # fmt: skip


def measure_seeds(
    asked: Asked, inputs: Inputs, seeds: int = 1, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Return the report of a stream; of several seeds the means, with ``seeds`` and ``ranges`` (least, most) of each.

    Raises
    ------
    SetupError
        As of :func:`~detector.offline.evaluate.evaluate`.
    """
    found = []
    for by in range(seeds):
        one = asked.later(by)
        core = _core_of(one)
        found.append(evaluate(core, inputs, one.question(), progress))
    if seeds == 1:
        return found[0]
    mean: dict[str, Any] = mean_of(found)
    return {"seeds": seeds, **mean, "ranges": ranges_of(found)}


def _core_of(asked: Asked) -> Core:
    """Return a fresh detector, with the registry if there is one."""
    plan = read_plan(None, None, 1, asked.registry)
    if plan is None:
        from detector.offline.core import Core

        return Core(asked.profile, asked.seed, trusted_until=asked.trusted_until, secret=asked.secret)
    from detector.offline.declared import DeclaredCore

    return DeclaredCore(plan, asked.profile, asked.seed, asked.trusted_until, asked.secret)


def mean_of(reports: Sequence[Any]) -> Any:  # noqa: ANN401 - trees of plain values
    """Return the mean of trees of one shape: of numbers their mean, of tables each key's, of other things the first.

    A key that only some have, or that is None in some, is the mean of the others. Of intervals the ends are averaged:
    they are those of one seed's run, not of the mean.

    Examples
    --------
    >>> mean_of([{"a": 1, "b": None}, {"a": 2, "b": 4.0}])
    {'a': 1.5, 'b': 4.0}
    """
    known = [one for one in reports if one is not None]
    if not known:
        return None
    if all(_is_number(one) for one in known):
        return sum(known) / len(known)
    if all(isinstance(one, Mapping) for one in known):
        return {key: mean_of([one.get(key) for one in known]) for key in dict.fromkeys(k for one in known for k in one)}
    if all(isinstance(one, list | tuple) and len(one) == len(known[0]) for one in known):
        return [mean_of(places) for places in zip(*known, strict=True)]
    return known[0]


def ranges_of(reports: Sequence[Any]) -> Any:  # noqa: ANN401 - trees of plain values
    """Return the same tree with (least, most) of each number; intervals and whatever is no number are left out.

    Examples
    --------
    >>> ranges_of([{"a": 1, "b": "x"}, {"a": 3, "b": "x"}])
    {'a': (1, 3)}
    """
    known = [one for one in reports if one is not None]
    if known and all(_is_number(one) for one in known):
        return min(known), max(known)
    if not known or not all(isinstance(one, Mapping) for one in known):
        return None
    keys = dict.fromkeys(key for one in known for key in one if key not in {"interval", "intervals"})
    found = {key: ranges_of([one.get(key) for one in known]) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
