"""Expectations: a version that an entry newly lists opens one window, once, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from detector.rules import expectations
from detector.rules.declared import Facts, facts_of
from detector.rules.expectations import MOST_VERSIONS, Expectations
from detector.schema.registry import RegistryEntry
from tests.rules.registry import entry

DAY = 86_400.0


def _facts(versions: list[str] | None, revision: int = 1, **more: Any) -> Facts:
    approved = {} if versions is None else {"versions": versions}
    return facts_of(RegistryEntry.model_validate(entry(revision=revision, approved=approved, **more)), b"")


def _after(old: Facts, new: Facts) -> Expectations:
    held = Expectations()
    held.declare(1, old, new)
    return held


def test_a_newly_listed_version_opens_a_window_when_it_is_first_seen() -> None:
    """Not when it is declared: from its first event on, for the time that is given, and never again."""
    held = _after(_facts(["1"]), _facts(["1", "2"], 2))
    assert not held.see(1, "1", 0.0, DAY)
    assert held.see(1, "2", 5 * DAY, DAY)
    assert held.see(1, "2", 6 * DAY - 1, DAY)
    assert not held.see(1, "1", 6 * DAY - 1, DAY)
    assert not held.see(1, "2", 6 * DAY, DAY)
    assert (1 in held, held.opened) == (False, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, ["1"]),
        (["1"], ["1"]),
        (["*"], ["2"]),
        (["re:2.*"], ["2"]),
        (["1"], ["*"]),
        (["1"], ["re:2.*"]),
        (["1"], None),
        (["1"], []),
    ],
)
def test_what_is_no_declared_change_opens_nothing(old: list[str] | None, new: list[str] | None) -> None:
    """A first list, a version that was allowed before, a pattern that names none, a list that is taken away."""
    assert not len(_after(_facts(old), _facts(new, 2)))


@pytest.mark.parametrize("lifecycle", ["proposed", "suspended", "retired"])
def test_only_an_active_entry_declares(lifecycle: str) -> None:
    """What was only seen, or may not act, expects nothing; suspending an agent ends what was expected."""
    assert not len(_after(_facts(["1"]), _facts(["2"], 2, lifecycle=lifecycle)))
    held = _after(_facts(["1"]), _facts(["2"], 2))
    assert held.see(1, "2", 0.0, DAY)
    held.declare(1, _facts(["2"], 2), _facts(["2"], 3, lifecycle=lifecycle))
    assert not len(held)


def test_a_version_taken_off_the_list_ends_its_window() -> None:
    """An entry of the same list prolongs nothing and ends nothing; one that drops the version ends it at once."""
    held = _after(_facts(["1"]), _facts(["2"], 2))
    assert held.see(1, "2", 0.0, DAY)
    held.declare(1, _facts(["2"], 2), _facts(["2"], 3))
    assert held.see(1, "2", DAY - 1, DAY)
    held.declare(1, _facts(["2"], 3), _facts(["1"], 4))
    held.declare(1, _facts(["1"], 4), _facts(["1", "3"], 5))
    assert not held.see(1, "2", DAY - 1, DAY)


def test_a_clock_that_falls_back_ends_a_window() -> None:
    """A window opened under a clock of 2099 is not open until then."""
    held = _after(_facts(["1"]), _facts(["2"], 2))
    assert held.see(1, "2", 1e9, DAY)
    assert not held.see(1, "2", 5e8, DAY)


def test_what_is_expected_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By versions of an agent, the last ones stay, and by agents, those declared longest ago leave first."""
    held = _after(_facts(["v"]), _facts([f"v{k}" for k in range(MOST_VERSIONS + 2)], 2))
    assert not held.see(1, "v1", 0.0, DAY)
    assert held.see(1, "v2", 0.0, DAY)
    monkeypatch.setattr(expectations, "MOST_EXPECTED", 2)
    for agent in (2, 3):
        held.declare(agent, _facts(["1"]), _facts(["2"], 2))
    assert [agent in held for agent in (1, 2, 3)] == [False, True, True]


def test_a_removed_entry_expects_nothing_and_state_comes_back() -> None:
    """What was written is what is read; forgetting is a change, forgetting nothing is none."""
    held = _after(_facts(["1"]), _facts(["2", "3"], 2))
    held.see(1, "2", 7.0, DAY)
    again = Expectations()
    again.restore(held.facts())
    assert again.facts() == held.facts()
    assert again.see(1, "2", 8.0, DAY)
    again.forget(1)
    assert (len(again), again.has_changed) == (0, True)
    again.has_changed = False
    again.forget(1)
    assert not again.has_changed
