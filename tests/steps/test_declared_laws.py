"""What a sender declares, law by law: for any declaration, not only for those that a drill makes.

One trained fleet of clerks; each example is scored by the same memory. An act is *new* if its target and its argument
are of a place and a shape nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.pipeline import Pipeline
from detector.schema.event import Kind, Origin, Outcome
from detector.simulate.fleet import DAY_S
from tests.streams import Look, Script, feed, ordinary, quick, quiet

WHO: dict[str, Any] = {
    "credential": {"id": "c-1"}, "zone": "eu", "on_behalf_of": "kim", "peer_agent_id": "p-1", "peer_zone": "eu",
    "data_class": "internal",
}  # fmt: skip
"""Who acts and with whom, as the clerks' calls of `ask` always say."""
ASKED: dict[str, Any] = {"name": "ask", "target": "index-1", **WHO}
ACT: dict[str, Any] = {"name": "write", "target": "https://drop.evil.example/x", "attributes": {"to": "Zz9!"}}
TOLD: dict[str, Any] = {"name": "mail", "attributes": {"note": "n1"}, "target": "user1@corp.example"}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
DECLARED = st.fixed_dictionaries(
    {},
    optional={
        "agent_version": TEXTS, "instance_id": TEXTS, "trace_id": TEXTS, "model": TEXTS, "tool_hash": TEXTS,
        "prompt_hash": TEXTS, "spiffe_id": TEXTS, "parent_agent_id": TEXTS, "seq": st.integers(0, 99),
        "agent_type": TEXTS.map(lambda text: f"new-{text}"), "zone": TEXTS, "on_behalf_of": TEXTS,
        "data_class": st.sampled_from(["public", "internal", "secret"]),
        "credential": TEXTS.map(lambda text: {"id": text}), "tenant": TEXTS.map(lambda text: f"new-{text}"),
    },
)  # fmt: skip
"""All that is said of an act and is no part of it, but for outcome, kind and origins."""

SCRIPT = Script()


def _trained() -> Pipeline:
    """Return the fleet: days of ordinary sessions, calls that say who acts, mails that tell their origins."""
    mail = {**TOLD, "arg_origin": {"target": "user", "note": "user"}}
    values: list[bytes] = []
    for day in range(3):
        for number in range(30):
            agent = {"agent_id": f"a-{number % 3}"}
            values += SCRIPT.session(f"asked-{day}-{number}", [ASKED], **agent)
            values += SCRIPT.session(f"mailed-{day}-{number}", [mail], **agent)
        values += [*ordinary(SCRIPT, 80, first=80 * day), *quiet(SCRIPT, 1.2)]
    pipeline = Pipeline(quick(), trusted_until=SCRIPT.now)
    feed(pipeline, values)
    return pipeline


SHARDS, UNTIL = _trained().snapshot(full=True), SCRIPT.now


def fleet(*, learns: bool = False) -> tuple[Pipeline, Script]:
    """Return the trained fleet as it was, and a script that goes on from there; `learns`: the gate stays open."""
    until = UNTIL + 365.0 * DAY_S if learns else UNTIL
    return Pipeline.restore(quick(), SHARDS, trusted_until=until), Script(UNTIL)


def seen(act: Mapping[str, Any]) -> tuple[float, list[int], float]:
    """Return score, levels of target and argument, and bits of the arguments of one act of a clerk's new session."""
    pipeline, script = fleet()
    look = Look(pipeline, [script.event(**{"agent_id": "a-1", "session_id": "live", **act})])
    return float(look.outcome.scores[0]), look.level[0].tolist(), float(look.bits["arguments"][0])


PLAIN = seen(ACT)


@given(DECLARED)
@settings(max_examples=50)
def test_nothing_that_is_said_beside_an_act_lowers_its_score(said: dict[str, Any]) -> None:
    """The law: version, model, type, tenant, credential and the like leave the score as it is, or raise it."""
    score, levels, _ = seen({**ACT, **said})
    assert levels == PLAIN[1] == [5, 5]
    assert score >= PLAIN[0]


@given(
    DECLARED,
    st.sampled_from(get_args(Kind)),
    st.sampled_from(get_args(Outcome)),
    st.dictionaries(st.sampled_from(["target", "to"]), st.sampled_from(get_args(Origin))),
)
@settings(max_examples=60)
def test_no_kind_outcome_or_origin_makes_a_new_act_look_known(
    said: dict[str, Any], kind: str, outcome: str, origins: dict[str, str]
) -> None:
    """The law: whatever is declared, target and argument stay on the highest level, and as odd as they are."""
    _, levels, bits = seen({**ACT, **said, "kind": kind, "outcome": outcome, "arg_origin": origins})
    assert levels == [5, 5]
    assert bits >= PLAIN[2]


