"""What is taken from a call and its tool, whatever a library hands over."""

from __future__ import annotations

from typing import Any

from detector.edge.kit.acts import definition_hash


def test_a_definition_that_is_no_json_has_no_digest_and_loses_no_call() -> None:
    """A schema with an object of its library in it, or one that holds itself: the call is written without."""
    endless: list[Any] = []
    endless.append(endless)
    assert definition_hash("t", "d", {"kind": object()}) is None
    assert definition_hash("t", "d", endless) is None
    assert definition_hash("t", "d", {"kind": "object"}) is not None
