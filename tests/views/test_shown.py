"""What others wrote on a terminal: nothing of it acts, nothing of it hides."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import SetupError
from detector.views.shown import count_of, moment, quoted, shown, since_of

NASTY = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8"), st.sampled_from("\x00\x07\x1b\x7f\x85\x9b\u200f\u202e\u2066\u2028\u05d0\\'\"`$\n")
    ),
    max_size=60,
)


@given(NASTY)
def test_nothing_that_acts_on_a_terminal_is_shown(text: str) -> None:
    """No control, no invisible character, none that changes the direction of its line."""
    told = shown(text, 1_000)
    assert told.isprintable()
    assert {unicodedata.bidirectional(one) for one in told} & {"R", "AL", "AN", "RLO", "RLE", "RLI", "LRO"} == set()


@given(NASTY, NASTY)
def test_what_is_shown_is_unambiguous(one: str, other: str) -> None:
    """Two names that look alike in escapes are one name."""
    assert (shown(one, 1_000) == shown(other, 1_000)) == (one == other)


def test_a_long_name_is_cut_where_it_is_asked() -> None:
    """Its beginning stays, and the cut is seen."""
    assert shown("x" * 90, 10) == "x" * 9 + "…"
    assert shown("x" * 10, 10) == "x" * 10


@pytest.mark.integration
@pytest.mark.parametrize("name", ["agent-1", "a b", "it's", "$(id)`id`", "a\nb", "\u202eevil", "-x", "é\x7f\\", "*"])
def test_a_shell_takes_a_quoted_name_as_the_very_name(name: str) -> None:
    """What is pasted runs nothing and means the agent that was shown."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash on this machine: nothing to paste into")
    word = quoted(name)
    assert word is not None
    assert word.isascii()
    assert word.isprintable()
    run = subprocess.run([bash, "-c", f"printf %s {word}"], capture_output=True, check=True, timeout=20)
    if name != "-x":  # printf takes it for an option of its own
        assert run.stdout.decode() == name


def test_a_name_with_nul_has_no_word() -> None:
    """No command line can carry it, so none is made up."""
    assert quoted("a\0b") is None


@pytest.mark.parametrize(
    ("text", "at"), [("90m", 94_600.0), ("24h", 13_600.0), ("0.5d", 56_800.0), ("1970-01-01T01:00:00+01:00", 0.0)]
)
def test_since_is_a_time_ago_or_a_moment(text: str, at: float) -> None:
    """Both forms that a person types."""
    assert since_of(text, 100_000.0) == at


@pytest.mark.parametrize("text", ["", "yesterday", "24", "2026-03-02T09:00:00", "-3h"])
def test_another_since_is_refused_with_what_it_may_be(text: str) -> None:
    """A moment without an offset is nobody's."""
    with pytest.raises(SetupError, match="since must be a time ago like 90m"):
        since_of(text, 100_000.0)


def test_times_and_counts_are_said_in_words() -> None:
    """Also a time that no calendar has."""
    assert (moment(0.0), moment(None), moment(1e18)) == ("1970-01-01 00:00:00Z", "no end", "1e+18 s")
    assert (count_of(1, "agent"), count_of(1_200, "agent")) == ("1 agent", "1,200 agents")
