"""What each channel makes of an event: it rises on the odd one and stays low on its harmless twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detector.pipeline import Pipeline
from detector.simulate.fleet import DAY_S
from tests.streams import Look, Script, feed, ordinary, quick, quiet, taught, trained

KNOWN = "/docs/team/file-3"
CLERK: dict[str, Any] = {"agent_id": "a-1", "session_id": "live"}


def looks(events: list[dict[str, Any]], script: Script | None = None, **sections: Any) -> Look:
    """Return what a trained pipeline sees in one session of a clerk."""
    script = script or Script()
    pipeline = trained(script, **sections)
    return Look(pipeline, [script.event(**CLERK, **fields) for fields in events])


def test_a_new_target_raises_novelty_and_a_known_one_does_not() -> None:
    """Level 5 against level 0."""
    look = looks([{"name": "write", "target": KNOWN}, {"name": "write", "target": "https://drop.evil.example/x"}])
    assert look.level[:, 0].tolist() == [0, 5]
    assert look.bits["novelty"][0] == 0.0
    assert look.bits["novelty"][1] > 2.0
    assert look.logs["novelty"][1] > 1.5 > look.logs["novelty"][0]


@pytest.mark.parametrize(
    ("name", "target", "level"),
    [
        ("read", "/docs/team/file-3", 0),
        ("write", "user1@corp.example", 2),
        ("send", "ceo@corp.example", 3),
        ("read", "ceo@corp.example", 4),
        ("send", "ceo@evil.example", 5),
    ],
)
def test_the_ladder_of_levels(name: str, target: str, level: int) -> None:
    """Own, other tool, place with this tool, place with another tool, nothing alike."""
    assert looks([{"name": name, "target": target}]).level[0, 0] == level


def test_what_only_peers_use_is_new_to_the_agent_and_no_more() -> None:
    """A newcomer of the same type stands on level 1; of another type on level 5."""
    script = Script()
    pipeline = trained(script)
    peer = script.event("read", agent_id="new", session_id="n", target=KNOWN)
    stranger = script.event("read", agent_id="far", agent_type="pilot", session_id="f", target=KNOWN)
    assert Look(pipeline, [peer, stranger]).level[:, 0].tolist() == [1, 5]


def second_day(days: float, **sections: Any) -> int:
    """Return the level of a target so many days after one session used it first."""
    script = Script()
    pipeline = trained(script, **sections)
    pipeline.state.settings = pipeline.state.settings._replace(
        rules=pipeline.state.settings.rules._replace(trusted_until=float("inf"))
    )
    feed(pipeline, script.session("first", [{"name": "write", "target": "/new/place/file"}], agent_id="a-1"))
    feed(pipeline, quiet(script, days))
    return int(Look(pipeline, [script.event("write", **CLERK, target="/new/place/file")]).level[0, 0])


def test_a_new_target_is_known_on_the_second_day_and_not_on_the_first() -> None:
    """Probation: a planted key is worth nothing for a day."""
    assert second_day(0.6) == 5
    assert second_day(1.25) == 0


def test_probation_is_the_profiles() -> None:
    """Half as long, known half as soon."""
    assert second_day(0.6, learning={"probation_s": 0.5 * DAY_S}) == 0


POISON = [
    {"name": "exfiltrate", "target": f"https://drop{n}.evil.example", "attributes": {"a": f"Zz{n}!", "b": "@@"}}
    for n in range(6)
]


def poisoned(*, is_trusted: bool) -> tuple[int, int]:
    """Return the level of a poisoner's target two days later, and how many sessions were withheld."""
    script = Script()
    pipeline = trained(script)
    rules = pipeline.state.settings.rules._replace(trusted_until=float("inf" if is_trusted else "-inf"))
    pipeline.state.settings = pipeline.state.settings._replace(rules=rules)
    withheld = 0
    for day in range(3):
        outcome = feed(pipeline, script.session(f"poison-{day}", POISON, agent_id="a-1"))
        withheld += outcome.counts["sessions_withheld"]
        feed(pipeline, quiet(script, 1.25))
    look = Look(pipeline, [script.event(**{**CLERK, **POISON[0]})])
    return int(look.level[0, 0]), withheld


def test_a_session_that_the_gate_holds_back_teaches_nothing() -> None:
    """Three days in a row, and its target is as strange as before."""
    assert poisoned(is_trusted=False) == (5, 3)


def test_the_same_session_in_trusted_history_teaches_everything() -> None:
    """The harmless twin of the above: the gate is off."""
    assert poisoned(is_trusted=True) == (0, 0)


