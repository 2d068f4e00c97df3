"""The tool behind ``make mutants``: what it may change, what it reports, and that its settings are not stale."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example

from benchmarks import mutants, mutations
from benchmarks.mutation_runs import Runner
from benchmarks.results import put_into
from tests.project.sources import ROOT

SOURCE = '''
"""A module."""
from functools import cache

@cache
def level(n: int | None, least: int = 3) -> float | None:
    """Return the level."""
    if n is None or n < least:
        return None
    note(n)
    return n + 0.5
'''


CATCHES = """
import msgspec

def read(raw):
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
"""


@pytest.fixture
def places(tmp_path: Path) -> list[mutations.Place]:
    """Return the places of a small module."""
    file = tmp_path / "detector" / "steps" / "small.py"
    file.parent.mkdir(parents=True)
    file.write_text(SOURCE)
    return mutations.places_of(file, tmp_path)


def _texts(places: list[mutations.Place]) -> set[str]:
    return {text for place in places for change in place.changes if (text := mutations.changed(place, change))}


def test_every_change_is_python_and_changes_one_line(places: list[mutations.Place]) -> None:
    """A mutant that does not even compile would count as killed."""
    texts = _texts(places)
    assert len(texts) > 15
    for text in texts:
        compile(text, "small.py", "exec")
        assert sum(one != two for one, two in zip(SOURCE.splitlines(), text.splitlines(), strict=True)) == 1


def test_comparisons_numbers_conditions_and_calls_are_changed(places: list[mutations.Place]) -> None:
    """One of each kind that matters here."""
    lines = {line.strip() for text in _texts(places) for line in text.splitlines()} - set(SOURCE.split("\n"))
    for line in ("if n is None or n <= least:", "if n is None and n < least:", "pass", "return n - 0.5"):
        assert line in lines
    assert "if n is None or n is least:" not in lines


def test_annotations_and_decorators_are_left_alone(places: list[mutations.Place]) -> None:
    """No test can notice another annotation, and a kernel without its decorator is the same kernel."""
    for text in _texts(places):
        assert "@cache" in text
        assert "n: int | None" in text
        assert "-> float | None:" in text


@pytest.mark.parametrize("example", mutations.LeaveOutCall.examples())
def test_a_call_is_left_out_as_its_example_shows(example: Example) -> None:
    """Also one that is awaited."""
    assert mutate_code(example.pre_mutation_code, mutations.LeaveOutCall(), 0) == example.post_mutation_code


def test_the_same_seed_draws_the_same_mutants(places: list[mutations.Place]) -> None:
    """A survivor that was reported can be looked for again; another seed looks elsewhere."""
    room = mutants.Room("steps", (), tuple(places))
    first = [mutant.told() for mutant in mutants.drawn([room], 1)]
    assert first == [mutant.told() for mutant in mutants.drawn([room], 1)]
    assert first != [mutant.told() for mutant in mutants.drawn([room], 2)]


def test_rooms_and_tests_of_the_settings_exist() -> None:
    """A renamed folder would leave a room without mutants, or without tests."""
    for name, room in mutants.settings()["rooms"].items():
        assert (ROOT / "detector" / name).is_dir()
        assert room["tests"]
        assert [test for test in room["tests"] if not (ROOT / test).exists()] == []
        for file, _, test in (one.partition("::") for one in room.get("without", ())):
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_no_named_survivor_is_stale_or_without_a_reason() -> None:
    """A line that changed since may hide another mutant under an old excuse."""
    for one in mutants.settings().get("survivors", []):
        lines = {line.strip() for line in (ROOT / one["file"]).read_text(encoding="utf-8").splitlines()}
        assert one["was"] in lines, one
        assert len(one["reason"].split()) >= 3, one


def test_a_named_survivor_is_one_change_of_one_line(places: list[mutations.Place]) -> None:
    """Blanks do not matter; another change of the same line is another mutant."""
    room, source = mutants.Room("steps", (), tuple(places)), places[0].source
    known = [{"file": "detector/steps/small.py", "was": "return n + 0.5", "becomes": "return n + -0.5", "reason": "x"}]
    same = mutants.Mutant(room, places[0], source.replace("n + 0.5", "n +  -0.5"))
    other = mutants.Mutant(room, places[0], source.replace("n + 0.5", "n - 0.5"))
    assert [mutants._is_named(mutant, known) for mutant in (same, other)] == [True, False]


def test_the_score_leaves_out_what_is_named_and_counts_what_hung() -> None:
    """Two killed, one hung, one survivor: three of four; the named one is shown and not counted."""
    room = mutants.Room("steps", (), ())
    fates: Counter[mutants.Fate] = Counter({"killed": 2, "hung": 1, "survived": 1, "named": 1})
    table = mutants.table(mutants.Score(1.0, 7, [room], {"steps": fates}))
    assert "| steps | 0 | 5 | 2 | 1 | 1 | 1 | **0.75** |" in table
    assert "Seed 7" in table


def test_the_chapter_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """Other chapters stay as they are, before and after; the first time it comes last."""
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\n## Memory\n\nsmall\n")
    put_into(results, "## Mutants\n\nfirst")
    assert results.read_text() == "# Results\n\n## Memory\n\nsmall\n\n## Mutants\n\nfirst\n"
    results.write_text(results.read_text() + "\n## Worker\n\nfast\n")
    put_into(results, "## Mutants\n\nsecond")
    assert results.read_text() == "# Results\n\n## Memory\n\nsmall\n\n## Mutants\n\nsecond\n\n## Worker\n\nfast\n"


def test_a_change_that_the_tool_cannot_make_is_passed_over(tmp_path: Path) -> None:
    """It breaks on exceptions caught by a dotted name; other changes of the module are made."""
    file = tmp_path / "detector" / "worker" / "reads.py"
    file.parent.mkdir(parents=True)
    file.write_text(CATCHES)
    places = mutations.places_of(file, tmp_path)
    changes = [(place, change) for place in places for change in place.changes]
    assert any(mutations.changed(place, change) is None for place, change in changes)
    assert _texts(places)


@pytest.mark.integration
def test_a_mutant_that_matters_is_killed_and_a_harmless_one_survives() -> None:
    """In memory: the file on disk is not written, and one change leaves nothing behind for the next."""
    file = ROOT / "detector" / "response" / "ladder.py"
    before = file.read_bytes()
    place = next(iter(mutations.places_of(file, ROOT)))
    assert '"limit": 1' in place.source
    tests = ("tests/response/test_ladder.py",)
    with Runner(ROOT, 60.0) as runner:
        runner.check_unchanged(tests, [place])
        assert runner.fate(place, place.source.replace('"limit": 1', '"limit": 3'), tests) == "killed"
        assert runner.fate(place, place.source + "\nSPARE = 1\n", tests) == "survived"
        with pytest.raises(RuntimeError, match="must pass unchanged"):
            runner.check_unchanged(("tests/response/no_such_test.py",), [place])
    assert file.read_bytes() == before
