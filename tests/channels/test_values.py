"""Novelty: the ladder of levels, and how unusual a level is where it was met."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.channels.known import any_place_key, any_tool_key, as_failed, level_of, place_key, value_key
from detector.channels.values import (
    argument_bits,
    learn_argument_level,
    learn_origin,
    learn_target_level,
    origin_bits,
    target_bits,
)
from detector.sketches.hashing import hash_text
from detector.sketches.keys import add_count
from detector.sketches.levels import COLUMNS, LEVELS

TOOL, OTHER, NAME = hash_text("read"), hash_text("write"), hash_text("target")
PART = np.array([NAME, hash_text("value"), hash_text("place") & ~np.uint64(0xFFF)], np.uint64)
TICK = np.uint64(1)


def table() -> np.ndarray:
    """Return empty level counters."""
    return np.zeros((256, COLUMNS), np.uint32)


def test_each_rung_is_what_was_learned_last() -> None:
    """From nothing to the agent's own: one key more, one level less."""
    own, peers = np.zeros(64, np.uint32), np.zeros(64, np.uint64)
    found = [int(level_of(own, peers, TOOL, PART, TICK, 0))]
    for key in (
        any_place_key(NAME, PART[2]),
        place_key(TOOL, NAME, PART[2]),
        any_tool_key(NAME, PART[1]),
        value_key(TOOL, NAME, PART[1]),
    ):
        add_count(peers, np.uint64(key))
        found.append(int(level_of(own, peers, TOOL, PART, TICK, 0)))
    add_count(own, np.uint64(value_key(TOOL, NAME, PART[1])))
    found.append(int(level_of(own, peers, TOOL, PART, TICK, 0)))
    assert found == [5, 4, 3, 2, 1, 0]


def test_what_only_failed_is_known_to_calls_that_fail_and_new_to_those_that_do_not() -> None:
    """On the two finest rungs; a call that fails leans on what succeeded too."""
    key = value_key(TOOL, NAME, PART[1])
    for level in (0, 1):
        own, peers = np.zeros(64, np.uint32), np.zeros(64, np.uint64)
        where = own if level == 0 else peers
        add_count(where, np.uint64(as_failed(np.uint64(key))))
        assert [int(level_of(own, peers, TOOL, PART, TICK, failed)) for failed in (0, 1)] == [5, level]
        add_count(where, np.uint64(key))
        assert [int(level_of(own, peers, TOOL, PART, TICK, failed)) for failed in (0, 1)] == [level, level]


def test_the_keys_of_one_value_do_not_stand_for_each_other() -> None:
    """Four namespaces, and a tool of its own in two of them."""
    keys = [
        value_key(TOOL, NAME, PART[1]), value_key(OTHER, NAME, PART[1]), any_tool_key(NAME, PART[1]),
        place_key(TOOL, NAME, PART[1]), place_key(OTHER, NAME, PART[1]), any_place_key(NAME, PART[1]),
    ]  # fmt: skip
    assert len({int(key) for key in keys}) == 6


steps = st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1]), st.integers(0, LEVELS - 1)), max_size=60)


@pytest.mark.slow
@given(steps=steps, failed=st.sampled_from([0, 1]), level=st.integers(0, LEVELS - 1))
def test_the_surprise_of_a_target_backs_off_through_four_contexts(
    steps: list[tuple[int, int, int]], failed: int, level: int
) -> None:
    """(group, tool, outcome), (group, tool), (group, outcome), (fleet, outcome), root: the study's chain."""
    fleet, levels, tools = table(), table(), (TOOL, OTHER)
    for tool, bad, one in steps:
        learn_target_level(fleet, levels, tools[tool], bad, one)
    p = (LEVELS - level) / LEVELS
    for alike in (
        lambda tool, bad: bad == failed,
        lambda tool, bad: bad == failed,
        lambda tool, bad: tool == 0,
        lambda tool, bad: tool == 0 and bad == failed,
    ):
        held = [one for tool, bad, one in steps if alike(tool, bad)]
        if held:
            p = (sum(one >= level for one in held) + 2.0 * p) / (len(held) + 2.0)
    expected = -math.log2(p) if level else 0.0
    assert target_bits(fleet, levels, TOOL, failed, level) == pytest.approx(expected, abs=1e-9)


@given(steps=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 5)), max_size=60),
       level=st.integers(0, 5))  # fmt: skip
def test_the_surprise_of_an_argument_backs_off_through_three_contexts(
    steps: list[tuple[int, int, int]], level: int
) -> None:
    """(group, tool, argument), (group, argument), (group)."""
    levels, tools, arguments = table(), (TOOL, OTHER), (NAME, hash_text("cc"))
    for tool, name, one in steps:
        learn_argument_level(levels, tools[tool], arguments[name], one)
    p = (LEVELS - level) / LEVELS
    for held in (
        [one for *_, one in steps],
        [one for _, name, one in steps if name == 0],
        [one for tool, name, one in steps if (tool, name) == (0, 0)],
    ):
        if held:
            p = (sum(one >= level for one in held) + 2.0 * p) / (len(held) + 2.0)
    expected = -math.log2(p) if level else 0.0
    assert argument_bits(levels, TOOL, NAME, level) == pytest.approx(expected, abs=1e-9)


def test_free_text_costs_nothing_where_every_value_is_new() -> None:
    """Odd values are common where everything is odd; the same level is strange where it never was."""
    levels = table()
    for _ in range(200):
        learn_argument_level(levels, TOOL, NAME, 3)
        learn_argument_level(levels, OTHER, hash_text("cc"), 0)
    assert argument_bits(levels, TOOL, NAME, 3) < 0.2
    assert argument_bits(levels, OTHER, hash_text("cc"), 3) > 5.0


def test_a_value_from_tool_output_is_rare_only_where_it_seldom_is() -> None:
    """Per argument of a tool."""
    origins = table()
    for _ in range(100):
        learn_origin(origins, TOOL, NAME, False)
        learn_origin(origins, OTHER, NAME, True)
    assert origin_bits(origins, TOOL, NAME) > 3.0
    assert origin_bits(origins, OTHER, NAME) < 0.2