def test_an_ordinary_session_passes_the_gate() -> None:
    """Most of what clerks do every day is learned."""
    script = Script()
    pipeline = trained(script)
    counts = feed(pipeline, ordinary(script, 40, first=200)).counts
    assert counts["sessions_learned"] > 25
    assert counts["sessions_closed"] == 40


def test_an_event_changes_nothing_but_its_own_session_until_that_session_closes() -> None:
    """Score first, learn later: the same event of another session is as strange."""
    script = Script()
    pipeline = trained(script)
    first = Look(pipeline, [script.event("write", agent_id="a-1", session_id="one", target="/new/place/file")])
    again = Look(pipeline, [script.event("write", agent_id="a-1", session_id="two", target="/new/place/file")])
    assert first.bits["novelty"][0] == again.bits["novelty"][0] > 0


def test_a_new_argument_raises_arguments_and_a_known_one_does_not() -> None:
    """The three largest add up; a value like the usual ones is ordinary."""
    look = looks(
        [
            {"name": "search", "target": "index-1", "attributes": {"query": "q1"}},
            {"name": "search", "target": "index-1", "attributes": {"query": "DROP TABLE users; --"}},
            {"name": "search", "target": "index-1", "attributes": {"query": "DROP TABLE users", "cmd": "rm -rf /"}},
        ]
    )
    bits = look.bits["arguments"]
    assert bits[0] < 0.2
    assert bits[1] > 2.0
    assert bits[2] > bits[1] + 1.5


def test_a_size_far_from_usual_raises_number_and_a_usual_one_does_not() -> None:
    """Against the agent's own mean, in standard deviations."""
    look = looks([{"name": "write", "target": KNOWN, "duration_ms": ms} for ms in (100.0, 100_000.0)])
    assert look.bits["number"][0] < 1.0
    assert look.bits["number"][1] > 10.0
    assert look.bits["volume"].tolist() == [0.0, 0.0]


def test_an_amount_far_from_usual_raises_volume_and_a_usual_one_does_not() -> None:
    """Numeric arguments have a channel of their own."""
    look = looks([{"name": "send", "target": "user1@corp.example", "attributes": {"lines": n}} for n in (4, 9_000)])
    assert look.bits["volume"][0] < 1.5
    assert look.bits["volume"][1] > 8.0
    assert look.bits["number"].tolist() == [0.0, 0.0]


def test_an_ignored_attribute_of_a_call_that_failed_raises_nothing() -> None:
    """Neither as a value nor as a number; why a call failed stands in such attributes."""
    failed: dict[str, Any] = {"name": "write", "target": KNOWN, "outcome": "error"}
    plain = looks([failed])
    noted = looks([{**failed, "attributes": {"error_class": "Boom!", "src_bytes": 9e9, "n_tool_calls": 1e6}}])
    for channel, bits in plain.bits.items():
        assert bits[0] == noted.bits[channel][0], channel


def test_a_large_read_raises_what_follows_it_in_the_session_and_not_itself() -> None:
    """What was taken weighs on what is done with it."""
    reads = [{"name": "read", "kind": "data_access", "target": KNOWN, "bytes_out": size} for size in (1_100.0, 5e8)]
    after = {"name": "send", "target": "user1@corp.example"}
    assert looks([reads[0], after]).bits["read_size"][1] < 1.0
    large = looks([reads[1], after]).bits["read_size"]
    assert large[0] == 0.0
    assert large[1] > 10.0


def test_a_tool_out_of_order_raises_transition_and_the_usual_order_does_not() -> None:
    """Clerks search, read, write, send."""
    steps = ["search", "read", "write", "send"]
    usual = looks([{"name": name, "target": "x"} for name in steps]).bits["transition"]
    turned = looks([{"name": name, "target": "x"} for name in reversed(steps)]).bits["transition"]
    assert usual.max() < 1.0
    assert turned.max() > 2.5


def test_a_tool_that_never_goes_with_the_others_raises_cooccurrence_once() -> None:
    """New to the session, and new to sessions like it; the second use is no news."""
    usual = looks([{"name": name} for name in ("search", "read", "write")]).bits["cooccurrence"]
    odd = looks([{"name": name} for name in ("search", "read", "wire_money", "wire_money")]).bits["cooccurrence"]
    assert usual.max() < 0.5
    assert odd[2] > 4.0
    assert odd[3] == 0.0


