"""Held commands wait by strength and are let through as room comes; the queue is bounded and outlives a restart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detector.response.stage import ResponseStage
from detector.response.turn import Published
from detector.response.waiting import MOST_HELD, HeldQueue, covers
from detector.schema.alert import Alert
from detector.schema.command import PolicyState
from tests.response.scenes import HOUR, entries_of, release_of, restarted, stage_of, states_of, told

MakeAlert = Callable[..., Alert]


def _held(make_alert: MakeAlert, agent: str, score: float = 2.1, time: float = 1_000.0) -> PolicyState:
    command = stage_of().on_alert(make_alert(agent, score, time), time).command
    assert command is not None
    return command


def _full(make_alert: MakeAlert) -> ResponseStage:
    """Return a stage with one place, taken by an isolation; three more wait."""
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("first", 2.8, 0.0), 0.0)
    for agent, score in (("low", 2.2), ("top", 3.1), ("mid", 2.5)):
        assert told(stage.on_alert(make_alert(agent, score, 10_000.0), 10_000.0))[-1] == (agent, "held")
    return stage


# ── in the stage ──────────────────────────────────────────────────────────────
def test_the_strongest_that_waits_is_let_through_when_a_release_makes_room(make_alert: MakeAlert) -> None:
    """Not the first that came, and for what is left of its term."""
    stage = _full(make_alert)
    decision = stage.on_release(release_of(10_500.0, "first"), 10_500.0)
    assert told(decision) == [("first", "released"), ("top", "issued")]
    command = states_of(decision.records)[1]
    assert (command.tier, command.contained_since, command.effective_at) == ("isolate", 10_500.0, 10_000.0)
    assert (command.expires_at, command.steps_down_until) == (10_000.0 + 4 * HOUR, 10_000.0 + 5 * HOUR)
    assert command.tier_at(10_500.0) == "isolate"
    assert entries_of(decision.records)[1].detail == "held until now: observe to isolate, score 3.100"


def test_what_waits_goes_before_a_weaker_one_that_comes_now(make_alert: MakeAlert) -> None:
    """The first's term has passed: its place is for the strongest, whoever knocks."""
    stage = stage_of(fleet_share=0.01, isolate_s=900.0, limit_s=100.0)
    stage.on_alert(make_alert("first", 2.8, 0.0), 0.0)
    stage.on_alert(make_alert("top", 3.1, 500.0), 500.0)
    decision = stage.on_alert(make_alert("newest", 2.6, 1_000.0), 1_000.0)
    assert told(decision) == [("top", "issued"), ("newest", "held")]


def test_a_stronger_one_that_comes_now_goes_first(make_alert: MakeAlert) -> None:
    """Waiting is no merit."""
    stage = stage_of(fleet_share=0.01, isolate_s=900.0, limit_s=100.0)
    stage.on_alert(make_alert("first", 2.8, 0.0), 0.0)
    stage.on_alert(make_alert("waits", 3.1, 500.0), 500.0)
    decision = stage.on_alert(make_alert("newest", 4.0, 1_000.0), 1_000.0)
    assert told(decision) == [("newest", "issued")]


def test_an_alert_that_asks_for_nothing_lets_through_what_waits(make_alert: MakeAlert) -> None:
    """Time is only told by what comes: any record of the tenant will do, of another tenant none."""
    stage = stage_of(fleet_share=0.01, isolate_s=900.0, limit_s=100.0)
    stage.on_alert(make_alert("first", 2.8, 0.0), 0.0)
    stage.on_alert(make_alert("top", 3.1, 500.0), 500.0)
    assert told(stage.on_alert(make_alert("x", 1.0, 1_000.0, tenant="bank"), 1_000.0)) == [("x", "skipped")]
    assert told(stage.on_alert(make_alert("x", 1.0, 1_000.0), 1_000.0)) == [("top", "issued"), ("x", "skipped")]


