"""Changes of zones in a file: all or none, by whom and why, a log that vouches for what stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.registry.changes import Stamp
from detector.registry.zones.changes import zones_changes_of, zones_faults_of
from detector.registry.zones.drafts import ZonesDraft
from detector.registry.zones.stores import FileZones, StandingZones, apply_zones
from tests.registry.zones.declared import zones_draft

STAMP = Stamp(1_772_442_847.25, "ada", "first")


def _apply(store: FileZones, *drafts: ZonesDraft, by: str = "ada") -> list[str]:
    return apply_zones(store, zones_changes_of(drafts, store.read().declared), STAMP._replace(by=by))


def test_what_is_applied_stands_and_is_logged(tmp_path: Path) -> None:
    """The next change is the next revision; the same again changes nothing."""
    store = FileZones(tmp_path / "zones.yaml")
    assert _apply(store, zones_draft(), zones_draft(tenant="t")) == []
    assert _apply(store, zones_draft(1, crossings=[]), by="bob") == []
    assert _apply(store, zones_draft(crossings=[])) == []
    stands = store.read().declared
    assert {tenant: (one.revision, one.by) for tenant, one in stands.items()} == {
        "default": (2, "bob"),
        "t": (1, "ada"),
    }
    assert stands["t"].model_copy(update={"tenant": "default"}).zones == zones_draft().declared.zones
    assert [(one.tenant, one.revision, one.changed) for one in store.log()] == [
        ("default", 1, ("crossings", "tenant", "zones")),
        ("t", 1, ("crossings", "tenant", "zones")),
        ("default", 2, ("crossings",)),
    ]
    assert zones_faults_of(store.log(), stands) == []


@pytest.mark.parametrize(("made_from", "why"), [(2, "revision 1 stands, changed by ada"), (0, "enter your change")])
def test_zones_made_from_something_else_are_refused(tmp_path: Path, made_from: int, why: str) -> None:
    """All of the file: nothing of it stands."""
    store = FileZones(tmp_path / "zones.yaml")
    _apply(store, zones_draft())
    with pytest.raises(SetupError, match=why):
        _apply(store, zones_draft(tenant="t"), zones_draft(made_from, crossings=[]))
    assert [one.revision for one in store.read().declared.values()] == [1]
    with pytest.raises(SetupError, match="none stand: set revision to 0"):
        _apply(store, zones_draft(1, tenant="t"))


def test_the_slower_of_two_is_refused(tmp_path: Path) -> None:
    """What it was made from stood no longer when it was written."""
    store = FileZones(tmp_path / "zones.yaml")
    _apply(store, zones_draft())
    (mine,) = zones_changes_of([zones_draft(1, crossings=[])], store.read().declared)
    _apply(store, zones_draft(1, zones=[], crossings=[]), by="bob")
    with pytest.raises(SetupError, match="must be made from what stands"):
        store.write([mine.declaration(STAMP)], [])
    assert store.read().declared["default"].by == "bob"


def test_what_another_hand_wrote_is_shown_escaped(tmp_path: Path) -> None:
    """Whoever was faster chose their own name: it must not write on the terminal of who was slower."""

    class Faster(FileZones):
        def read(self) -> StandingZones:
            stands = super().read()
            if "default" in stands.declared:
                stands.declared["default"] = stands.declared["default"].model_copy(update={"by": "eve\x1b[2J"})
            return stands

    (told,) = _apply(Faster(tmp_path / "zones.yaml"), zones_draft())
    assert told == r"default: revision 1 by eve\x1b[2J stands"


def test_a_log_that_was_edited_and_zones_written_past_it_show(tmp_path: Path) -> None:
    """By hand in the file, in the log, and a change that was taken back."""
    path = tmp_path / "zones.yaml"
    store = FileZones(path)
    _apply(store, zones_draft())
    _apply(store, zones_draft(1, crossings=[]))
    log, stands = store.log(), store.read().declared
    edited, other = log[1].model_copy(update={"by": "eve"}), log[0].model_copy(update={"hash": "0" * 64})
    assert zones_faults_of([log[0], edited], stands)[0].endswith("hash does not fit")
    assert "revision 2 does not follow revision 1" in zones_faults_of([other, log[1]], stands)[1]
    assert "revision 2 was logged and does not stand" in zones_faults_of(log, {})[0]
    path.write_text(path.read_text(encoding="utf-8").replace("criticality: high", "criticality: low"), encoding="utf-8")
    assert "written past this command" in zones_faults_of(log, store.read().declared)[0]
    path.write_text("declared: [{zones: [{name: a b}]}]", encoding="utf-8")
    with pytest.raises(SetupError, match="must be zones as they were written"):
        store.read()