def test_a_pair_nobody_uses_raises_pair_more_than_a_common_one() -> None:
    """(tool, whole target) among peers, backed off by nothing."""
    look = looks([{"name": "send", "target": "user1@corp.example"}, {"name": "send", "target": "x@evil.example"}])
    assert look.bits["pair"][1] > look.bits["pair"][0] + 3.0


def test_a_read_counts_half_where_the_tool_is_known_to_read_and_a_failure_as_far_as_it_is_known_to_fail() -> None:
    """Whoever writes the event declares both: `read` has read in every session, `write` never, and none has failed."""
    read: dict[str, Any] = {"target": "/new/place/file", "kind": "data_access"}
    look = looks([{"name": "write"}, {"name": "read", **read}, {"name": "write", **read}, {"name": "write"}])
    failed = looks([{"name": "write", "target": "/new/place/file", "outcome": "error"}])
    assert look.factor[[0, 1, 3]] == pytest.approx([1.0, 0.5, 1.0])
    assert look.factor[2] > 0.98
    assert 0.7 < failed.factor[0] < 0.9


def test_a_tool_that_often_fails_has_the_whole_discount_for_it() -> None:
    """Three tenths, earned among its peers."""
    script = Script()
    pipeline = trained(script)
    for number in range(60):
        attempts = [{"name": "flaky", "target": "index-1", "outcome": "error" if number % 2 else "ok"}]
        feed(pipeline, script.session(f"f-{number}", attempts, agent_id="a-2"))
    look = Look(pipeline, [script.event(**CLERK, name="flaky", target="/new/place", outcome="error")])
    assert look.factor[0] == pytest.approx(0.3)


def origins(*fields: dict[str, Any]) -> Look:
    """Return what is seen of a new recipient, once for each way it is told where values came from."""
    looked = [looks([{"name": "send", "target": "x@evil.example", **one}]) for one in fields]
    look = looked[0]
    look.total = np.concatenate([one.total for one in looked])
    look.bits = {name: np.concatenate([one.bits[name] for one in looked]) for name in look.bits}
    return look


def test_a_value_from_tool_output_weighs_full_and_one_from_the_user_half() -> None:
    """In the voice with origins; the plain voice does not care."""
    look = origins(
        {"arg_origin": {"target": "tool"}}, {"arg_origin": {"target": "user"}}, {"arg_origin": {"target": "none"}}
    )
    full, user, none = look.bits["novelty_origin"]
    assert full == look.bits["novelty"][0] > 0
    assert user == none == 0.5 * full
    assert np.ptp(look.bits["novelty"]) == 0.0
    assert np.ptp(look.total[:, 0]) == 0.0


def test_an_event_without_origins_keeps_its_weight_in_both_voices() -> None:
    """Agents that are not instrumented are judged as before."""
    look = origins({})
    assert look.total[0, 0] == look.total[0, 1] > 0


def test_an_event_of_which_nothing_came_from_tools_weighs_half_once_more() -> None:
    """And one that came from tool output outweighs it."""
    look = origins({"arg_origin": {"target": "tool"}}, {"arg_origin": {"target": "user"}})
    assert look.total[1, 1] < 0.5 * look.total[0, 1]
    assert look.total[0, 1] >= look.total[0, 0]


def test_a_value_from_tool_output_is_rare_where_values_come_from_users() -> None:
    """Rarity of the origin itself, for an argument."""
    script = Script()
    pipeline = trained(script)
    usual = [{"name": "send", "target": "user1@corp.example", "arg_origin": {"target": "user"}}]
    for number in range(40):
        feed(pipeline, script.session(f"told-{number}", usual, agent_id="a-1"))
    look = Look(pipeline, [script.event(**CLERK, name="send", target="user1@corp.example", arg_origin={"target": o})
                           for o in ("tool", "user")])  # fmt: skip
    assert look.bits["rarity"][0] > 2.0
    assert look.bits["rarity"][1] == 0.0


def test_a_value_seen_earlier_in_the_session_is_an_echo_and_weighs_half() -> None:
    """As target or as argument; a fresh value does not."""
    told = {"arg_origin": {"target": "tool", "note": "tool"}}
    fresh = looks([{"name": "read", "target": KNOWN, **told}, {"name": "send", "target": "x@evil.example", **told}])
    echo = looks(
        [
            {"name": "read", "target": KNOWN, "attributes": {"note": "x@evil.example"}, **told},
            {"name": "send", "target": "x@evil.example", **told},
        ]
    )
    assert echo.bits["novelty_origin"][1] == 0.5 * fresh.bits["novelty_origin"][1] > 0
    assert echo.bits["novelty"][1] == fresh.bits["novelty"][1]


