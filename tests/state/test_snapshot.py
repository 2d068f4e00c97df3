"""State as shards: written, read back, refused when it does not fit."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import StateError
from detector.pipeline import Pipeline
from detector.state.shards import VERSION, pack, unpack
from tests.streams import Script, feed, fleet_stream, ordinary, quick, records_of

PROFILE = quick()
STREAM = records_of(fleet_stream())


def written() -> dict[str, bytes]:
    """Return the shards of a pipeline in the middle of its stream, sessions and incidents open."""
    pipeline = Pipeline(PROFILE)
    pipeline.process(STREAM[:1_200])
    return pipeline.snapshot(full=True)


SHARDS = written()


def restored(shards: dict[str, bytes]) -> Pipeline:
    """Return a pipeline from shards."""
    return Pipeline.restore(PROFILE, shards)


def test_what_was_written_is_what_is_read() -> None:
    """Shard for shard, and what an operator sees."""
    pipeline = Pipeline(PROFILE)
    pipeline.process(STREAM[:1_200])
    again = restored(SHARDS)
    assert again.snapshot(full=True) == SHARDS
    assert again.gauges() == pipeline.gauges()
    assert pipeline.gauges()["sessions_open"] > 0


def test_shards_come_in_any_order_and_empty_ones_are_as_good_as_none() -> None:
    """As a compacted topic hands them out."""
    turned = dict(reversed(SHARDS.items())) | {"sessions/9999/rows": b""}
    assert restored(turned).snapshot(full=True) == SHARDS


def test_a_restored_pipeline_writes_only_what_changes_and_drops_what_is_gone() -> None:
    """Laid over the shards it came from, its pieces are the whole state."""
    held = dict(SHARDS)
    pipeline = restored(held)
    for start in range(1_200, len(STREAM), 100):
        pipeline.process(STREAM[start : start + 100])
        held |= pipeline.snapshot()
    pipeline.finish()
    held |= pipeline.snapshot()
    kept = {name: shard for name, shard in held.items() if shard}
    assert kept == {name: shard for name, shard in pipeline.snapshot(full=True).items() if shard}
    assert not [name for name in kept if name.startswith("sessions/")]


@pytest.mark.parametrize("name", ["core", "sample", "agents/000000", "groups/0000/a", "groups/0001/b"])
def test_a_missing_shard_is_refused(name: str) -> None:
    """The partition restarts cold and says so, rather than half-remember."""
    with pytest.raises(StateError):
        restored({one: shard for one, shard in SHARDS.items() if one != name})


@settings(max_examples=60)
@given(data=st.data())
def test_a_shard_that_was_cut_or_grew_is_refused(data: st.DataObject) -> None:
    """Whatever its name, wherever the cut."""
    name = data.draw(st.sampled_from(sorted(name for name in SHARDS if SHARDS[name] and name != "forest")))
    shard = SHARDS[name]
    cut = data.draw(st.integers(0, len(shard) - 1))
    broken = shard[:cut] if cut else shard + b"\0"
    with pytest.raises(StateError):
        restored({**SHARDS, name: broken})


@settings(max_examples=60)
@given(place=st.integers(0, 200), flip=st.integers(1, 255))
def test_a_header_with_a_wrong_byte_is_refused_or_changes_nothing_but_data(place: int, flip: int) -> None:
    """No crash, whatever the byte: what is read at all is read as a shard of this version."""
    shard = bytearray(SHARDS["groups/0001/a"])
    shard[place] ^= flip
    try:
        unpack("groups/0001/a", bytes(shard))
    except (StateError, TypeError, ValueError):
        return


def test_a_shard_of_another_version_is_refused() -> None:
    """By its number."""
    shard = pack({"x": np.arange(3)})
    newer = shard.replace(b"\xa7version" + bytes([VERSION]), b"\xa7version" + bytes([VERSION + 1]))
    with pytest.raises(StateError, match="version of shard"):
        unpack("x", newer)


def test_a_broken_forest_is_refused() -> None:
    """It is verified before any parser sees it."""
    with pytest.raises(StateError):
        restored({**SHARDS, "forest": SHARDS["forest"][:-100]})


@pytest.mark.parametrize(
    "other",
    [
        quick(profile={"version": 2}),
        quick(budget={"window": 200}),
        quick(forest={"window": 1_024}),
        quick(half_space={"trees": 5}),
    ],
)
def test_state_of_another_profile_is_refused(other: object) -> None:
    """Another version, another window, other trees."""
    with pytest.raises(StateError):
        Pipeline.restore(other, SHARDS)  # type: ignore[arg-type]


def test_nothing_is_no_state() -> None:
    """An empty topic is a cold start, which the caller chooses."""
    with pytest.raises(StateError, match="core and sample"):
        restored({})


arrays = st.lists(
    st.tuples(st.sampled_from(["u1", "u8", "f4", "f8", "i4"]), st.integers(0, 5), st.integers(0, 4)), max_size=5
)


@given(
    forms=arrays,
    fact=st.dictionaries(st.text(max_size=5), st.one_of(st.integers(-9, 9), st.text(max_size=9), st.none())),
)
def test_a_shard_goes_round(forms: list[tuple[str, int, int]], fact: dict[str, object]) -> None:
    """Arrays of every kind and shape, empty ones too, and facts."""
    given_ = {f"a{n}": np.arange(r * c).reshape(r, c).astype(d) for n, (d, r, c) in enumerate(forms)}
    found, facts = unpack("x", pack(given_, fact))
    assert facts == fact
    assert list(found) == list(given_)
    for name, array in given_.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def test_state_per_agent_stays_within_four_kilobytes() -> None:
    """Written down and in memory, idle."""
    script = Script()
    pipeline = Pipeline(PROFILE)
    values = [value for n in range(64) for value in script.session(f"s-{n}", [{"name": "read"}], agent_id=f"a-{n}")]
    feed(pipeline, values)
    memory = pipeline.state.memory
    assert memory.agents.dtype.itemsize + 2 * 12 <= 4_096
    shards = pipeline.snapshot(full=True)
    assert sum(len(shard) for name, shard in shards.items() if name.startswith("agents/")) <= 64 * 4_096


def test_equal_states_have_equal_bytes_whatever_lies_in_rows_that_are_free() -> None:
    """Another history of slots and chunks, the same memory."""
    script = Script()
    values = ordinary(script, 30)
    tail = [script.event(session_id="open", agent_id="a-1", target=f"/x/{n}") for n in range(40)]
    straight, stopped = Pipeline(PROFILE), Pipeline(PROFILE)
    feed(straight, values + tail)
    feed(stopped, values)
    again = restored(stopped.snapshot(full=True))
    feed(again, tail)
    digests = [
        {name: hashlib.sha256(shard).hexdigest() for name, shard in one.snapshot(full=True).items()}
        for one in (straight, again)
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("list_of", ["channels", "measures"])
def test_state_with_the_channels_or_measures_of_another_version_is_refused(list_of: str) -> None:
    """Columns go by position in a shard: one that moved would be read as another."""
    arrays, facts = unpack("core", SHARDS["core"])
    for names in (facts[list_of][::-1], facts[list_of][:-1], [*facts[list_of], "toy"]):
        with pytest.raises(StateError, match="channels of a snapshot must be this version's"):
            restored({**SHARDS, "core": pack(arrays, {**facts, list_of: names})})
    assert restored({**SHARDS, "core": pack(arrays, facts)}).gauges() == restored(SHARDS).gauges()


def test_agents_whose_fields_changed_places_are_refused() -> None:
    """A snapshot from before two fields were permuted, whole but for that."""
    rows = unpack("a", SHARDS["agents/000000"], {"rows": restored(SHARDS).state.memory.agents.dtype})[0]["rows"]
    names = list(rows.dtype.names or ())
    at = names.index("group")
    names[at], names[at + 1] = names[at + 1], names[at]
    permuted = np.zeros(len(rows), np.dtype([(name, rows.dtype[name]) for name in names], align=True))
    for name in names:
        permuted[name] = rows[name]
    with pytest.raises(StateError, match="layout of array rows of shard agents/000000"):
        restored({**SHARDS, "agents/000000": pack({"rows": permuted})})


def test_a_group_from_before_it_had_a_window_of_its_own_fills_it_anew() -> None:
    """An older snapshot is gone on from: the group is held against the fleet alone until it knows enough."""
    arrays, facts = unpack("group", SHARDS["groups/0002/b"])
    older = {name: values for name, values in arrays.items() if name not in ("ordered", "ring", "filled")}
    again = restored({**SHARDS, "groups/0002/b": pack(older, facts)})
    assert again.state.memory.groups["filled"][2].tolist() == [0, 0, 0]
