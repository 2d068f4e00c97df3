"""What a file would change, and whose work it must not overwrite."""

from __future__ import annotations

from detector.registry.changes import Stamp, changes_of
from tests.registry.inventory import draft, entry


def test_an_edit_of_what_stands_becomes_the_next_revision() -> None:
    """Stamped with who applied it."""
    (change,) = changes_of([draft(revision=1, tools=["read"])], {"a-1": entry(tools=["read", "send"])})
    assert change.kind == "changed"
    assert change.lines == ["  - tools: send"]
    made = change.entry(Stamp(9.0, "bob", "less"))
    assert (made.revision, made.by, made.at, made.reason) == (2, "bob", 9.0, "less")


def test_an_edit_of_an_older_revision_is_refused_with_who_changed_it() -> None:
    """The later of two editors is told."""
    stands = entry(revision=2, by="bob", reason="new owner", at=1_772_442_847.0)
    (change,) = changes_of([draft(revision=1, owner="eve")], {"a-1": stands})
    assert change.kind == "refused"
    for part in ("from revision 1", "revision 2 stands", "bob", "2026-03-02 09:14:07Z", "new owner"):
        assert part in change.why_not


def test_a_new_entry_for_an_agent_that_stands_is_refused() -> None:
    """It was written by somebody who did not know."""
    (change,) = changes_of([draft(revision=0, owner="eve")], {"a-1": entry()})
    assert change.kind == "refused"


def test_what_stands_already_is_no_conflict() -> None:
    """A file can be applied twice."""
    (change,) = changes_of([draft(revision=0)], {"a-1": entry(revision=7)})
    assert change.kind == "same"


def test_an_entry_of_another_tenant_is_not_taken_over() -> None:
    """Whatever revision it names."""
    (change,) = changes_of([draft(revision=1, tenant="evil")], {"a-1": entry(tenant="acme")})
    assert change.kind == "refused"
    assert "acme" in change.why_not


def test_an_edit_of_an_entry_that_is_gone_is_refused() -> None:
    """Somebody removed it meanwhile."""
    (change,) = changes_of([draft(revision=4)], {})
    assert change.kind == "refused"


def test_a_list_that_closes_is_told_as_such() -> None:
    """From anything to none is the largest change there is, and has no lines of its own."""
    (change,) = changes_of([draft(revision=1, tools=[])], {"a-1": entry()})
    assert change.lines == ["  tools: anything -> none"]
