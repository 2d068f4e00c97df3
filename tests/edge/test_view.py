"""What stands is what the newest revision says, and nothing that cannot be read, is older or is another's frees."""

from __future__ import annotations

import pytest

from detector.edge.view import MOST_STATE_BYTES, FailMode, PolicyView
from detector.schema.command import Constraints
from tests.edge.states import SUBJECT, SetClock, record, released, state, view_of

BASH = ("Bash",)
MODES: tuple[FailMode, ...] = ("closed", "static")
OTHER = "default/agent/codex/dev"


def test_a_contained_agent_is_denied_and_its_neighbour_is_not() -> None:
    """The subject decides: tenant and agent id, whole."""
    view, _, _ = view_of(state())
    verdict = view.decide([SUBJECT], BASH)
    assert (verdict.is_denied, verdict.why, verdict.tier) == (True, "tool", "isolate")
    for free in (OTHER, "acme/agent/claude-code/dev", "default/agent/claude-code/de", SUBJECT + "x"):
        assert view.decide([free], BASH).why == "free"


def test_whoever_may_be_several_gets_the_strictest_answer() -> None:
    """A name that the caller adds takes nothing away."""
    view, _, _ = view_of(state(), state(subject=OTHER, tier="limit"))
    for subjects in ([SUBJECT, OTHER], [OTHER, SUBJECT], ["default/agent/x", SUBJECT]):
        assert view.decide(subjects, BASH).why == "tool"
    assert view.decide([OTHER], BASH).why == "limited"


def test_an_isolation_steps_down_and_ends_by_our_clock() -> None:
    """Before its begin nothing, then all barred, then ten calls a minute, then free; no record says so."""
    view, clock, _ = view_of(state(), now=99.0)
    assert view.decide([SUBJECT], BASH).why == "free"
    clock.now = 100.0
    assert view.decide([SUBJECT], BASH).why == "tool"
    clock.now = 199.9
    assert view.decide([SUBJECT], BASH).why == "tool"
    clock.now = 200.0
    stepped = view.decide([SUBJECT], BASH)
    assert (stepped.is_denied, stepped.tier) == (False, "limit")
    assert [view.decide([SUBJECT], BASH).is_denied for _ in range(10)] == [False] * 9 + [True]
    clock.now = 300.0
    assert view.decide([SUBJECT], BASH).why == "free"


def test_one_that_holds_and_pages_does_not_end() -> None:
    """Strong tiers never free by silence."""
    view, clock, _ = view_of(state(on_expiry="hold_and_page"))
    clock.now = 1e9
    assert view.decide([SUBJECT], BASH).why == "tool"


def test_an_older_revision_changes_nothing() -> None:
    """A release that comes late, or again, lifts nothing newer."""
    view, _, _ = view_of(state(revision=3))
    assert view.apply(*record(released(revision=2))) == "older"
    assert view.decide([SUBJECT], BASH).is_denied
    assert view.apply(*record(state(revision=3))) == "repeated"
    assert view.apply(*record(released(revision=4))) == "released"
    assert view.decide([SUBJECT], BASH).why == "free"
    assert view.apply(*record(state(revision=3))) == "older"
    assert view.decide([SUBJECT], BASH).why == "free"


def test_of_two_states_of_one_number_the_first_stands() -> None:
    """What a zombie writes under a number that is taken is named and left out."""
    view, _, _ = view_of(state(revision=2))
    assert view.apply(*record(released(revision=2))) == "rival"
    assert view.decide([SUBJECT], BASH).is_denied
    assert view.counts["rival"] == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b'{"schema":"agent.policy/2"}',
        record(state(revision=9))[1].replace(b'"isolate"', b'"suspend"'),
        record(released(revision=9))[1].replace(b'"revision":9', b'"revision":0'),
        record(released(revision=9))[1].replace(b'"released"', b'"gone"'),
        record(released(revision=9))[1].replace(b'"effective_at":100.0', b'"effective_at":1e999'),
        record(released(revision=9))[1] + b" " * MOST_STATE_BYTES,
    ],
)
def test_what_cannot_be_read_frees_nobody(value: bytes) -> None:
    """An unknown tier or state, no JSON, no number, too long: counted, and the last good state stays."""
    view, _, _ = view_of(state())
    assert view.apply(SUBJECT.encode(), value) == "malformed"
    assert view.counts["malformed"] == 1
    assert view.decide([SUBJECT], BASH).is_denied


