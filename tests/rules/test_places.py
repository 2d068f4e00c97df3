"""Where rules look is where their fields are: the same places as one by one, and none twice."""

from __future__ import annotations

import random
from typing import Any, get_args

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.intake.columns import allocate_columns, ignored_names, keyed_by
from detector.intake.fill import Reading, fill_columns
from detector.intake.pieces import pieces_of
from detector.rules.places import ACTING, ACTS, OF_NAME, Field, Places, in_order
from detector.rules.words import PIECES, groups_of
from detector.schema.event import Event, Kind, Outcome
from tests.streams import Script

_KINDS, _OUTCOMES = get_args(Kind), get_args(Outcome)
ROOM = allocate_columns()
FIELDS: dict[str, Any] = {
    "seq": 0, "tool_hash": "h", "prompt_hash": "p", "credential": {"id": "c"}, "grant": {"id": "g"},
    "on_behalf_of": "kim", "peer_agent_id": "b", "model": "m", "data_class": "pii", "peer_zone": "us", "zone": "eu",
    "session_id": "s", "target": "t",
}  # fmt: skip


def made(seed: int, count: int = 200) -> list[Event]:
    """Return events of every kind and outcome that have, now and then, a field, a name or a text a rule reads."""
    chance, script, found = random.Random(seed), Script(), []
    for _ in range(count):
        more = {name: value for name, value in FIELDS.items() if chance.random() < 0.1}
        more["attributes"] = chance.choice([{}, {"n": 1.0}, {"command": "ls"}, {"command": "cat ~/.NETRC"}])
        body = {"kind": chance.choice(_KINDS), "outcome": chance.choice(_OUTCOMES), **more}
        name = chance.choice(["read", "send_email", "delete_x", "browse"])
        found.append(msgspec.json.decode(script.event(name, **body), type=Event))
    return found


def places_of(events: list[Event]) -> Places:
    """Return the places of a batch."""
    reading = Reading(ignored_names(()), keyed_by(None), pieces_of(PIECES))
    marks = np.zeros(len(events), np.uint64)
    fill_columns(events, reading, ROOM, marks)
    return Places(events, marks)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 128))
def test_places_are_those_that_a_look_at_each_event_finds(seed: int, count: int) -> None:
    """By kind, outcome, field, name and text; also of an empty batch."""
    events = made(seed, count)
    places, all_of = places_of(events), list(enumerate(events))
    assert places.of_kind("policy", "memory") == [i for i, one in all_of if one.kind in {"policy", "memory"}]
    assert places.where(ACTS) == [i for i, one in all_of if one.kind in ACTING]
    assert places.where(ACTS, OF_NAME["send"] | OF_NAME["outside"]) == [
        i for i, one in all_of if one.kind in ACTING and groups_of(one.name) & {"send", "outside"}
    ]
    assert places.acts_that("denied") == [i for i, one in all_of if one.kind in ACTING and one.outcome == "denied"]
    for field in get_args(Field):
        assert places.having(field) == [i for i, one in all_of if getattr(one, field) is not None]
    assert places.named("send") == [i for i, one in all_of if one.kind in ACTING and "send" in groups_of(one.name)]
    assert places.watched() == [
        i for i, one in all_of if one.kind in ACTING and one.attributes.get("command") == "cat ~/.NETRC"
    ]


def test_every_field_that_rules_ask_for_is_one_that_events_have() -> None:
    """And every one of them is tried above."""
    assert set(get_args(Field)) == set(FIELDS) <= set(Event.__struct_fields__)


def test_places_of_several_lists_are_in_order_and_none_twice() -> None:
    """A rule that looks twice at an event would count it twice."""
    assert in_order([1, 4], [0, 4], []) == [0, 1, 4]
