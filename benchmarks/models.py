"""Speed of the flat model copies against their makers, as ratios within one run.

Cases take turns, in an order that moves on each round; a figure is the median over rounds of CPU time, a ratio the
median of the ratios of each round. Only ratios mean anything on another machine. Every case shows that it gives the
same bits as its maker.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

import numpy as np

ROUNDS = 9


class Row(NamedTuple):
    """One scenario: what the maker takes for an event, what the flat copy takes, and the ratio."""

    scenario: str
    maker_us: float
    flat_us: float
    ratio: float
    same_bits: bool


def interleaved(cases: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Return the CPU seconds per event of each case in each round.

    Parameters
    ----------
    cases : mapping of str to callable
        Each runs its case once and returns CPU seconds per event.
    rounds : int
        Rounds counted; one more is run first and thrown away.
    """
    names = list(cases)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for place in range(len(names)):
            name = names[(place + turn) % len(names)]
            seconds = cases[name]()
            if turn:
                taken[name].append(seconds)
    return taken


def _row(scenario: str, taken: Mapping[str, list[float]], maker: str, flat: str, *, same_bits: bool) -> Row:
    ratios = [slow / fast for slow, fast in zip(taken[maker], taken[flat], strict=True)]
    return Row(
        scenario,
        statistics.median(taken[maker]) * 1e6,
        statistics.median(taken[flat]) * 1e6,
        statistics.median(ratios),
        same_bits,
    )


def half_space_rows(events: int = 4_000, groups: int = 8, rounds: int = ROUNDS) -> list[Row]:
    """Return river's score_one and learn_one per event against the flat copy's: 10 trees of height 6, 8 features.

    Parameters
    ----------
    events : int
        Events of a round.
    groups : int
        Peer groups, one river model each.
    rounds : int
        Rounds counted.
    """
    from river.anomaly import HalfSpaceTrees

    from detector.scorers import half_space

    rng = np.random.default_rng(0)
    group, x = rng.integers(0, groups, events), rng.random((events, 8))
    pairs = list(zip(group.tolist(), [dict(enumerate(row)) for row in x.tolist()], strict=True))
    limits: dict[Hashable, tuple[float, float]] = dict.fromkeys(range(8), (0.0, 1.0))
    models = [HalfSpaceTrees(n_trees=10, height=6, window_size=250, limits=limits, seed=0) for _ in range(groups)]
    structure = half_space.build(0)
    masses = {size: half_space.allocate(structure, groups) for size in (1, 512)}
    answers: dict[str, np.ndarray] = {}

    def river() -> float:
        found = []
        start = time.process_time()
        for number, event in pairs:
            found.append(models[number].score_one(event))
            models[number].learn_one(event)
        taken = time.process_time() - start
        answers["river"] = np.array(found, np.float64)
        return taken / events

    def flat(size: int) -> float:
        out, ready = np.empty(events), np.empty(events, bool)
        cuts = [slice(at, at + size) for at in range(0, events, size)]
        start = time.process_time()
        for cut in cuts:
            half_space.score_then_learn(structure, masses[size], group[cut], x[cut], out[cut], ready[cut])
        taken = time.process_time() - start
        answers[f"flat {size}"] = out
        return taken / events

    taken = interleaved({"river": river, "flat 1": lambda: flat(1), "flat 512": lambda: flat(512)}, rounds)
    # every case has learned the same events the same number of times, so the last answers must be equal
    return [
        _row(
            f"half_space.batch_{size}",
            taken,
            "river",
            f"flat {size}",
            same_bits=bool(np.array_equal(answers["river"], answers[f"flat {size}"])),
        )
        for size in (1, 512)
    ]


def forest_rows(rounds: int = ROUNDS) -> list[Row]:
    """Return scikit-learn's score_samples per row against the flat copy's, by rows waiting: 50 trees x 256, 7 features.

    Parameters
    ----------
    rounds : int
        Rounds counted.
    """
    from sklearn.ensemble import IsolationForest

    from detector.scorers.forest import score
    from detector.scorers.forest_fit import flatten

    rng = np.random.default_rng(0)
    sample = rng.gamma(1.0, 1.0, (8_192, 7)).astype(np.float32)
    model = IsolationForest(n_estimators=50, max_samples=256, random_state=0).fit(sample)
    forest = flatten(model, sample)
    rows = []
    for size, repeats in ((1, 200), (64, 100), (512, 40)):
        x, out = rng.gamma(1.0, 1.2, (size, 7)), np.empty(size)
        x32 = x.astype(np.float32)  # scikit-learn's fastest input

        def maker(x32: np.ndarray = x32, size: int = size) -> float:
            start = time.process_time()
            for _ in range(3):
                model.score_samples(x32)
            return (time.process_time() - start) / (3 * size)

        def flat(x: np.ndarray = x, out: np.ndarray = out, size: int = size, repeats: int = repeats) -> float:
            start = time.process_time()
            for _ in range(repeats):
                score(forest, x, out)
            return (time.process_time() - start) / (repeats * size)

        taken = interleaved({"maker": maker, "flat": flat}, rounds)
        same = bool(np.array_equal(out, -model.score_samples(x32)))
        rows.append(_row(f"forest.batch_{size}", taken, "maker", "flat", same_bits=same))
    return rows


def measure(rounds: int = ROUNDS) -> list[Row]:
    """Return every row of this file, by permanent scenario id."""
    return [*half_space_rows(rounds=rounds), *forest_rows(rounds=rounds)]


def table(rows: list[Row]) -> str:
    """Return rows as a Markdown table."""
    lines = ["| scenario | maker us/event | flat us/event | ratio | same bits |", "|---|---|---|---|---|"]
    for row in rows:
        same = "yes" if row.same_bits else "NO"
        lines.append(f"| {row.scenario} | {row.maker_us:.2f} | {row.flat_us:.3f} | {row.ratio:.1f} | {same} |")
    return "\n".join(lines)


if __name__ == "__main__":
    found = measure()
    print(json.dumps([row._asdict() for row in found], indent=2) if "--json" in sys.argv else table(found))
    sys.exit(0 if all(row.same_bits for row in found) else 1)
