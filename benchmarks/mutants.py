"""Small wrong changes to the code, one at a time: how many of them the tests notice.

Cosmic Ray makes the changes: another comparison, another operator, a number one off, a `not`, a loop that
never runs; and one more kind is ours, a call that is left out. A seed draws the places, one change a place, rooms in
turn, until the time is up. `tests/mutants.toml` says which tests belong to a room and which survivors are known to be
harmless. Killed: a test failed, or the tests hung. A survivor passed every test that ran within its time.
"""

from __future__ import annotations

import argparse
import difflib
import random
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from benchmarks import mutation_runs, mutations

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "tests" / "mutants.toml"

Fate = Literal["killed", "hung", "survived", "named"]


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the package, the tests that should notice changes in it, and the places that may be changed."""

    name: str
    tests: tuple[str, ...]
    places: tuple[mutations.Place, ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed module: what was changed, and into what."""

    room: Room
    place: mutations.Place
    text: str

    @property
    def lines(self) -> tuple[str, str]:
        """The changed lines as they were and as they are now."""
        before, after = self.place.source.splitlines(), self.text.splitlines()
        changed = [line for line in difflib.ndiff(before, after) if line[:2] in {"- ", "+ "}]
        was, becomes = (" ".join(line[2:].strip() for line in changed if line[0] == sign) for sign in "-+")
        return was, becomes

    def told(self) -> str:
        """Return the mutant as a person reads it: where, before, after."""
        was, becomes = self.lines
        return f"{self.place.name}:{self.place.line}\n  - {was}\n  + {becomes}"


@dataclass(slots=True)
class Score:
    """What became of the mutants of every room."""

    minutes: float
    seed: int
    rooms: list[Room]
    fates: dict[str, Counter[Fate]] = field(default_factory=dict)
    survivors: list[Mutant] = field(default_factory=list)


def settings() -> dict[str, Any]:
    """Return what ``tests/mutants.toml`` says."""
    return tomllib.loads(SETTINGS.read_text(encoding="utf-8"))


def rooms_of(names: Sequence[str] = ()) -> list[Room]:
    """Return the rooms that are to be changed, all of them if none is named."""
    listed = settings()["rooms"]
    rooms = []
    for name in names or listed:
        files = sorted((ROOT / "detector" / name).glob("*.py"))
        places = tuple(place for file in files for place in mutations.places_of(file, ROOT))
        tests = (*listed[name]["tests"], *(f"--deselect={one}" for one in listed[name].get("without", ())))
        rooms.append(Room(name, tests, places))
    return rooms


def drawn(rooms: Sequence[Room], seed: int) -> Iterator[Mutant]:
    """Yield mutants of the rooms in turn, each place at most once, in an order that only the seed decides."""

    def of(room: Room) -> Iterator[Mutant]:
        chance = random.Random(f"{seed} {room.name}")  # noqa: S311 - a sample to be drawn again, no secret
        for place in chance.sample(room.places, len(room.places)):
            text = mutations.changed(place, chance.choice(place.changes))
            if text is not None and text != place.source:
                yield Mutant(room, place, text)

    for turn in zip_longest(*map(of, rooms)):
        yield from (mutant for mutant in turn if mutant is not None)


def _is_named(mutant: Mutant, known: Sequence[dict[str, str]]) -> bool:
    """Return True if a survivor is named: the same file and lines, whatever the blanks in them."""
    found = ["".join(text.split()) for text in (mutant.place.name, *mutant.lines)]
    return any(found == ["".join(one[name].split()) for name in ("file", "was", "becomes")] for one in known)


def measure(minutes: float, seed: int, rooms: Sequence[Room] | None = None, limit_s: float = 40.0) -> Score:
    """Return what became of the mutants that could be tried within the minutes."""
    score = Score(minutes, seed, list(rooms_of() if rooms is None else rooms))
    score.fates = {room.name: Counter() for room in score.rooms}
    known = settings().get("survivors", [])
    with mutation_runs.Runner(ROOT, limit_s) as runner:
        for room in score.rooms:
            print(f"mutants: {room.name}, {len(room.places)} places, unchanged ...", flush=True)
            runner.check_unchanged(room.tests, room.places)
        until = time.monotonic() + 60.0 * minutes

        def attempt(mutant: Mutant) -> None:
            fate: Fate = "named"
            if not _is_named(mutant, known):
                fate = runner.fate(mutant.place, mutant.text, mutant.room.tests)
            score.fates[mutant.room.name][fate] += 1
            if fate == "survived":
                score.survivors.append(mutant)
                print(mutant.told(), flush=True)

        with ThreadPoolExecutor(runner.workers) as pool:
            running = set()
            for mutant in drawn(score.rooms, seed):
                if time.monotonic() > until:
                    break
                running.add(pool.submit(attempt, mutant))
                if len(running) >= runner.workers:
                    done, running = wait(running, return_when="FIRST_COMPLETED")
                    for one in done:
                        one.result()
            for one in wait(running).done:
                one.result()
    return score


def table(score: Score) -> str:
    """Return the score as a Markdown table."""
    lines = ["| room | places | tried | killed | hung | named harmless | survived | score |", "|" + "---|" * 8]
    total: Counter[Fate] = Counter()
    rows = [(room.name, len(room.places), score.fates[room.name]) for room in score.rooms]
    for _, _, fates in rows:
        total.update(fates)
    for name, places, fates in [*rows, ("all", sum(row[1] for row in rows), total)]:
        killed = fates["killed"] + fates["hung"]
        counted = killed + fates["survived"]
        share = f"**{killed / counted:.2f}**" if counted else "-"
        lines.append(
            f"| {name} | {places} | {fates.total()} | {fates['killed']} | {fates['hung']} "
            f"| {fates['named']} | {fates['survived']} | {share} |"
        )
    return f"Seed {score.seed}, {score.minutes:g} minutes: `make mutants`.\n\n" + "\n".join(lines)


def main() -> None:
    """Try mutants, name the survivors, print the table; `python -m benchmarks mutants` writes it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rooms", nargs="*", help="rooms to change; all of tests/mutants.toml if none is named")
    parser.add_argument("--minutes", type=float, default=10.0, help="time for the mutants, after a run unchanged")
    parser.add_argument("--seed", type=int, default=1, help="draws the places, and the change at each")
    parser.add_argument("--limit", type=float, default=40.0, help="seconds of tests for one mutant")
    given = parser.parse_args()
    score = measure(given.minutes, given.seed, rooms_of(given.rooms), given.limit)
    print(table(score))


if __name__ == "__main__":
    main()
