"""A gap in what an agent reports: told once the numbers had time to come, and only of senders that count one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules.telemetry import CUT_S, GRACE_S, LEAST_ENDED, LEAST_RUN, MOST_HOLES, MOST_OPEN, MOST_SESSIONS
from detector.schema.alert import Alert
from tests.otlp.samples import samples
from tests.rules.told import causes, recorded_document, recorded_events
from tests.streams import Script, feed, quick

PROFILE = quick(rules={"enabled": ("telemetry_gap",)})
RECORDING = "agent-telemetry/claude-code/otlp/2_details_hooks_mcp_logs.json"


def numbered(numbers: Sequence[int], wait_s: float = GRACE_S, **fields: Any) -> list[Alert]:
    """Return the alerts of a session's events with these numbers, the last one after the wait."""
    script, values = Script(), []
    for at, number in enumerate(numbers):
        script.now += wait_s if at == len(numbers) - 1 else 0.0
        values.append(script.event(seq=number, **fields))
    return feed(Pipeline(PROFILE), values).alerts


RUN = list(range(LEAST_RUN))


def test_numbers_that_never_came_alert_once_they_had_time() -> None:
    """How many, and of which session."""
    (alert,) = numbered([*RUN, 11, 12])
    assert (alert.detection, alert.severity) == ("rule.telemetry_gap", "medium")
    assert alert.title == "Telemetry of a-1 has a gap: 3 records"
    assert alert.contributions[0].observed == "3 records of session s-1 never came"


