"""Pieces of text are found wherever they are, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.intake.pieces import has_piece, pieces_of

TEXTS = ("abc", "abca", "a.b", "@a`", "nc ", "/etc/x")
PIECES = pieces_of(TEXTS)


@given(text=st.text(alphabet="abcABC.@`n /etxü", max_size=40), cut=st.integers(0, 5))
def test_a_piece_is_found_exactly_where_a_search_finds_it(text: str, cut: int) -> None:
    """Of ASCII letters the case is nothing; what stands before the span, or behind it, is not looked at."""
    raw = text.encode()
    start, stop = min(cut, len(raw)), max(len(raw) - cut, 0)
    span = raw[start:stop]
    found = has_piece(np.frombuffer(raw or b"-", np.uint8), start, max(stop, start), PIECES)
    assert found == any(one.encode() in span.lower() for one in TEXTS)


def test_of_no_pieces_none_is_found() -> None:
    """Not even in an empty text."""
    nothing = pieces_of(())
    assert not has_piece(np.frombuffer(b"abc", np.uint8), 0, 3, nothing)
    assert not has_piece(np.frombuffer(b"abc", np.uint8), 1, 1, PIECES)


@pytest.mark.parametrize("texts", [["ab"], ["abü"], ["abc"] * 256])
def test_pieces_that_the_kernel_cannot_look_for_are_refused(texts: list[str]) -> None:
    """Too short, of letters whose case is not told, too many."""
    with pytest.raises(ValueError, match="pieces must be at most 255, of three ASCII letters or more"):
        pieces_of(texts)