@given(DECLARED, st.sampled_from(get_args(Kind)), st.sampled_from(["ok", "denied"]))
@settings(max_examples=40)
def test_no_kind_and_no_denial_lowers_the_score_of_what_nobody_is_known_to_read_or_be_denied(
    said: dict[str, Any], kind: str, outcome: str
) -> None:
    """The law: of a tool without a history of reads or denials, a twentieth of the score at most.

    Missing: the same of a failure, which is believed as far as the fleet's tools fail, and of origins said to be the
    user's, which weigh half, for nobody but the instrumentation knows.
    """
    assert seen({**ACT, **said, "kind": kind, "outcome": outcome})[0] >= 0.95 * PLAIN[0]


@given(st.sampled_from(get_args(Origin)), TEXTS)
@settings(max_examples=25)
def test_origins_that_are_left_out_weigh_no_less_than_any_that_are_told(told: str, text: str) -> None:
    """The law, where a tool's values always came with origins: silence is never the cheaper thing to say."""
    odd = {**TOLD, "target": f"{text.encode().hex()}@evil.example"}

    def evidence(origins: Mapping[str, str]) -> float:
        pipeline, script = fleet()
        look = Look(pipeline, [script.event(agent_id="a-1", session_id="live", **odd, arg_origin=origins)])
        return float(look.bits["novelty_origin"][0])

    assert evidence({}) >= evidence({"target": told, "note": told}) > 0.0


@given(TEXTS)
@settings(max_examples=25)
def test_a_target_that_is_left_out_weighs_no_less_than_any_that_is_told(text: str) -> None:
    """The law, where a tool always has a target: a value that is moved elsewhere leaves its trace."""
    told = {name: value for name, value in TOLD.items() if name != "target"}

    def evidence(**target: str) -> float:
        pipeline, script = fleet()
        look = Look(pipeline, [script.event(agent_id="a-1", session_id="live", **told, **target)])
        return float(look.bits["novelty"][0])

    assert evidence() >= evidence(target=text)
    assert evidence() > 0.0


REHEARSALS = st.lists(
    st.tuples(
        st.sampled_from(["a-0", "a-1", "a-2"]), st.sampled_from(["error", "denied"]), st.sampled_from([0.1, 1.3, 3.0])
    ),
    min_size=1,
    max_size=5,
)


@given(REHEARSALS)
@settings(max_examples=15)
def test_no_rehearsal_that_fails_makes_an_act_known_that_succeeds(rehearsals: list[tuple[str, str, float]]) -> None:
    """The law: however often, by whom and how long before it failed, in history that teaches everything.

    Missing: that its place, its shape and what other tools know of its values stay new too (docs/science.md, *What is
    declared*: it was measured, and cost a tenth of the recall).
    """
    pipeline, script = fleet(learns=True)
    for number, (agent, outcome, days) in enumerate(rehearsals):
        feed(pipeline, script.session(f"try-{number}", [{**ACT, "outcome": outcome}], agent_id=agent))
        feed(pipeline, quiet(script, days))
    look = Look(pipeline, [script.event(**ACT, agent_id="a-1", session_id="live")])
    assert look.level[0].min() >= 2


@given(st.integers(1, 5), st.sampled_from(["a-1", "a-2"]), st.sampled_from(get_args(Outcome)))
@settings(max_examples=12)
def test_what_the_gate_holds_back_stays_new_however_often_it_comes(times: int, agent: str, outcome: str) -> None:
    """The law: a session that is withheld leaves its values on the highest level, for its agent and for its peers.

    Missing: that every odd session is withheld. The gate's own score has a discount for a failure, so where failures
    are common a call that fails may teach, to other calls that fail.
    """
    pipeline, script = fleet()
    odd: dict[str, Any] = {
        "name": "exfiltrate", "target": "https://drop.evil.example/x", "attributes": {"a": "Zz!", "b": "@@"},
    }  # fmt: skip
    for number in range(times):
        held = feed(pipeline, script.session(f"odd-{number}", [{**odd, "outcome": outcome}] * 3, agent_id=agent))
        assert held.counts["sessions_withheld"] == 1
        feed(pipeline, quiet(script, 1.5))
    for other in ("a-0", agent):
        look = Look(pipeline, [script.event(**odd, agent_id=other, session_id=f"live-{other}", outcome=outcome)])
        assert look.level[0].tolist() == [5, 5]


@given(st.sampled_from(sorted(WHO)), TEXTS)
@settings(max_examples=40)
def test_another_circumstance_than_always_raises_the_arguments(field: str, text: str) -> None:
    """The law of what is read beside the act: credential, zone, user, peer and data class, each for itself."""
    other = {"id": f"x-{text}"} if field == "credential" else f"x-{text}"
    same, changed = seen(ASKED), seen({**ASKED, field: other})
    assert changed[2] > same[2] == 0.0
    assert changed[0] > same[0]


def test_the_fleet_the_laws_are_tried_on_has_what_they_are_about() -> None:
    """Clerks that ask and mail; ordinary sessions are no alarm."""
    pipeline, script = fleet()
    outcome = feed(pipeline, ordinary(script, 5, first=900))
    assert not outcome.alerts
    assert pipeline.gauges()["agents"] == 4