@pytest.mark.parametrize(
    "numbers",
    [
        [*RUN, 8, 9], [*RUN, 9, 8, 10], [*RUN, 11, 9, 8, 10, 12], [*RUN, *RUN, 8], [*RUN, 0, 1, 2],
        [7, 3, 900, 12, 1_000, 5, 2, 80_000, 9, 10], [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
    ],
)  # fmt: skip
def test_late_ones_repeats_restarts_and_other_ways_to_count_are_silent(numbers: list[int]) -> None:
    """Nothing is lost, or nobody can say."""
    assert numbered(numbers) == []


def test_a_gap_is_waited_for() -> None:
    """Within the five minutes a number may still come."""
    assert numbered([*RUN, 11, 12], wait_s=GRACE_S - 30.0) == []


def test_the_next_session_of_the_agent_tells_what_the_last_one_lost() -> None:
    """A session that is cut off does not go on; its agent does."""
    script, pipeline = Script(), Pipeline(PROFILE)
    feed(pipeline, [script.event(seq=number) for number in [*RUN, 10]])
    script.now += GRACE_S
    (alert,) = feed(pipeline, [script.event(seq=0, session_id="s-2")]).alerts
    assert alert.contributions[0].observed == "2 records of session s-1 never came"
    assert feed(pipeline, [script.event(seq=1, session_id="s-2", agent_id="a-2")]).alerts == []


def test_an_event_without_a_number_or_a_session_is_silent() -> None:
    """Not told is not lost."""
    script = Script()
    values = [script.event(seq=number) for number in RUN] + [script.event(), script.event(seq=99, session_id=None)]
    script.now += GRACE_S
    assert feed(Pipeline(PROFILE), [*values, script.event(seq=LEAST_RUN)]).alerts == []


def test_what_is_kept_of_an_agent_that_makes_up_sessions_and_holes_is_bounded() -> None:
    """And it is one finding."""
    script, pipeline = Script(), Pipeline(PROFILE)
    values = [script.event(seq=number, session_id=f"s-{k}") for k in range(40) for number in [*RUN, *range(10, 99, 3)]]
    alerts = feed(pipeline, values).alerts
    ((_, facts),) = pipeline.state.rule_memory.shards(full=True).items()
    ((_, _, told, kept),) = facts["telemetry_gap"]
    assert len(kept["followed"]) == MOST_SESSIONS
    assert len(kept["holes"]) <= MOST_HOLES
    assert len(told) == 1
    assert len([one for one in alerts if one.activity == "create"]) == 1


def _delayed(document: list[dict[str, Any]], after: int, missing: int) -> list[dict[str, Any]]:
    """Take a numbered record out of a recording, and let all behind another come two minutes later."""
    for request in document:
        for resource in request["resourceLogs"]:
            for scope in resource["scopeLogs"]:
                scope["logRecords"] = [_later(one, after) for one in scope["logRecords"] if _number(one) != missing]
    return document


def _number(record: dict[str, Any]) -> int:
    held = {one["key"]: one["value"] for one in record["attributes"]}
    return int(next(iter(held["event.sequence"].values())))


def _later(record: dict[str, Any], after: int) -> dict[str, Any]:
    if _number(record) > after:
        text = json.dumps(record)
        return dict(json.loads(text.replace("T16:21:", "T16:24:")))
    return record


@pytest.mark.data
@pytest.mark.parametrize("missing", [13, 19, 28, 30])
def test_a_record_taken_out_of_a_recorded_session_alerts_whether_it_would_have_been_an_event_or_not(
    missing: int,
) -> None:
    """A hook's start (13, 28) becomes no event, a tool's result (19, 30) does: neither came."""
    path = samples("agent-telemetry") / RECORDING.removeprefix("agent-telemetry/")
    document = _delayed(recorded_document(path), 40, missing)
    (alert,) = feed(Pipeline(PROFILE), recorded_events(document)).alerts
    assert causes([alert]) == ["rule.telemetry_gap/lost"]
    assert alert.title.endswith("has a gap: 1 records")


@pytest.mark.data
def test_a_recorded_session_as_it_is_and_one_that_pauses_are_silent() -> None:
    """53 records, 21 events: what became no event is not missing."""
    path = samples("agent-telemetry") / RECORDING.removeprefix("agent-telemetry/")
    for missing in (-1, 10_000):
        document = _delayed(recorded_document(path), 40 if missing < 0 else 10_000, missing)
        assert feed(Pipeline(PROFILE), recorded_events(document)).alerts == []


CUT = quick(rules={"enabled": ("session_cut",)})


def life(script: Script, *names: str, session: str = "s", agent: str = "a-1") -> list[bytes]:
    """Return events of a session's life."""
    return [script.event(name, kind="lifecycle", session_id=session, agent_id=agent) for name in names]


def ended(script: Script, sessions: int = LEAST_ENDED) -> list[bytes]:
    """Return sessions that began and ended."""
    return [one for n in range(sessions) for one in life(script, "session_start", "session_end", session=f"e-{n}")]


def test_a_session_that_stopped_without_its_end_alerts_a_day_later_at_its_agents_next_one() -> None:
    """Of an agent that ended twenty."""
    script, pipeline = Script(), Pipeline(CUT)
    feed(pipeline, [*ended(script), *life(script, "session_start", session="cut")])
    script.now += CUT_S
    (alert,) = [one for one in feed(pipeline, life(script, "session_start", session="n")).alerts if one.counter == 1]
    assert (alert.detection, alert.severity) == ("rule.session_cut", "low")
    assert alert.contributions[0].observed == "session cut has had no end for a day"


@pytest.mark.parametrize(
    ("before", "names", "wait_s"),
    [
        (LEAST_ENDED, ("session_start", "session_end"), CUT_S), (LEAST_ENDED, ("session_start",), CUT_S - 60.0),
        (LEAST_ENDED - 1, ("session_start",), CUT_S), (0, ("user_prompt",), CUT_S),
    ],
)  # fmt: skip
def test_an_end_a_session_that_goes_on_and_an_agent_that_says_no_ends_are_silent(
    before: int, names: tuple[str, ...], wait_s: float
) -> None:
    """The twins."""
    script, pipeline = Script(), Pipeline(CUT)
    feed(pipeline, [*ended(script, before), *life(script, *names)])
    script.now += wait_s
    assert feed(pipeline, life(script, "session_start", session="n")).alerts == []
    assert feed(pipeline, life(script, "session_start", session="o", agent="a-2")).alerts == []


def test_ends_that_are_waited_for_are_bounded() -> None:
    """The last ones."""
    script, pipeline = Script(), Pipeline(CUT)
    begun = [one for n in range(5 * MOST_OPEN) for one in life(script, "session_start", session=f"b-{n}")]
    feed(pipeline, [*ended(script), *begun])
    ((_, facts),) = pipeline.state.rule_memory.shards(full=True).items()
    assert list(facts["session_cut"][0][3]["open"]) == [f"b-{n}" for n in range(4 * MOST_OPEN, 5 * MOST_OPEN)]