def test_a_held_command_whose_term_is_over_contains_nobody(make_alert: MakeAlert) -> None:
    """The room came too late; its harmless twin above came in time."""
    stage = stage_of(fleet_share=0.01, isolate_s=900.0, limit_s=100.0)
    stage.on_alert(make_alert("first", 2.8, 0.0), 0.0)
    stage.on_alert(make_alert("top", 3.1, 500.0), 500.0)
    assert told(stage.on_alert(make_alert("x", 1.0, 1_400.0), 1_400.0)) == [("x", "skipped")]


def test_a_release_covers_what_waits_for_that_agent(make_alert: MakeAlert) -> None:
    """Its raise was held; a person lifted what stood, and nothing comes back by itself."""
    stage = stage_of(fleet_share=0.02)
    stage.on_alert(make_alert("agent-1", 2.8, 0.0), 0.0)
    stage.on_alert(make_alert("other", 2.8, 100.0), 100.0)
    stage.on_alert(make_alert("third", 2.9, 200.0), 200.0)
    decision = stage.on_release(release_of(300.0, "other"), 300.0)
    assert told(decision) == [("other", "released"), ("third", "issued")]
    assert told(stage.on_release(release_of(400.0, "third"), 400.0)) == [("third", "released")]
    assert told(stage.on_alert(make_alert("x", 1.0, 500.0), 500.0)) == [("x", "skipped")]


def test_the_incident_names_those_who_wait_by_strength(make_alert: MakeAlert) -> None:
    """With how many of each tier; names are cut, for whoever acts chose them."""
    stage = _full(make_alert)
    incident = stage.on_alert(make_alert("z" * 1_000, 2.9, 10_100.0), 10_100.0).incident
    assert incident is not None
    waiting = incident.contributions[1]
    assert (waiting.channel, waiting.value, waiting.n) == ("response.waiting", 4.0, 4)
    name = "z" * 64
    assert waiting.observed == (
        f"2 to isolate, 2 to limit: top (isolate, score 3.100), {name} (isolate, score 2.900), "
        "mid (limit, score 2.500), low (limit, score 2.200)"
    )


def test_the_incident_names_the_first_eight(make_alert: MakeAlert) -> None:
    """A storm of ten thousand is not ten thousand names."""
    stage = stage_of(fleet_share=0.01)
    alerts = [make_alert(f"agent-{index:02}", 2.8, 0.0) for index in range(17)]
    incidents = [incident for alert in alerts if (incident := stage.on_alert(alert, 0.0).incident) is not None]
    assert incidents[-1].contributions[1].observed.endswith("agent-08 (isolate, score 2.800) and 8 more")


def test_past_its_size_the_weakest_waits_no_longer_and_that_is_said(make_alert: MakeAlert) -> None:
    """Bounded whatever comes: who leaves stands in the log, and is counted."""
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("first", 2.8, 0.0), 0.0)
    for index in range(MOST_HELD):
        assert stage.on_alert(make_alert(f"agent-{index:04}", 2.9, 0.0), 0.0).evicted == 0
    strong = stage.on_alert(make_alert("strong", 3.5, 0.0), 0.0)
    assert strong.evicted == 1
    assert strong.entry.detail.endswith(f"; too many wait, and acme/agent/agent-{MOST_HELD - 1:04} waits no longer")
    weak = stage.on_alert(make_alert("weak", 2.85, 0.0), 0.0)
    assert (weak.evicted, weak.entry.detail.endswith("and acme/agent/weak waits no longer")) == (1, True)


def test_a_restart_knows_what_waits_from_the_log(make_alert: MakeAlert) -> None:
    """The same is let through; a stage that was given only links has forgotten it, as the page says."""
    stage = stage_of(fleet_share=0.01)
    records: list[Published] = []
    for agent, score in (("first", 2.8), ("low", 2.2), ("top", 3.1), ("mid", 2.5)):
        records += stage.on_alert(make_alert(agent, score, 0.0), 0.0).records
    act = release_of(100.0, "first")
    whole = stage.on_release(act, 100.0)
    assert restarted(records, fleet_share=0.01).on_release(act, 100.0) == whole
    forgetful = stage_of(fleet_share=0.01)
    forgetful.restore(states_of(records))
    assert told(forgetful.on_release(act, 100.0)) == [("first", "released")]


