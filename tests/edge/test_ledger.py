"""Every answer under a command is acknowledged, and a loop of denials is not a flood."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.edge.calls import HookCall
from detector.edge.ledger import FOLD_S, MOST_FOLDS, AckLedger
from detector.edge.verdict import GateVerdict
from tests.edge.states import SUBJECT, state

DENIED = GateVerdict(is_denied=True, why="tool", subject=SUBJECT, tier="isolate", state=state())
LET = GateVerdict(is_denied=False, why="limited", subject=SUBJECT, tier="limit", state=state(tier="limit"))


def _call(tool: str = "Bash", call_id: str = "c1") -> HookCall:
    return HookCall("codex", "PreToolUse", (tool,), "s1", call_id)


def test_the_first_denial_is_acknowledged_at_once() -> None:
    """Command, revision and what was denied; nothing of what the call was called with."""
    (ack,) = AckLedger("edge/host").answered(_call(), DENIED, 150.0)
    assert (ack.command_id, ack.revision, ack.subject) == (state().command_id, 1, SUBJECT)
    assert (ack.point, ack.status, ack.why, ack.tier) == ("edge/host", "denied", "tool", "isolate")
    assert (ack.product, ack.tool, ack.session_id, ack.call_id) == ("codex", "Bash", "s1", "c1")
    assert (ack.first_at, ack.last_at, ack.count) == (150.0, 150.0, 1)


def test_a_call_let_through_under_a_limit_is_acknowledged_too() -> None:
    """It tells how much of the limit was used."""
    (ack,) = AckLedger("p").answered(_call(), LET, 150.0)
    assert (ack.status, ack.why, ack.tier) == ("allowed", "", "limit")


def test_an_answer_without_a_command_has_nothing_to_acknowledge() -> None:
    """Free, or denied because nothing is known."""
    ledger = AckLedger("p")
    for verdict in (GateVerdict(is_denied=False, why="free"), GateVerdict(is_denied=True, why="stale")):
        assert ledger.answered(_call(), verdict, 150.0) == []


def test_repeats_are_one_acknowledgement_with_their_number() -> None:
    """A loop of denials for ten seconds is four records, whose counts add up."""
    ledger = AckLedger("p")
    acks = [ack for tenth in range(100) for ack in ledger.answered(_call(call_id=f"c{tenth}"), DENIED, tenth / 10)]
    acks += ledger.due(100.0)
    assert [ack.count for ack in acks] == [1, 49, 1, 49]
    assert [(ack.first_at, ack.last_at) for ack in acks] == [(0.0, 0.0), (0.1, 4.9), (5.0, 5.0), (5.1, 9.9)]
    assert len({ack.ack_id for ack in acks}) == 4
    assert ledger.due(1_000.0) == []


def test_other_products_tools_sessions_and_revisions_are_not_repeats() -> None:
    """Each is told by itself: two gateways may carry a tool of one name."""
    ledger = AckLedger("p")
    newer = GateVerdict(is_denied=True, why="tool", subject=SUBJECT, tier="isolate", state=state(revision=2))
    told = [
        *ledger.answered(_call(), DENIED, 0.0),
        *ledger.answered(_call("Read"), DENIED, 0.0),
        *ledger.answered(_call()._replace(session_id="s2"), DENIED, 0.0),
        *ledger.answered(_call()._replace(product="envoy"), DENIED, 0.0),
        *ledger.answered(_call(), newer, 0.0),
    ]
    assert len(told) == 5


def test_an_applied_state_has_the_same_id_each_time_it_is_told() -> None:
    """A point that restarts says it again; who reads drops the repeat."""
    ledger = AckLedger("p")
    one, two = ledger.applied(state(), "isolate", 150.0), ledger.applied(state(), "isolate", 160.0)
    assert one.ack_id == two.ack_id
    assert one.ack_id != AckLedger("q").applied(state(), "isolate", 150.0).ack_id
    assert one.ack_id != ledger.applied(state(revision=2), "isolate", 150.0).ack_id


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 3.0)), max_size=60), st.booleans())
def test_every_answer_is_counted_once(calls: list[tuple[int, float]], is_back: bool) -> None:
    """Counts of all acknowledgements add up to the answers, also when the clock is set back."""
    ledger, now, told = AckLedger("p"), 100.0, 0
    for tool, gap in calls:
        now += -gap if is_back else gap
        told += sum(ack.count for ack in ledger.answered(_call(str(tool)), DENIED, now))
        told += sum(ack.count for ack in ledger.due(now))
    assert told + sum(ack.count for ack in ledger.due(now, is_last=True)) == len(calls)


def test_what_waits_has_a_cap() -> None:
    """Ten times as many tool names as places; none of the repeats is lost."""
    ledger = AckLedger("p")
    told = 0
    for number in range(10 * MOST_FOLDS):
        for _ in range(2):
            told += sum(ack.count for ack in ledger.answered(_call(f"t{number}"), DENIED, 0.0))
        assert len(ledger._folds) <= MOST_FOLDS
    assert told + sum(ack.count for ack in ledger.due(FOLD_S)) == 20 * MOST_FOLDS
