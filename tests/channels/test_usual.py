"""What an alert says is usual: actual values with counts, the agent's own or its peers', learned and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.channels.usual import NOBODY
from detector.pipeline import Pipeline
from detector.schema.alert import Alert, Contribution
from detector.state.texts import MOST_USUAL
from tests.streams import Script, feed, ordinary, quick, quiet, trained

ODD: list[dict[str, Any]] = [
    {"name": "send", "target": "eve@drop.example", "attributes": {"lines": 90_000}, "bytes_in": 8_388_608.0},
    {"name": "write", "target": "/etc/passwd", "duration_ms": 9_000.0},
]
USERS = {f"user{number}@corp.example" for number in range(4)}


def of_channel(alerts: list[Alert], channel: str) -> Contribution:
    """Return the first contribution of a channel to any of the alerts."""
    return next(one for alert in alerts for one in alert.contributions if one.channel == channel)


def used_to(script: Script, target: str) -> Pipeline:
    """Return a pipeline whose clerks were trusted to write to a target on two days, more often than to any other."""
    values = ordinary(script, 40)
    for day in range(2):
        for number in range(60):
            acts = [{"name": "send", "target": target, "attributes": {"lines": 4}}]
            values += script.session(f"often-{day}-{number}", acts, agent_id=f"a-{number % 3}")
        values += quiet(script, 1.5)
    values += ordinary(script, 100, first=40)
    pipeline = Pipeline(quick(), trusted_until=script.now)
    feed(pipeline, values)
    return pipeline


def test_beside_a_new_target_stand_those_the_agent_uses_with_the_sessions_that_did() -> None:
    """Three recipients it wrote to, the most frequent first."""
    script = Script()
    pipeline = trained(script)
    found = of_channel(feed(pipeline, script.session("odd", ODD[:1], agent_id="a-0")).alerts, "novelty")
    assert found.usual_of == "own"
    assert {one.value for one in found.usual} < USERS
    counts = [one.sessions for one in found.usual]
    assert len(counts) == 3
    assert counts == sorted(counts, reverse=True)
    first, second, third = found.usual
    assert found.expected == (
        f"'{first.value}' (in {first.sessions} sessions of this agent), '{second.value}' ({second.sessions}), "
        f"'{third.value}' ({third.sessions}) with send"
    )


def test_an_agent_without_a_history_is_told_what_its_peers_use() -> None:
    """And more sessions of them did."""
    script = Script()
    pipeline = trained(script)
    own = of_channel(feed(pipeline, script.session("odd", ODD[:1], agent_id="a-0")).alerts, "novelty")
    peers = of_channel(feed(pipeline, script.session("new", ODD[:1], agent_id="new")).alerts, "novelty")
    assert peers.usual_of == "peers"
    assert {one.value for one in peers.usual} < USERS
    assert min(one.sessions for one in peers.usual) > max(one.sessions for one in own.usual)
    assert "sessions of its peers" in peers.expected


def test_a_count_is_that_of_the_sessions_the_group_learned_from() -> None:
    """No more, and less only by those of the day of probation."""
    script = Script()
    values = [*ordinary(script, 40), *quiet(script, 1.5), *ordinary(script, 200, first=40)]
    used = [json.loads(value) for value in values]
    sessions = {user: sum(one.get("target") == user for one in used) for user in USERS}
    pipeline = Pipeline(quick(), trusted_until=script.now)
    feed(pipeline, values)
    found = of_channel(feed(pipeline, script.session("new", ODD[:1], agent_id="new")).alerts, "novelty")
    assert all(sessions[one.value] - 1 <= one.sessions <= sessions[one.value] for one in found.usual)


def test_a_withheld_act_does_not_teach_what_is_usual() -> None:
    """An attack that repeats itself stands beside nothing of its own; its harmless twin, once learned, does."""
    script = Script()
    pipeline = trained(script)
    for number in range(6):
        feed(pipeline, script.session(f"odd-{number}", ODD, agent_id="a-0"))
        feed(pipeline, [*quiet(script, 1.5), *ordinary(script, 6, first=500 + 6 * number)])
    other = [{**ODD[0], "target": "mallory@sink.example"}]
    found = of_channel(feed(pipeline, script.session("other", other, agent_id="a-0")).alerts, "novelty")
    assert {one.value for one in found.usual} < USERS
    twin = Script()
    calm = used_to(twin, "board@corp.example")
    told = of_channel(feed(calm, twin.session("odd", ODD[:1], agent_id="a-0")).alerts, "novelty")
    assert told.usual[0].value == "board@corp.example"


@pytest.mark.parametrize(
    ("hostile", "kept"),
    [
        ("calm' (999)", '"calm\' (999)" (in '),
        ("red\x1b[31m", "'red\\x1b[31m'"),
        ("n" * 200, f"'{'n' * MOST_USUAL}~"),
        ("a\u202eb", "'a\\u202eb'"),
    ],
)
def test_a_hostile_value_cannot_pass_for_the_words_around_it(hostile: str, kept: str) -> None:
    """Quoted, escaped and cut, in the sentence and in the field."""
    script = Script()
    pipeline = used_to(script, hostile)
    found = of_channel(feed(pipeline, script.session("odd", ODD[:1], agent_id="a-1")).alerts, "novelty")
    assert found.expected.startswith(kept)
    assert found.usual[0].value.isprintable()
    assert len(found.usual[0].value) <= MOST_USUAL + 9


def test_an_amount_stands_beside_its_usual_range_with_unit_and_count() -> None:
    """What was sent, from where to where it usually lies, and on how many observations that rests."""
    script = Script()
    pipeline = trained(script)
    found = of_channel(feed(pipeline, script.session("odd", ODD[1:], agent_id="a-0")).alerts, "number")
    assert found.observed.startswith("duration_ms = 9 s, +")
    assert found.expected.startswith("duration_ms of 7")
    assert " ms to 1" in found.expected
    assert (found.voice, found.n) == ("own", 80)


def test_the_peers_speak_of_an_amount_where_the_agent_has_none_of_its_own() -> None:
    """Who knew it is told, and never a history of nobody."""
    script = Script()
    pipeline = trained(script)
    alerts = feed(pipeline, script.session("new", ODD, agent_id="new")).alerts
    assert of_channel(alerts, "volume").voice == "peers"
    assert all(one.n > 0 for alert in alerts for one in alert.contributions if one.voice == "own")


def test_an_ordinary_event_notes_nothing() -> None:
    """What nobody will ask for costs nothing."""
    script = Script()
    pipeline = trained(script)
    values = ordinary(script, 1, first=900)
    feed(pipeline, values)
    context = pipeline.state.work.context
    assert (context.usual_of[: len(values)] == NOBODY).mean() > 0.5
