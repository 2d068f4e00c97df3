"""What an explanation says, channel by channel, of an event as the kernels would have seen it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from detector.alerts.explain import NOTHING_USUAL, Known, Seen, UsualThere, contributions_of, is_of_newcomer
from detector.channels.catalogue import MODELS, NAMES
from detector.schema.event import Event

WIDTH = len(NAMES) + len(MODELS)


def seen(logs: dict[str, float], *, ready: tuple[str, ...] | None = None, **fields: Any) -> Seen:
    """Return an event of which some channels say something; all that say something are ready if not told."""
    names = (*NAMES, *(model.name for model in MODELS))
    raw = {
        "event_id": "e", "ts": "2026-03-02T09:00:00Z", "agent_id": "a-1", "kind": "tool_call", "name": "pay",
        "target": "drop.example", "attributes": {"to": "thief", "balance": 40.0},
    }  # fmt: skip
    base = Seen(
        event=msgspec.convert(raw, Event), bits=np.zeros(len(NAMES)),
        logs=np.array([logs.get(name, 0.0) for name in names]), weights=np.ones(WIDTH),
        ready=np.array([name in (logs if ready is None else ready) for name in names]), factor=1.0, part=(0, 1),
        level=(5, 5), number=(-1, 0), measured=np.array([[0.0, 0.0, 0.0, 0.0], [9.0, -3.0, 12.0, 1.0]]),
        known=Known(7, 70, 3, 2, is_established=True),
    )  # fmt: skip
    return base._replace(**fields)


def test_an_event_of_which_nothing_is_odd_is_explained_by_its_largest_channel_alone() -> None:
    """Three in ten go as far: more than one of these would be noise."""
    assert [one.channel for one in contributions_of(seen({"novelty": 0.3, "arguments": 0.4}), ())] == ["arguments"]


def test_a_contribution_is_weight_times_rarity_times_risk() -> None:
    """To a millionth, and odd ones largest first."""
    weights = np.full(WIDTH, 0.5)
    found = contributions_of(seen({"novelty": 2.0, "arguments": 3.0}, weights=weights, factor=0.6), ())
    assert [(one.channel, one.value) for one in found] == [("arguments", 0.9), ("novelty", 0.6)]


def test_a_channel_that_was_not_ready_says_nothing_and_neither_does_one_without_weight() -> None:
    """Its number means nothing."""
    weights = np.ones(WIDTH)
    weights[NAMES.index("arguments")] = 0.0
    found = contributions_of(seen({"novelty": 2.0, "arguments": 3.0}, ready=("arguments",), weights=weights), ())
    assert found == ()


@pytest.mark.parametrize(("level", "voice"), [(0, "own"), (1, "own"), (2, "peers"), (5, "peers")])
def test_up_to_what_its_peers_know_here_the_agent_itself_is_the_measure(level: int, voice: str) -> None:
    """Own history: its closed sessions; beyond it the sessions its peers taught."""
    (one,) = contributions_of(seen({"novelty": 2.0}, level=(level, 0)), ())
    assert (one.voice, one.n) == (voice, 7 if voice == "own" else 70)


def test_a_target_that_is_left_out_is_told_as_one() -> None:
    """Where its peers always name one: they are the measure, and no value is shown."""
    event = msgspec.structs.replace(seen({}).event, target=None)
    (one,) = contributions_of(seen({"novelty": 2.0}, event=event, part=(-9, 1)), ())
    assert one.observed == "target '' of pay: left out, where its peers always name one"
    assert one.voice == "peers"


def test_a_usual_amount_below_zero_is_told_below_zero() -> None:
    """A balance of -7, and not of 7; the count behind it is told."""
    (one,) = contributions_of(seen({"volume": 3.0}), ())
    assert one.expected == "balance of -23.4 to -1.62 with pay, mostly about -7"
    assert one.observed.startswith("balance = 40, +9")
    assert one.n == 12


@pytest.mark.parametrize(("is_own", "voice"), [(1.0, "own"), (0.0, "peers")])
def test_whose_mean_an_amount_was_held_against_is_told(is_own: float, voice: str) -> None:
    """The peers' where the agent has none of its own."""
    measured = np.array([[0.0, 0.0, 0.0, 0.0], [9.0, -3.0, 12.0, is_own]])
    (one,) = contributions_of(seen({"volume": 3.0}, measured=measured), ())
    assert one.voice == voice


def test_a_history_of_no_session_is_nobodys_own() -> None:
    """What a newcomer's next tool was held against is its peers'."""
    known = Known(0, 70, 3, 2, is_established=False)
    (one,) = contributions_of(seen({"transition": 3.0}, known=known), ())
    assert (one.voice, one.n) == ("peers", 70)


def test_usual_values_are_told_once_though_two_channels_speak_of_the_target() -> None:
    """The same list twice says nothing more."""
    usual = (UsualThere("own", (("ledger.internal", 412), ("smtp.corp", 31))), NOTHING_USUAL)
    first, second = contributions_of(seen({"novelty": 3.0, "pair": 2.0}, usual=usual), ())
    assert first.expected == "'ledger.internal' (in 412 sessions of this agent), 'smtp.corp' (31) with pay"
    assert [(one.value, one.sessions) for one in first.usual] == [("ledger.internal", 412), ("smtp.corp", 31)]
    assert (second.usual, second.usual_of) == ((), None)
    assert second.expected.startswith("pay on targets that its peers use it on")


NEW = Known(0, 70, 3, 2, is_established=False)


@pytest.mark.parametrize(
    ("fields", "is_one"),
    [
        ({}, True),
        ({"is_registered": False}, False),
        ({"known": Known(7, 70, 3, 2, is_established=True)}, False),
        ({"level": (1, 2)}, False),
        ({"logs": {"novelty": 1.0, "number": 3.0}}, False),
    ],
)
def test_a_registered_newcomer_that_does_what_its_peers_do_is_one(fields: dict[str, Any], is_one: bool) -> None:
    """Nobody's newcomer, an old hand, a value its peers do not use so, or something odd beside it: none of these."""
    logs = fields.pop("logs", {"novelty": 3.0, "arguments": 2.0, "number": 1.0})
    given: dict[str, Any] = {"level": (1, 1), "known": NEW, "is_registered": True} | fields
    assert is_of_newcomer(seen(logs, **given)) is is_one
