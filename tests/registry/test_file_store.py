"""An inventory in a file: its log beside it, all or nothing, and two hands at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.registry.changes import Stamp, changes_of
from detector.registry.file_store import FileStore
from detector.registry.log import faults_of
from detector.registry.store import apply
from tests.registry.inventory import draft

STAMP = Stamp(1_772_442_847.123456, "ada", "first: #1")


def test_what_was_applied_stands_to_the_letter(tmp_path: Path) -> None:
    """With grants, times and names that YAML would read otherwise; and the log vouches for it."""
    store = FileStore(tmp_path / "inventory.yaml")
    grant = {"id": "g", "granted_at": 1.5, "expires_at": 9e8, "temporary": True, "approver": "no", "tools": ["re:a.b"]}
    wanted = draft(tools=["no", "1", "a: b", "x\ny"], targets=[], grants=[grant], purpose="é #")
    assert apply(store, changes_of([wanted], store.read().entries), STAMP) == []
    stands = store.read().entries["a-1"]
    assert stands == changes_of([wanted], {})[0].entry(STAMP)
    assert faults_of(store.log(), store.read().entries) == []


def test_one_refused_entry_refuses_the_file(tmp_path: Path) -> None:
    """Nothing of it stands, nothing is logged."""
    store = FileStore(tmp_path / "inventory.yaml")
    apply(store, changes_of([draft()], {}), STAMP)
    changes = changes_of([draft("a-2"), draft(revision=0, owner="eve")], store.read().entries)
    with pytest.raises(SetupError, match="a-1: it was made when none stood; revision 1 stands, changed by ada"):
        apply(store, changes, STAMP)
    assert set(store.read().entries) == {"a-1"}
    assert len(store.log()) == 1


def test_who_was_slower_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """Both read the same revision; the file is looked at again before it is written."""
    store = FileStore(tmp_path / "inventory.yaml")
    apply(store, changes_of([draft()], {}), STAMP)
    mine, theirs = (changes_of([draft(revision=1, owner=who)], store.read().entries) for who in ("eve", "bob"))
    apply(store, theirs, STAMP._replace(by="bob"))
    with pytest.raises(SetupError, match="bob changed it meanwhile"):
        apply(store, mine, STAMP._replace(by="eve"))
    assert store.read().entries["a-1"].owner == "bob"
    assert faults_of(store.log(), store.read().entries) == []


def test_an_inventory_that_somebody_edited_by_hand_shows(tmp_path: Path) -> None:
    """It is read as it stands, and does not verify."""
    store = FileStore(tmp_path / "inventory.yaml")
    apply(store, changes_of([draft(tools=["read"])], {}), STAMP)
    path = tmp_path / "inventory.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("- read", '- "*"'), encoding="utf-8")
    assert store.read().entries["a-1"].tools == ("*",)
    assert any("written past" in fault for fault in faults_of(store.log(), store.read().entries))


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Before anything stands."""
    store = FileStore(tmp_path / "missing" / "inventory.yaml")
    with pytest.raises(SetupError, match="inventory must be writable"):
        apply(store, changes_of([draft()], {}), STAMP)