def test_a_restart_in_another_mode_takes_over_no_shadow(make_alert: MakeAlert) -> None:
    """What a shadow stage held is nothing to one who enforces; nor is what waits for one who is protected now."""
    stage = stage_of(mode="shadow", fleet_share=0.01)
    records: list[Published] = []
    for agent in ("first", "second"):
        records += stage.on_alert(make_alert(agent, 2.8, 0.0), 0.0).records
    probe = make_alert("x", 1.0, 100.0)
    assert told(restarted(records).on_alert(probe, 100.0)) == [("x", "skipped")]
    let_through = restarted(records, mode="shadow").on_alert(probe, 100.0)
    assert told(let_through) == [("second", "shadowed"), ("x", "skipped")]
    guarded = restarted(records, mode="shadow", protected=["second"])
    assert told(guarded.on_alert(probe, 100.0)) == [("x", "skipped")]


def test_a_release_without_its_log_entry_still_ends_what_waited_for_the_agent(make_alert: MakeAlert) -> None:
    """The worker died between the two; an alert held after the release waits all the same."""
    first = stage_of(fleet_share=0.01)
    first.on_alert(make_alert("first", 2.8, 0.0), 0.0)
    stage = stage_of()
    stage.on_alert(make_alert("second", 2.1, 0.0), 0.0)
    released = stage.on_release(release_of(50.0, "second"), 50.0).command
    assert released is not None
    probe = make_alert("x", 1.0, 200.0)
    for heard_at, said in ((10.0, []), (50.0, []), (60.0, [("second", "issued")])):
        held = first.on_alert(make_alert("second", 2.8, 10.0), heard_at).entry
        assert held.decision == "held"
        assert told(restarted([released, held]).on_alert(probe, 200.0)) == [*said, ("x", "skipped")]


def test_a_shadow_that_was_held_does_not_replace_an_enforced_command(make_alert: MakeAlert) -> None:
    """It waited while somebody switched to enforce and back; once the enforced limit has ended it is let through."""
    shadow = stage_of(mode="shadow", fleet_share=0.01)
    shadow.on_alert(make_alert("first", 2.8, 0.0), 0.0)
    held = shadow.on_alert(make_alert("second", 2.8, 0.0), 0.0).entry
    enforced = stage_of().on_alert(make_alert("second", 2.1, 0.0), 0.0).command
    assert enforced is not None
    stage = restarted([enforced, held], mode="shadow")
    assert told(stage.on_alert(make_alert("x", 1.0, 100.0), 100.0)) == [("x", "skipped")]
    stage = restarted([enforced, held], mode="shadow")
    assert told(stage.on_alert(make_alert("x", 1.0, HOUR), HOUR)) == [("second", "shadowed"), ("x", "skipped")]


def test_in_replay_nothing_is_let_through_before_its_cause(make_alert: MakeAlert) -> None:
    """Alerts of several partitions come in any order: one of before says that there is room."""
    stage = stage_of(fleet_share=0.01)
    stage.on_alert(make_alert("first", 2.8, 5_000.0))
    stage.on_alert(make_alert("second", 2.8, 5_000.0))
    decision = stage.on_alert(make_alert("x", 1.0, 1_000.0, partition_agents=200))
    assert told(decision) == [("second", "issued"), ("x", "skipped")]
    assert states_of(decision.records)[0].contained_since == 5_000.0


def test_who_was_released_or_let_through_waits_no_longer_after_a_restart_either(make_alert: MakeAlert) -> None:
    """The incident names the same after it; a release ends what waited for the agent, also a stronger tier."""
    stage = stage_of(fleet_share=0.01)
    records: list[Published] = []
    for agent, score, fleet in (("kept", 2.8, 200), ("freed", 2.1, 200), ("freed", 2.9, 100), ("low", 2.75, 100)):
        alert = make_alert(agent, score, 0.0, event_id=str(score), partition_agents=fleet)
        records += stage.on_alert(alert, 0.0).records
    assert [entry.decision for entry in entries_of(records)] == ["issued", "issued", "held", "held"]
    records += stage.on_release(release_of(10.0, "freed"), 10.0).records
    records += stage.on_alert(make_alert("x", 1.0, 20.0, partition_agents=200), 20.0).records
    assert [entry.decision for entry in entries_of(records)][4:] == ["released", "issued", "skipped"]
    last = make_alert("last", 3.5, 30.0, partition_agents=100)
    for one in (stage, restarted(records, fleet_share=0.01)):
        incident = one.on_alert(last, 30.0).incident
        assert incident is not None
        assert incident.contributions[1].observed.endswith("0 to limit: last (isolate, score 3.500)")
        assert incident.contributions[1].n == 1


