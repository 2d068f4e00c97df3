"""The chain of changes: what is edited, dropped, forged or written past it shows."""

from __future__ import annotations

import pytest

from detector.registry.changes import Stamp, changes_of
from detector.registry.log import ChangeRecord, faults_of, record_for, tips_of
from detector.schema.registry import RegistryEntry
from tests.registry.inventory import draft, entry


def _history(number: int = 3) -> tuple[list[ChangeRecord], dict[str, RegistryEntry]]:
    """Return so many changes of one agent and what stands after them."""
    standing: dict[str, RegistryEntry] = {}
    log: list[ChangeRecord] = []
    for turn in range(number):
        (change,) = changes_of([draft(revision=turn, purpose=f"job {turn}")], standing)
        stamp = Stamp(100.0 + turn, "ada", "work")
        log.append(record_for(change, stamp, tips_of(log)))
        standing["a-1"] = change.entry(stamp)
    return log, standing


def test_an_honest_log_holds() -> None:
    """In any order, also delivered twice."""
    log, standing = _history()
    assert faults_of([*reversed(log), log[0]], standing) == []


@pytest.mark.parametrize("field", ["by", "reason", "at", "entry", "changed", "previous"])
def test_an_edited_change_shows(field: str) -> None:
    """Whatever was edited."""
    log, standing = _history()
    other = {"at": 7.0, "entry": "a" * 64, "previous": "b" * 64, "changed": ("x",)}.get(field, "eve")
    log[1] = log[1].model_copy(update={field: other})
    assert any("revision 2 was edited" in fault for fault in faults_of(log, standing))


def test_an_edited_change_with_a_new_hash_shows() -> None:
    """What came after does not follow it."""
    log, standing = _history()
    forged = log[1].model_copy(update={"by": "eve", "hash": ""})
    log[1] = forged.model_copy(update={"hash": forged.digest()})
    assert any("revision 3 does not follow revision 2" in fault for fault in faults_of(log, standing))


def test_a_dropped_change_shows() -> None:
    """In the middle as a gap, at the end as an entry nobody logged."""
    log, standing = _history()
    assert any("revisions 2 to 2 are missing" in fault for fault in faults_of([log[0], log[2]], standing))
    assert any("is not in the log" in fault for fault in faults_of(log[:2], standing))


def test_an_entry_that_was_written_past_the_desk_shows() -> None:
    """Straight to the topic, in a person's name."""
    log, standing = _history()
    standing["a-1"] = standing["a-1"].model_copy(update={"tools": ("anything",), "revision": 4})
    assert any("written past" in fault for fault in faults_of(log, standing))


def test_an_older_revision_that_was_brought_back_shows() -> None:
    """The log knows a later one."""
    log, standing = _history()
    _, older = _history(2)
    assert any("does not stand" in fault for fault in faults_of(log, older))
    del standing["a-1"]
    assert any("does not stand" in fault for fault in faults_of(log, standing))


def test_two_that_wrote_at_once_show() -> None:
    """Both made a revision 2."""
    log, standing = _history(1)
    records = []
    for name in ("ada", "bob"):
        (change,) = changes_of([draft(revision=1, purpose=name)], standing)
        records.append(record_for(change, Stamp(200.0, name, "at once"), tips_of(log)))
    stands = {"a-1": changes_of([draft(revision=1, purpose="ada")], standing)[0].entry(Stamp(200.0, "ada", "at once"))}
    assert any("stands twice, by ada and bob" in fault for fault in faults_of([*log, *records], stands))


def test_the_log_of_another_agent_says_nothing_of_this_one() -> None:
    """Chains are by agent."""
    log, _ = _history()
    assert any("a-2" in fault for fault in faults_of(log, {"a-2": entry("a-2")}))
