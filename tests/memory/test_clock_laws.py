"""A clock nobody owns: whatever times events say, where the broker's time is known and where it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.intake.receipts import SKEW_S
from detector.pipeline import Pipeline
from detector.schema.record import Record
from detector.simulate.fleet import DAY_S, MONDAY
from tests.streams import Script, quick

PROFILE = quick()

SAYS = st.floats(-10.0 * DAY_S, 10.0 * DAY_S) | st.sampled_from([0.0, SKEW_S, SKEW_S + 1.0, 73.0 * 365.0 * DAY_S, -1e9])
DATED = st.lists(
    st.fixed_dictionaries(
        {
            "agent_id": st.sampled_from(["a-1", "a-2", "a-3"]),
            "says": SAYS,
            "after_s": st.sampled_from([0.0, 1.0, 700.0, 30_000.0]),
            "kind": st.sampled_from(["tool_call", "lifecycle"]),
        }
    ),
    min_size=1,
    max_size=25,
)


def sent(acts: list[dict[str, Any]], *, has_receipt: bool) -> list[tuple[float, Record]]:
    """Return records, and when the broker got each; what an act says is so many seconds off that time."""
    now, records, script = MONDAY, list[tuple[float, Record]](), Script()
    for number, act in enumerate(acts):
        now += act["after_s"]
        said = datetime.fromtimestamp(now, UTC) + timedelta(seconds=act["says"])
        value = script.event(agent_id=act["agent_id"], kind=act["kind"], ts=said.isoformat())
        receipt = round(now * 1_000.0) if has_receipt else None
        records.append((now, Record(value, act["agent_id"].encode(), "e", 0, number, None, receipt)))
    return records


@settings(max_examples=60)
@given(DATED)
def test_nobody_brings_the_watermark_past_the_brokers_time(acts: list[dict[str, Any]]) -> None:
    """The law: at no event is it later than that event's receipt and the skew of an honest clock."""
    pipeline = Pipeline(PROFILE)
    for now, record in sent(acts, has_receipt=True):
        pipeline.process([record])
        assert pipeline.gauges()["watermark"] <= now + SKEW_S


@settings(max_examples=60)
@given(DATED)
def test_nobody_takes_back_a_watermark_that_two_agents_have_confirmed(acts: list[dict[str, Any]]) -> None:
    """The law: however far back events are dated, it never falls."""
    pipeline = Pipeline(PROFILE)
    honest = [{"agent_id": f"honest-{k}", "says": 0.0, "after_s": 0.0, "kind": "tool_call"} for k in range(2)]
    held = 0.0
    for number, (_, record) in enumerate(sent([*honest, *acts], has_receipt=True)):
        pipeline.process([record])
        watermark = pipeline.gauges()["watermark"]
        assert number < len(honest) or watermark >= held
        held = watermark


@settings(max_examples=60)
@given(DATED)
def test_without_receipts_one_event_moves_the_watermark_by_a_step_at_most(acts: list[dict[str, Any]]) -> None:
    """The law of replays of files: a day an event, forward, once the first event has set it."""
    pipeline = Pipeline(PROFILE)
    held = None
    for _, record in sent(acts, has_receipt=False):
        pipeline.process([record])
        watermark = pipeline.gauges()["watermark"]
        assert held is None or watermark <= held + PROFILE.time.step_s
        held = watermark