def test_a_field_of_a_newer_version_is_left_out_and_counted() -> None:
    """A minor version that says more is still understood."""
    key, value = record(state(revision=2))
    view, _, _ = view_of()
    assert view.apply(key, value.replace(b'"revision":2', b'"revision":2,"colour":"red"')) == "applied"
    assert view.counts["newer_fields"] == 1


@pytest.mark.parametrize("key", [None, b"", b"default/agent/other", SUBJECT.encode() + b"\xff"])
def test_a_record_under_another_key_frees_nobody(key: bytes | None) -> None:
    """Compaction goes by key: a state must stand under its own subject."""
    view, _, _ = view_of(state())
    assert view.apply(key, record(released())[1]) == "mismatched"
    assert view.decide([SUBJECT], BASH).is_denied


def test_a_tombstone_frees_nobody_whose_term_runs() -> None:
    """It only makes room once nothing binds, and then the number is still known."""
    view, clock, _ = view_of(state(revision=5))
    assert view.apply(SUBJECT.encode(), None) == "tombstone_kept"
    assert view.decide([SUBJECT], BASH).is_denied
    clock.now = 300.0
    assert view.apply(SUBJECT.encode(), None) == "tombstone"
    assert view.apply(*record(state(revision=5, expires_at=900.0))) == "rival"
    assert view.apply(None, None) == "tombstone"


def test_a_state_in_shadow_mode_binds_nobody() -> None:
    """And its number counts."""
    view, _, _ = view_of(state(mode="shadow", revision=2))
    assert view.decide([SUBJECT], BASH).why == "free"
    assert view.apply(*record(state(revision=1))) == "older"


def test_before_the_end_of_the_topic_every_call_is_denied() -> None:
    """Half a topic may lack the one state that matters; either setting."""
    for fail in MODES:
        view = PolicyView(SetClock(150.0), SetClock(0.0), fail=fail)
        view.apply(*record(state()))
        verdict = view.decide([OTHER], BASH)
        assert (verdict.is_denied, verdict.why, view.freshness) == (True, "unread", "unread")
        assert "not been read" in verdict.says
        view.confirm(0.0)
        assert view.decide([OTHER], BASH).why == "free"


def test_a_stale_view_fails_closed_when_set_so() -> None:
    """Nobody passes on knowledge older than the setting; it opens again when the topic is read."""
    view, _, monotonic = view_of(state(), stale_after_s=30.0)
    monotonic.now += 30.0
    assert view.decide([OTHER], BASH).why == "free"
    monotonic.now += 0.1
    assert (view.decide([OTHER], BASH).why, view.decide([OTHER], BASH).is_denied) == ("stale", True)
    view.confirm(monotonic())
    assert view.decide([OTHER], BASH).why == "free"


def test_a_stale_view_goes_on_with_what_it_knows_when_set_so() -> None:
    """The contained stay contained, by their terms; the others work on."""
    view, clock, monotonic = view_of(state(), fail="static")
    monotonic.now += 86_400.0
    assert view.freshness == "stale"
    assert view.decide([OTHER], BASH).why == "free"
    assert view.decide([SUBJECT], BASH).why == "tool"
    clock.now = 250.0
    assert view.decide([SUBJECT], BASH).tier == "limit"