@pytest.mark.parametrize("kind", ["llm_call", "lifecycle"])
def test_what_is_no_action_scores_nothing_and_disturbs_no_sequence(kind: str) -> None:
    """Thinking between two steps, as always, does not change what follows what."""
    between = {"name": "think", "kind": kind, "target": "model-x"}
    script = Script()
    pipeline = taught(script, [[between]] * 9)
    steps = [{"name": "search", "target": "index-1"}, {"name": "read", "target": KNOWN}]
    bare = Look(pipeline, [script.event(**{**CLERK, "session_id": "bare"}, **step) for step in steps])
    look = Look(pipeline, [script.event(**CLERK, **step) for step in (steps[0], between, steps[1])])
    assert look.outcome.scores[1] == 0.0
    assert look.bits["transition"][2] == bare.bits["transition"][1]


@pytest.mark.parametrize("kind", ["llm_call", "lifecycle"])
def test_an_act_that_calls_itself_context_is_judged_as_what_it_does(kind: str) -> None:
    """Its name and its values are what nobody knows of such events, whatever kind its sender chose."""
    act = {"name": "exfiltrate", "target": "https://drop.evil.example/x", "attributes": {"to": "Zz9!"}}
    hidden, open_ = looks([{**act, "kind": kind}]), looks([act])
    assert hidden.level[0].tolist() == open_.level[0].tolist() == [5, 5]
    assert hidden.outcome.scores[0] >= 0.9 * open_.outcome.scores[0] > 1.0


def test_a_model_call_with_a_new_model_weighs_half_and_with_a_new_argument_in_full() -> None:
    """A new model is no act; whoever calls an act as peers call their model calls brings its arguments with it."""
    usual: dict[str, Any] = {"kind": "llm_call", "name": "chat", "target": "m-1"}
    script = Script()
    pipeline = taught(script, [[usual]] * 12)
    for number in range(60):
        feed(pipeline, script.session(f"usual-{number}", [usual], agent_id=f"a-{number % 3}"))
    calls = [usual | {"target": "new.example"}, usual | {"target": "new.example", "attributes": {"to": "Zz9!"}}]
    model, act = (Look(pipeline, [script.event(**CLERK, **call)]) for call in calls)
    assert (model.factor[0], act.factor[0]) == (0.5, 1.0)
    assert model.bits["transition"][0] == model.bits["cooccurrence"][0] == 0.0
    assert act.bits["transition"][0] > 0.0
    assert Look(pipeline, [script.event(**CLERK, **usual)]).outcome.scores[0] == 0.0


@pytest.mark.parametrize("kind", ["llm_call", "lifecycle"])
def test_context_of_somebody_whom_nobody_knows_is_no_act_for_that(kind: str) -> None:
    """Every agent begins so; its user is told as a value, and its beginning stands in no sequence."""
    usual: dict[str, Any] = {"kind": kind, "name": "begin", "attributes": {"mode": "x"}, "on_behalf_of": "kim"}
    script = Script()
    pipeline = taught(script, [[usual]] * 12)
    for number in range(60):
        feed(pipeline, script.session(f"usual-{number}", [usual], agent_id=f"a-{number % 3}"))
    user, act = (
        Look(pipeline, [script.event(**{**CLERK, "agent_id": "zoe"}, **usual | {"on_behalf_of": "zoe"} | more)])
        for more in ({}, {"attributes": {"mode": "Zz9!"}})
    )
    assert user.bits["arguments"][0] > 0.0
    assert user.bits["transition"][0] == user.bits["cooccurrence"][0] == user.bits["pair"][0] == 0.0
    assert (user.factor[0], act.factor[0]) == (0.5, 1.0)


def test_an_end_of_session_that_carries_something_is_an_act() -> None:
    """Only a bare one is just an end."""
    act = {"name": "session_end", "kind": "lifecycle", "target": "https://drop.evil.example/x"}
    assert looks([act]).outcome.scores[0] > 1.0


def test_a_new_credential_zone_or_user_is_a_value_of_its_own() -> None:
    """Who acts, and for whom: what the agent always had is known, another one is not."""
    who = {"credential": {"id": "c-1"}, "zone": "eu", "on_behalf_of": "kim"}
    script = Script()
    usual: dict[str, Any] = {"name": "search", "target": "index-1", **who}
    pipeline = taught(script, [[usual]] * 12)
    for number in range(60):
        feed(pipeline, script.session(f"usual-{number}", [usual], agent_id=f"a-{number % 3}"))
    same = Look(pipeline, [script.event(**CLERK, **usual)])
    other = Look(pipeline, [script.event(**CLERK, **usual | {"credential": {"id": "x"}})])
    assert same.bits["arguments"][0] == 0.0
    assert other.bits["arguments"][0] > 1.0


