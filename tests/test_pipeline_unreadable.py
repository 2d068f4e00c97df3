"""Unreadable is an act: what is refused is scored as its agent's, and every line is counted once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.checks.determinism import faults_of_cuts, faults_of_resuming
from detector.pipeline import Pipeline
from detector.schema.decode import decode
from detector.schema.record import Record
from detector.simulate.fleet import DAY_S, MONDAY
from tests.streams import Script, feed, fleet_stream, makers, ordinary, quick, records_of, trained

PROFILE = quick()


make, restore = makers(PROFILE)


def keyed(values: list[bytes], agent: str, at: float) -> list[Record]:
    """Return values as records of one agent, at a time of Kafka's."""
    return [Record(value, agent.encode(), "events", 3, 10_000 + k, round(at * 1000)) for k, value in enumerate(values)]


STEPS: list[dict[str, Any]] = [
    {"name": "search", "target": "index-1", "attributes": {"query": "q1"}},
    {"name": "read", "kind": "data_access", "target": "/docs/team/file-1", "bytes_out": 1_100},
]
SENT: dict[str, Any] = {"name": "send", "target": "user1@corp.example", "attributes": {"lines": 4}}
TRICKS: dict[str, dict[str, Any]] = {
    "a long argument": {"attributes": {"lines": 4, "note": "x" * 2_000}},
    "a list as an argument": {"attributes": {"lines": [4]}},
    "a number that is none": {"bytes_out": float("nan")},
    "an unknown kind": {"kind": "magic"},
    "a boolean for a number": {"tokens_in": True},
    "a negative size": {"duration_ms": -1},
    "another version": {"v": 2},
    "another agent": {"agent_id": "a-2"},
    "a bad time": {"ts": "yesterday"},
    "no name": {"name": ""},
    "depth": {"attributes": {"lines": {"a": {"b": {"c": 1}}}}},
    "padding": {"colour": "x" * 70_000},
}
"""One for each way of being refused that an event which can be parsed has."""


def last_score(change: Mapping[str, Any] | None, unreadable: bytes | None = None) -> tuple[float, list[str]]:
    """Return the score of the last act of a session of a well-known agent, and what its alert gives as reasons."""
    script = Script()
    pipeline = trained(script)
    values = [script.event(**{**step, "agent_id": "a-1", "session_id": "new"}) for step in STEPS]
    last = script.event(**{**SENT, "agent_id": "a-1", "session_id": "new", **(change or {})})
    records = keyed([*values, last if unreadable is None else unreadable], "a-1", script.now)
    outcome = pipeline.process(records)
    said = [one.observed for alert in outcome.alerts for one in alert.contributions]
    return float(outcome.scores[-1]), said


def test_every_way_of_being_refused_scores_more_than_the_act_itself() -> None:
    """Refused events used to be silent: whoever padded one argument was invisible from then on."""
    honest, _ = last_score(None)
    for trick, change in TRICKS.items():
        score, _ = last_score(change)
        assert score > honest + 2.0, trick


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 100_000])
def test_what_cannot_be_read_at_all_scores_like_a_new_tool(value: bytes) -> None:
    """Nobody of this fleet does such a thing; the honest act is its harmless twin."""
    honest, _ = last_score(None)
    score, said = last_score(None, value)
    assert score > honest + 2.0
    assert any("(unreadable)" in one for one in said)


TRAINED = Script()
SHARDS = trained(TRAINED).snapshot(full=True)


def score_behind_honest_acts(last: Callable[[Script], bytes]) -> float:
    """Return the score of what a well-known agent sends after an honest beginning, by one and the same memory."""
    script = Script(TRAINED.now)
    pipeline = Pipeline.restore(PROFILE, SHARDS, trusted_until=TRAINED.now)
    values = [script.event(**{**step, "agent_id": "a-1", "session_id": "new"}) for step in STEPS]
    return float(pipeline.process(keyed([*values, last(script)], "a-1", script.now + 1.0)).scores[-1])


def whole(script: Script, **change: Any) -> bytes:
    """Return the last act of the session."""
    return script.event(**{**SENT, "agent_id": "a-1", "session_id": "new", **change})


def mangled(raw: bytes, at: int, how: str) -> bytes:
    """Return the bytes of an act, broken off at a place, with a byte that is no text there, or with a byte less."""
    at = at % len(raw)
    return {"cut": raw[:at], "byte": raw[:at] + b"\xff" + raw[at:], "less": raw[:at] + raw[at + 1 :]}[how]


@settings(max_examples=60)
@given(at=st.integers(0, 400), how=st.sampled_from(["cut", "byte", "less"]), is_hostile=st.booleans())
def test_wherever_an_act_becomes_unreadable_it_scores_more_than_the_honest_act(
    at: int, how: str, is_hostile: bool
) -> None:
    """The law: no way of being refused is quieter than doing what everybody does, whatever was really done."""
    hostile: dict[str, Any] = {"target": "mallory@evil.example", "attributes": {"lines": 4, "secret": "the-passwords"}}
    raw = mangled(whole(Script(TRAINED.now + 2.0), **(hostile if is_hostile else {})), at, how)
    if not decode(keyed([raw], "a-1", TRAINED.now)).refusals:
        return  # a byte less left another whole event: then it is judged as what it says
    assert score_behind_honest_acts(lambda _: raw) > score_behind_honest_acts(whole) + 2.0


def test_padding_neither_hides_a_hostile_act_nor_its_name() -> None:
    """It scores no less than without the padding, and the alert names what was done."""
    hostile: dict[str, Any] = {"target": "mallory@evil.example", "attributes": {"lines": 4, "secret": "the-passwords"}}
    bare, _ = last_score(hostile)
    padded, said = last_score({**hostile, "attributes": {**hostile["attributes"], "pad": "x" * 3_000}})
    assert padded >= bare
    assert any("argument secret 'the-passwords'" in one for one in said)
    assert any("target 'mallory@evil.example'" in one for one in said)


