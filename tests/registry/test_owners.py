"""Who answers for agents that name nobody: by type, or for all others."""

from __future__ import annotations

import pytest

from detector.errors import SetupError
from detector.registry.owners import owners_of


def test_a_type_has_its_owner_and_all_others_theirs() -> None:
    """Nobody is named where nothing is said."""
    owners = owners_of(["support = ann", "coder=team=x", "bo"])
    assert [owners.of(kind) for kind in ("support", "coder=team", "coder", None)] == ["ann", "x", "bo", "bo"]
    assert owners_of(None).of("support") is None
    assert owners_of(["support=ann"]).of("coder") is None


@pytest.mark.parametrize("said", [[""], ["="], ["=ann"], ["support="], ["ann", "bo"], ["a=ann", "a=bo"], ["x" * 1_025]])
def test_what_names_nobody_or_two_is_refused(said: list[str]) -> None:
    """By its option, with what was given."""
    with pytest.raises(SetupError, match="--owner must be"):
        owners_of(said)