@pytest.mark.parametrize("name", ["error_class", "src_recipient"])
def test_texts_under_ignored_names_in_a_call_that_went_well_are_seen(name: str) -> None:
    """That they are there, and how long: a sender who hides values under such names is seen by that."""
    hidden, bare = looks([{"name": "write", "attributes": {name: "x@evil.example"}}]), looks([{"name": "write"}])
    assert hidden.bits["arguments"][0] > 1.0
    assert bare.bits["arguments"][0] == 0.0


def test_a_call_rehearsed_without_success_is_new_when_it_succeeds() -> None:
    """As new as if only another tool had met its values; to calls that fail, and after a success, they are known."""
    act: dict[str, Any] = {"name": "send", "target": "x@evil.example", "attributes": {"note": "Zz9!"}}
    levels = {}
    for outcome in ("error", "ok"):
        script = Script()
        pipeline = taught(script, [[{**act, "outcome": outcome}]])
        for now in ("error", "ok"):
            look = Look(pipeline, [script.event(**{**CLERK, "session_id": now}, **act, outcome=now)])
            levels[outcome, now] = look.level[0].tolist()
    assert levels["error", "ok"] == [2, 2]
    assert levels["error", "error"] == levels["ok", "error"] == levels["ok", "ok"]
    assert levels["ok", "ok"][0] <= 1


def test_a_denial_has_its_discount_where_the_tool_is_known_to_be_denied() -> None:
    """A tool that fails every other time, and was never denied, has none for a denial."""
    script = Script()
    pipeline = trained(script)
    for number in range(60):
        attempts = [{"name": "flaky", "target": "index-1", "outcome": "error" if number % 2 else "ok"},
                    {"name": "walled", "target": "index-1", "outcome": "denied" if number % 2 else "ok"}]  # fmt: skip
        feed(pipeline, script.session(f"f-{number}", attempts, agent_id="a-2"))
    odd: dict[str, Any] = {"target": "/new/place", "outcome": "denied"}
    look = Look(pipeline, [script.event(**CLERK, name=name, **odd) for name in ("flaky", "walled")])
    assert look.factor[0] > 0.7
    assert look.factor[1] == pytest.approx(0.3)


def test_origins_that_are_left_out_where_they_always_stood_are_those_of_a_tool() -> None:
    """Silence buys no discount; where nobody tells, it means nothing."""
    told = {"arg_origin": {"target": "user", "note": "user"}}
    script = Script()
    mails = [
        {"name": "mail", "target": f"user{n % 3}@corp.example", "attributes": {"note": f"n{n % 3}"}, **told}
        for n in range(30)
    ]
    pipeline = taught(script, [[mail] for mail in mails])
    odd: dict[str, Any] = {"name": "mail", "target": "x@evil.example", "attributes": {"note": "Zz9!"}}
    silent = Look(pipeline, [script.event(**CLERK, **odd)])
    from_tool = Look(pipeline, [script.event(**CLERK, **odd, arg_origin={"target": "tool", "note": "tool"})])
    assert silent.bits["novelty_origin"][0] == silent.bits["novelty"][0] > 0.0
    assert silent.bits["rarity"][0] == from_tool.bits["rarity"][0] > 1.0


def test_a_first_event_of_a_first_agent_scores_finite_and_low() -> None:
    """Nothing known is no evidence."""
    look = Look(Pipeline(quick()), [Script().event("read", target="x")])
    assert look.outcome.scores[0] < 3.0


def test_residuals_tell_the_gap_the_outcome_and_the_reach() -> None:
    """What the forest looks at beside the novelty channels."""
    script = Script()
    pipeline = trained(script)
    first = Look(pipeline, [script.event(**CLERK, name="read", target=KNOWN)])
    script.now += 20_000.0
    failed = [
        script.event(**{**CLERK, "session_id": "later"}, name="read", target=f"x{n}", outcome="error") for n in range(4)
    ]
    later = Look(pipeline, failed)
    assert later.residual[0, 2] > first.residual[0, 2]
    assert later.residual[0, 3] > first.residual[0, 3] + 2.0
    assert np.diff(later.residual[:, 4]).min() > 0
    assert later.residual[:, 5].tolist() == pytest.approx(np.log2([2, 3, 4, 5]).tolist())