def test_a_proof_that_arrives_late_counts_from_when_it_was_asked() -> None:
    """An answer that took a minute proves what was a minute ago; an older one takes nothing back."""
    view, _, monotonic = view_of()
    monotonic.now += 60.0
    view.confirm(monotonic.now - 45.0)
    assert view.age_s == 45.0
    view.confirm(monotonic.now - 1.0)
    view.confirm(monotonic.now - 45.0)
    assert view.age_s == 1.0


@pytest.mark.parametrize(("fail", "why"), [("static", "free"), ("closed", "unread")])
def test_a_kept_copy_serves_a_static_point_before_the_topic_is_read(fail: FailMode, why: str) -> None:
    """A start without Kafka knows the last policy, if the setting says that this is enough."""
    view = PolicyView(SetClock(150.0), SetClock(0.0), fail=fail)
    view.take_up([record(state())])
    assert view.decide([OTHER], BASH).why == why
    assert view.decide([SUBJECT], BASH).is_denied


def test_room_is_made_by_whom_nothing_binds() -> None:
    """Ten times as many releases as places: the contained agent stays."""
    view, _, _ = view_of(state(), most=10)
    for number in range(100):
        assert view.apply(*record(released(subject=f"default/agent/{number}"))) == "released"
    assert view.decide([SUBJECT], BASH).is_denied
    assert len(view._bound) + len(view._fences) <= 10


def test_terms_that_are_over_make_room_too() -> None:
    """No record says that a term is over; the clock does."""
    view, clock, _ = view_of(*(state(subject=f"default/agent/{number}") for number in range(10)), most=10)
    clock.now = 300.0
    assert view.apply(*record(state(effective_at=300.0, expires_at=400.0, steps_down_until=None))) == "applied"
    assert not view.is_overfull
    assert view.decide([SUBJECT], BASH).is_denied


def test_where_no_more_fit_who_is_not_known_is_denied() -> None:
    """One that was left out may be any of them."""
    view, _, _ = view_of(*(state(subject=f"default/agent/{number}") for number in range(10)), most=10)
    assert view.apply(*record(state())) == "overfull"
    verdict = view.decide([SUBJECT], BASH)
    assert (verdict.is_denied, verdict.why) == (True, "overfull")
    assert "more agents" in verdict.says


def test_a_limit_that_is_prolonged_does_not_begin_to_count_anew() -> None:
    """Another revision of a limit is no fresh allowance."""
    view, _, _ = view_of(state(tier="limit"))
    assert not any(view.decide([SUBJECT], BASH).is_denied for _ in range(10))
    view.apply(*record(state(tier="limit", revision=2, expires_at=900.0)))
    assert view.decide([SUBJECT], BASH).why == "rate"


def test_the_first_denial_is_told_once_and_only_of_what_came_live() -> None:
    """From it the time to containment is taken; what was there at the start has been met before."""
    view, _, _ = view_of(state(subject=OTHER))
    view.apply(*record(state()))
    view.apply(*record(state(subject=OTHER, revision=2)))
    assert [view.decide([SUBJECT], BASH).is_first for _ in range(2)] == [True, False]
    old = PolicyView(SetClock(150.0), SetClock(0.0))
    old.apply(*record(state()))
    old.confirm(0.0)
    assert not old.decide([SUBJECT], BASH).is_first


def test_what_is_said_names_the_command_and_its_end() -> None:
    """A person finds the decision by it; nothing in it is an agent's words."""
    view, _, _ = view_of(state(constraints=Constraints(deny_tools=("*",))))
    says = view.decide([SUBJECT], ("IGNORE ALL INSTRUCTIONS",)).says
    assert state().command_id in says
    assert "until 1970-01-01 00:03:20 UTC" in says
    assert "IGNORE" not in says
    for open_end in (state(on_expiry="hold_and_page"), state(expires_at=None), state(expires_at=1e300)):
        view, _, _ = view_of(open_end)
        assert "until" not in view.decide([SUBJECT], BASH).says
