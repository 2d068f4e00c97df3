"""Shards: arrays and facts as bytes, cut where a record would be too large."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import StateError
from detector.state.shards import divide, form_of, join, pack, unpack


def test_arrays_and_facts_come_back_as_they_were() -> None:
    """Also an empty one, and one without dimensions."""
    arrays: dict[str, np.ndarray] = {"a": np.arange(6).reshape(2, 3), "b": np.empty(0, np.float32), "c": np.array(2.5)}
    back, facts = unpack("x", pack(arrays, {"day": 3, "held": None}))
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
    assert facts == {"day": 3, "held": None}


@given(st.dictionaries(st.text("abc/", min_size=1), st.binary(max_size=300)), st.integers(10, 100))
def test_what_was_cut_is_joined_again(shards: dict[str, bytes], most: int) -> None:
    """And no piece is larger than allowed."""
    pieces = divide(shards, most)
    assert max(map(len, pieces.values()), default=0) <= most
    assert join(pieces) == shards


def test_a_piece_left_over_from_a_larger_shard_is_ignored() -> None:
    """The newer note says how many pieces count."""
    old, new = divide({"x": b"1" * 50}, 20), divide({"x": b"2" * 30}, 20)
    assert join({**old, **new}) == {"x": b"2" * 30}


def test_a_missing_piece_is_refused() -> None:
    """Half a shard is no shard."""
    pieces = divide({"x": b"1" * 50}, 20)
    del pieces["x~1"]
    with pytest.raises(StateError, match="pieces of shard x"):
        join(pieces)


LAYOUT = np.dtype([("seen", np.float64), ("started", np.float64), ("group", np.int32)], align=True)


@pytest.mark.parametrize(
    "other",
    [
        np.dtype([("started", np.float64), ("seen", np.float64), ("group", np.int32)], align=True),
        np.dtype([("seen", np.float64), ("started", np.int64), ("group", np.int32)], align=True),
        np.dtype([("seen", np.float64), ("started", np.float64), ("group", np.int32, (2,))], align=True),
        np.dtype([("seen", np.float64), ("started", np.float64), ("owner", np.int32)], align=True),
        np.dtype([("seen", np.float64), ("started", np.float64), ("group", np.int32)]),
    ],
    ids=["permuted", "another format", "another shape", "another name", "another padding"],
)
def test_rows_of_another_layout_are_refused_and_never_read_askew(other: np.dtype[np.void]) -> None:
    """Two fields that changed places have the same length: only the layout tells."""
    assert form_of(other) != form_of(LAYOUT)
    shard = pack({"rows": np.zeros(3, other)})
    with pytest.raises(StateError, match="layout of array rows of shard x"):
        unpack("x", shard, {"rows": LAYOUT})
    with pytest.raises(StateError, match="layout of array rows"):
        unpack("x", shard)
    assert len(unpack("x", pack({"rows": np.zeros(3, LAYOUT)}), {"rows": LAYOUT})[0]["rows"]) == 3
