"""The kept copy is whole or refused, and says of each subject what the state itself says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.edge.copy import ends_at, read_copy, write_copy
from detector.errors import StateError
from tests.edge.states import record, state


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """As records of the topic; nothing but the file is left behind."""
    states = [state(), state(subject="acme/agent/\u2028 x\ny")]
    path = tmp_path / "copy"
    write_copy(path, [(one.subject, one) for one in states], 150.0)
    assert read_copy(path) == [record(one) for one in states]
    assert list(tmp_path.iterdir()) == [path]
    write_copy(path, [], 151.0)
    assert read_copy(path) == []


def test_half_a_copy_is_refused(tmp_path: Path) -> None:
    """Whoever stood in the other half would be free."""
    path = tmp_path / "copy"
    write_copy(path, [(state().subject, state()), ("b", state(subject="default/agent/b"))], 150.0)
    lines = path.read_text().splitlines(keepends=True)
    for broken in ("", "".join(lines[:2]), lines[0], "".join(lines[1:]), "".join(lines)[:-20], "[]\n"):
        path.write_text(broken)
        with pytest.raises(StateError):
            read_copy(path)
    with pytest.raises(StateError, match="readable"):
        read_copy(tmp_path / "none")


@given(
    st.sampled_from([None, 200.0]),
    st.sampled_from(["step_down", "hold_and_page", "release"]),
    st.sampled_from([None, 150.0, 300.0]),
    st.floats(0.0, 1_000.0),
)
def test_the_end_it_names_is_the_end_of_the_state(expires: Any, on_expiry: Any, down: Any, now: float) -> None:
    """By the rule of the state itself, at every moment."""
    one = state(expires_at=expires, on_expiry=on_expiry, steps_down_until=down)
    end = ends_at(one)
    binds = one.begins_at <= now and (end is None or now < end)
    assert binds == (one.tier_at(now) != "observe")