@pytest.mark.parametrize("published", range(5))
def test_breaking_off_while_held_ones_are_let_through_lets_each_through_once(
    make_alert: MakeAlert, published: int
) -> None:
    """The release comes again to a stage that reads what was written."""
    stage = stage_of(fleet_share=0.02)
    records: list[Published] = []
    for agent, score in (("first", 2.8), ("second", 2.8), ("low", 2.75), ("top", 3.1)):
        records += stage.on_alert(make_alert(agent, score, 0.0), 0.0).records
    act = release_of(100.0, "first")
    whole = stage.on_release(act, 100.0)
    assert len(whole.records) == 4
    again = restarted([*records, *whole.records[:published]], fleet_share=0.02)
    again.on_release(act, 100.0)
    assert again.states == stage.states


# ── the queue ─────────────────────────────────────────────────────────────────
def test_of_a_subject_the_stronger_command_waits_and_of_two_alike_the_later(make_alert: MakeAlert) -> None:
    """One place a subject."""
    queue = HeldQueue()
    limit, isolation = _held(make_alert, "a", 2.1), _held(make_alert, "a", 2.8)
    queue.put(limit, 1_000.0)
    queue.put(isolation, 1_000.0)
    queue.put(limit, 1_000.0)
    assert list(queue) == [isolation]
    later = _held(make_alert, "a", 2.8, 2_000.0)
    queue.put(later, 2_000.0)
    assert (list(queue), len(queue)) == ([later], 1)
    queue.put(_held(make_alert, "a", 2.1, 90_000.0), 90_000.0)
    assert [one.tier for one in queue] == ["limit"]


def test_what_is_over_does_not_wait_and_leaves_first(make_alert: MakeAlert) -> None:
    """A full queue loses nobody who could still be contained to one who could not."""
    queue = HeldQueue()
    assert queue.put(_held(make_alert, "late"), 1_000.0 + HOUR) == []
    assert len(queue) == 0
    assert queue.strongest() is None
    queue.put(_held(make_alert, "old", 2.6, 0.0), 0.0)
    for index in range(MOST_HELD):
        assert queue.put(_held(make_alert, f"a{index}", 2.1, 4_000.0), 4_000.0) == []
    assert len(queue) == MOST_HELD
    assert "acme/agent/old" not in queue.waiting


def test_a_state_covers_what_is_no_stronger_and_no_longer(make_alert: MakeAlert) -> None:
    """Then there is nothing left to let through."""
    limit, later = _held(make_alert, "a", 2.1, 0.0), _held(make_alert, "a", 2.1, 10.0)
    isolation = _held(make_alert, "a", 2.8, 0.0)
    assert covers(limit, limit, 0.0)
    assert covers(later, limit, 20.0)
    assert not covers(limit, later, 20.0)
    assert covers(isolation, later, 20.0)
    assert not covers(limit, isolation, 0.0)
    assert not covers(limit, limit, HOUR)
    endless = limit.model_copy(update={"expires_at": None})
    assert not covers(limit, endless, 0.0)
    assert covers(endless, later, 0.0)


def test_an_unknown_subject_is_dropped_in_silence(make_alert: MakeAlert) -> None:
    """And what does not cover it leaves what waits alone."""
    queue, limit = HeldQueue(), _held(make_alert, "a")
    queue.drop("nobody")
    queue.put(limit, 1_000.0)
    queue.settle(_held(make_alert, "b"))
    queue.settle(_held(make_alert, "a", 2.1, 500.0))
    assert list(queue) == [limit]
    queue.settle(limit)
    assert list(queue) == []