def test_the_alert_says_what_could_not_be_read() -> None:
    """The words a person reads name the field and what stood there."""
    _, said = last_score({"kind": "magic, and more"})
    assert any("argument (unreadable) " in one and " of send: like nothing" in one for one in said), said


def test_what_everybody_does_becomes_ordinary() -> None:
    """A producer that always sends lists fills the dead letters and raises no more alerts than one that does not."""
    script = Script()
    plain = [json.loads(value) for value in ordinary(script, 240)]
    listed = [
        {**one, "attributes": {name: [item] for name, item in one.get("attributes", {}).items()}} for one in plain
    ]
    outcomes = [
        feed(Pipeline(quick(), trusted_until=script.now - 0.5 * DAY_S), [json.dumps(one).encode() for one in stream])
        for stream in (plain, listed)
    ]
    assert outcomes[1].counts["refused_scored"] == len(outcomes[1].refusals) > 400
    assert len(outcomes[1].alerts) <= 1.2 * len(outcomes[0].alerts)
    assert np.median(outcomes[1].scores) <= 1.2 * np.median(outcomes[0].scores)


def test_a_refused_line_has_its_score_in_its_place() -> None:
    """One a line in input order, also within NDJSON; only what is nobody's act is NaN."""
    script = Script()
    good = [script.event() for _ in range(3)]
    bad = script.event(kind="magic")
    record = b"\n".join([good[1], b"junk", bad, good[2]])
    outcome = make().process([Record(good[0]), Record(record), Record(b"{}")])
    assert np.isnan(outcome.scores).tolist() == [False, False, True, False, False, True]
    assert [(place, one.line, one.is_scored) for place, one in outcome.refusals] == [
        (1, 1, False),
        (1, 2, True),
        (2, None, False),
    ]


lines = st.sampled_from(
    [
        {"name": "a"}, {"name": "b", "kind": "llm_call"}, {"kind": "lifecycle", "name": "session_end"},
        {"kind": "magic"}, {"event_id": "again"}, {"event_id": "again", "seq": -1}, {"agent_id": ["x"]},
        {"agent_id": ""}, {"ts": "never"}, {"attributes": [1, 2]}, {"name": "x" * 1_100}, "junk", "{",
        '{"agent_id":"a-2",', "",
    ]
)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.tuples(lines, st.sampled_from([b"a-1", b"a-2", None])), min_size=1, max_size=40), st.integers(1, 8))
def test_every_line_is_counted_once(written: list[tuple[Any, bytes | None]], size: int) -> None:
    """Lines = scored + context + repeated + refused and not scored; refused by reason = scored all the same + not."""
    script = Script()
    pipeline = make()
    values = [one.encode() if isinstance(one, str) else script.event(**one) for one, _ in written]
    records = [Record(value, key, "e", 0, k) for k, (value, (_, key)) in enumerate(zip(values, written, strict=True))]
    for start in range(0, len(records), size):
        outcome = pipeline.process(records[start : start + size])
        counts, part = outcome.counts, records[start : start + size]
        assert counts["lines"] == len(outcome.scores) == len(part)
        taken = counts["events_scored"] + counts["events_context"] + counts["events_repeated"]
        assert counts["lines"] == taken + counts["refused_unscored"]
        assert counts["events"] == taken
        assert counts["refused_scored"] + counts["refused_unscored"] == len(outcome.refusals)
        assert counts["refused_scored"] == sum(one.is_scored for _, one in outcome.refusals)
        assert np.isnan(outcome.scores).sum() == counts["events_repeated"] + counts["refused_unscored"]


def broken_stream() -> list[Record]:
    """Return a fleet's stream in which every ninth line breaks off, and its time with it."""
    values = list(fleet_stream())[:900]
    for at in range(4, len(values), 9):
        one = json.loads(values[at])
        one.pop("ts")
        head = {"agent_id": one.pop("agent_id"), "agent_type": one.pop("agent_type", "default")}
        values[at] = json.dumps({**head, **one}).encode()[: -(at % 50) - 1]
    return records_of(values)


def test_output_does_not_depend_on_cuts_where_lines_break_off() -> None:
    """The time of the event before is handed over from batch to batch."""
    stream = broken_stream()
    outcome = make().process(stream)
    assert outcome.counts["refused_scored"] == len(range(4, len(stream), 9))
    assert faults_of_cuts(make, stream, [range(4, len(stream), 9), range(7, len(stream), 7)]) == []


def test_a_restored_pipeline_gives_lines_without_a_time_the_same_one() -> None:
    """It is part of the state: stopped just before such a line, and after it."""
    assert faults_of_resuming(make, restore, broken_stream(), [4, 5, 400]) == []


def test_the_time_of_the_last_event_survives_to_the_microsecond() -> None:
    """With its offset taken off."""
    pipeline = make()
    assert restore(pipeline.snapshot(full=True)).state.past.last is None
    feed(pipeline, [Script().event(ts="2026-03-02T09:00:00.123456+05:30")])
    held = restore(pipeline.snapshot(full=True)).state.past
    assert held.agents() == pipeline.state.past.agents() == [("a-1", "clerk", None, "s-1")]
    assert held.last == datetime(2026, 3, 2, 3, 30, 0, 123_456, tzinfo=UTC)


def test_an_unreadable_record_is_an_act_at_kafka_s_time() -> None:
    """Without a time of its own."""
    pipeline = make()
    pipeline.process(keyed([b"{"], "a-9", MONDAY))
    assert pipeline.gauges()["watermark"] == MONDAY
