"""Laws of the view, whatever comes in what order, how often, and however broken between."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detector.edge.view import PolicyView
from detector.schema.command import PolicyState
from tests.edge.states import SetClock, record, released, state

SUBJECTS = ("default/agent/a", "default/agent/b", "acme/agent/a")
TOOL = ("Bash",)

times = st.floats(0.0, 1_000.0)


@st.composite
def histories(draw: st.DrawFn) -> list[PolicyState]:
    """Return states with one content a revision of a subject, in the order of the topic."""
    made = []
    for subject in SUBJECTS:
        for revision in range(1, draw(st.integers(0, 5)) + 1):
            begins = draw(times)
            fields: dict[str, Any] = {"subject": subject, "revision": revision, "effective_at": begins}
            if draw(st.booleans()):
                made.append(released(**fields))
                continue
            ends = begins + draw(times)
            made.append(
                state(
                    **fields,
                    tier=draw(st.sampled_from(["limit", "isolate"])),
                    mode=draw(st.sampled_from(["enforce", "enforce", "shadow"])),
                    expires_at=draw(st.sampled_from([ends, None])),
                    on_expiry=draw(st.sampled_from(["step_down", "release", "hold_and_page"])),
                    steps_down_until=draw(st.sampled_from([None, ends + 100.0])),
                )
            )
    return made


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[PolicyState], list[tuple[bytes | None, bytes | None]]]:
    """Return a history and its records in any order, some of them several times, with junk between."""
    history = draw(histories())
    again = draw(st.lists(st.sampled_from(history), max_size=10)) if history else []
    records: list[tuple[bytes | None, bytes | None]] = [record(one) for one in draw(st.permutations(history + again))]
    junk = st.tuples(
        st.sampled_from([None, *(one.encode() for one in SUBJECTS)]), st.binary(max_size=20) | st.just(b"{}")
    )
    for one in draw(st.lists(junk, max_size=5)):
        records.insert(draw(st.integers(0, len(records))), one)
    return history, records


def expected(history: list[PolicyState], subject: str, now: float) -> str:
    """Return the tier that docs/response.md asks for: that of the newest revision, if it is to be enforced."""
    mine = [one for one in history if one.subject == subject]
    newest = max(mine, key=lambda one: one.revision, default=None)
    return newest.tier_at(now) if newest is not None and newest.mode == "enforce" else "observe"


@given(deliveries(), times)
def test_the_newest_revision_holds_whatever_order_and_repeats_records_come_in(
    delivered: tuple[list[PolicyState], list[tuple[bytes | None, bytes | None]]], now: float
) -> None:
    """An older one never replaces a newer, junk changes nothing, and the tier at any moment is the documented one."""
    history, records = delivered
    view = PolicyView(SetClock(now), SetClock(0.0))
    for key, value in records:
        view.apply(key, value)
    view.confirm(0.0)
    for subject in SUBJECTS:
        verdict = view.decide([subject], TOOL)
        assert verdict.tier == expected(history, subject, now)
        assert verdict.is_denied == (verdict.tier == "isolate")


@given(histories(), st.lists(times, min_size=1, max_size=8))
def test_time_alone_only_ever_steps_down(history: list[PolicyState], moments: list[float]) -> None:
    """Once begun, a state gives no more than it did before: isolate, limit, observe; never up again by itself."""
    rank = {"observe": 0, "limit": 1, "isolate": 2}
    clock = SetClock(0.0)
    view = PolicyView(clock, SetClock(0.0))
    for one in history:
        view.apply(*record(one))
    view.confirm(0.0)
    for subject, held in view.binding():
        seen = []
        for clock.now in sorted(moment for moment in moments if moment >= held.begins_at):
            seen.append(rank[view.decide([subject], TOOL).tier])
        assert seen == sorted(seen, reverse=True)


@given(histories(), st.lists(st.sampled_from(SUBJECTS), max_size=6), times)
def test_a_tombstone_never_frees(history: list[PolicyState], buried: list[str], now: float) -> None:
    """Before and after any tombstones the answers are the same."""
    view = PolicyView(SetClock(now), SetClock(0.0))
    for one in history:
        view.apply(*record(one))
    view.confirm(0.0)
    before = [view.decide([subject], TOOL).tier for subject in SUBJECTS]
    for subject in buried:
        view.apply(subject.encode(), None)
    assert [view.decide([subject], TOOL).tier for subject in SUBJECTS] == before


@given(histories(), st.integers(1, 4), times)
def test_a_small_view_denies_rather_than_forgets(history: list[PolicyState], most: int, now: float) -> None:
    """Whatever the cap, whoever is isolated is denied, and no more than the cap is remembered."""
    view = PolicyView(SetClock(now), SetClock(0.0), most=most)
    for one in history:
        view.apply(*record(one))
        assert len(view._bound) + len(view._fences) <= most
    view.confirm(0.0)
    for subject in SUBJECTS:
        if expected(history, subject, now) == "isolate":
            assert view.decide([subject], TOOL).is_denied
