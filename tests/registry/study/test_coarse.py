"""Targets as patterns: wide enough for the next file of the same kind, and no wider."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.registry.study.coarse import literal, shapes_of
from detector.registry.study.seen import Use
from detector.rules.patterns import Patterns
from tests.registry.inventory import event


def _uses(*values: str) -> dict[str, Use]:
    found = {}
    for value in values:
        found[value] = Use(0.0)
        found[value].add(event(0), 0.0)
    return found


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_literal_matches_itself_and_nothing_else(value: str) -> None:
    """Whatever an agent called its tool."""
    declared = literal(value)
    assert declared is not None
    patterns = Patterns([declared])
    assert patterns.allows(value)
    assert not any(patterns.allows(other) for other in (f"{value}x", f"x{value}", "send_money") if other != value)


@pytest.mark.parametrize("value", ["*", "re:.*", "send_*", "re:", "a.*b", "re:("])
def test_a_name_that_looks_like_a_pattern_is_none(value: str) -> None:
    """Or an agent could be proposed to use everything by calling it."""
    assert not Patterns([str(literal(value))]).allows("send_money")
    assert Patterns([str(literal(value))]).allows(value)


@pytest.mark.parametrize(
    ("values", "inside", "outside"),
    [
        (
            ["/data/a.txt", "/data/b.txt", "/data/c.pdf", "/data/d"],
            "/data/e.txt",
            ["/etc/passwd", "/data", "/dat/a.txt"],
        ),
        (["P001", "P002", "P030", "P044"], "P999", ["P1", "P0001", "Q001", "P001; rm"]),
        (["ORDER-1", "ORDER-22", "ORDER-333", "ORDER-4"], "ORDER-77", ["ORDER-", "ORDER-1234", "order-1"]),
        (
            ["INV-2026-001", "INV-2026-002", "INV-2025-31", "INV-2026-040"],
            "INV-2024-77",
            ["INV-2026", "INV-26-001", "INV-2026-001-9", "INV-2026_001", "BILL-2026-001"],
        ),
        (["a@acme.com", "b@acme.com", "c@acme.com", "d@acme.com"], "e@acme.com", ["a@evil.com", "acme.com"]),
        (
            ["a.eu.acme.com", "b.eu.acme.com", "c.eu.acme.com", "d.eu.acme.com"],
            "e.eu.acme.com",
            ["eu.acme.com", "a.acme.com"],
        ),
        (
            ["https://x.io/a", "https://x.io/b", "https://x.io/c/d", "https://x.io/e"],
            "https://x.io/z",
            ["https://x.io.evil.com/a"],
        ),
    ],
)
def test_values_of_one_shape_are_one_pattern(values: list[str], inside: str, outside: list[str]) -> None:
    """It allows the next of its kind."""
    (shape,) = shapes_of(_uses(*values))
    patterns = Patterns([shape.pattern])
    assert all(map(patterns.allows, [*values, inside]))
    assert not any(map(patterns.allows, outside))


def test_numbers_longer_than_an_expression_can_count_make_no_pattern() -> None:
    """Or four of them would have the targets of an entry refused, which then would allow any."""
    assert shapes_of(_uses(*(f"{number}" * 1_001 for number in range(1, 6)))) == []
    assert shapes_of(_uses(*(f"A-{number}" + "-1" * 400 for number in range(1, 6)))) == []


def test_files_of_several_folders_are_the_folder_above_them() -> None:
    """The deepest that has enough of them; what has its own pattern is in no other."""
    deep = [f"/srv/app/src/{name}.py" for name in "abcd"]
    wide = ["/srv/app/api/x.py", "/srv/app/api/y.py", "/srv/app/doc/z.md", "/srv/app/test/t.py"]
    far = ["/etc/a/x", "/var/b/y", "/opt/c/z", "/mnt/d/w"]
    found = {shape.pattern: set(shape.values) for shape in shapes_of(_uses(*deep, *wide, *far))}
    assert found == {"/srv/app/src/*": set(deep), "/srv/app/*": set(wide)}


@pytest.mark.parametrize(
    "values",
    [
        ["/data/a", "/data/b", "/data/c"],
        ["a@gmail.com", "b@gmail.com", "c@gmail.com", "d@gmail.com"],
        ["a.co.uk", "b.co.uk", "c.co.uk", "d.co.uk"],
        ["a.com", "b.com", "c.com", "d.com"],
        ["git status", "git log", "git diff", "git push"],
        ["/a", "/b", "/c", "/d"],
        ["/data/../etc/a", "/data/../etc/b", "/data/../etc/c", "/data/../etc/d"],
    ],
)
def test_what_strangers_share_is_no_pattern(values: list[str]) -> None:
    """Three of a kind, public mailboxes, top-level domains, command lines, the root, ways out of a folder."""
    assert shapes_of(_uses(*values)) == []


def test_what_never_went_through_makes_no_pattern() -> None:
    """An attacker who tries four files of a folder has not used it."""
    tried = _uses("/etc/a", "/etc/b", "/etc/c")
    tried["/etc/d"] = Use(0.0)
    tried["/etc/d"].add(event(0, outcome="denied"), 0.0)
    assert shapes_of(tried) == []
