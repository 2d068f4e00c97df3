"""Terms that are over: each rule fires on the late use and is silent on its harmless twin, through the pipeline."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from typing import Any

import msgspec
import pytest

from detector import rules
from detector.pipeline import Pipeline
from detector.rules import ENTRIES, RULES
from detector.rules.terms import SKEW
from detector.schema.event import Event
from detector.simulate.render import timestamp
from tests.streams import Script, feed, ordinary, quick, trained

ALL = {"enabled": tuple(RULES)}
PROFILE = quick(rules=ALL)
LATE_S = SKEW.total_seconds() + 1.0
ODD: list[dict[str, Any]] = [
    {"name": "exfiltrate", "target": f"https://d{n}.evil.example", "attributes": {"to": f"Zz{n}!"}} for n in range(4)
]


def term(script: Script, late_s: float, what: str = "credential", uid: str = "c-1") -> dict[str, Any]:
    """Return the field of a credential or grant that ended so long before the next event."""
    return {what: {"id": uid, "expires_at": timestamp(round((script.now + 1.0 - late_s) * 1000.0))}}


def late(script: Script, uid: str = "c-1", **fields: Any) -> bytes:
    """Return an event with a credential that is over."""
    return script.event(**term(script, LATE_S, uid=uid), **fields)


@pytest.mark.parametrize("what", ["credential", "grant"])
def test_a_use_after_the_term_alerts_at_the_first_event_there_is(what: str) -> None:
    """No history, no score, no threshold: the rule's own severity, words and ids."""
    script = Script()
    (alert,) = feed(Pipeline(PROFILE), [script.event("pay", **term(script, LATE_S, what))]).alerts
    entry = ENTRIES[f"{what}_expired"]
    assert (alert.activity, alert.counter, alert.detection) == ("create", 1, f"rule.{what}_expired")
    assert [(one.value, one.bits, one.n, one.voice) for one in alert.contributions] == [(0.0, 0.0, 0, "rule")]
    assert (alert.score, alert.threshold, alert.events_over) == (None, None, 0)
    assert (alert.severity, alert.risk, alert.asi, alert.atlas) == ("high", 75, entry.asi, entry.atlas)
    (why,) = alert.contributions
    assert (why.channel, why.voice) == (f"{what}_expired", "rule")
    assert why.observed == f"{what} c-1 used 0:05:01 after it " + ("expired" if what == "credential" else "ended")
    assert alert.title.endswith("used by a-1: pay")


@pytest.mark.parametrize("what", ["credential", "grant"])
@pytest.mark.parametrize("late_s", [-3_600.0, 0.0, SKEW.total_seconds()])
def test_a_use_within_the_term_or_within_the_skew_of_clocks_is_silent(what: str, late_s: float) -> None:
    """The harmless twins, to the second."""
    script = Script()
    assert feed(Pipeline(PROFILE), [script.event("pay", **term(script, late_s, what))]).alerts == []


@pytest.mark.parametrize("fields", [{}, {"credential": {"id": "c-1"}}, {"grant": {"id": "g-1"}}])
def test_an_event_without_a_term_is_silent(fields: dict[str, Any]) -> None:
    """Not told is not over."""
    assert feed(Pipeline(PROFILE), [Script().event("pay", **fields)]).alerts == []


def test_a_rule_that_the_profile_does_not_enable_is_silent() -> None:
    """The shipped profile enables neither of these."""
    script = Script()
    assert feed(Pipeline(quick()), [late(script)]).alerts == []
    only = Pipeline(quick(rules={"enabled": ("grant_expired",)}))
    assert [one.detection for one in feed(only, [late(script), script.event(**term(script, LATE_S, "grant"))]).alerts] \
        == ["rule.grant_expired"]  # fmt: skip


def test_repeats_of_a_cause_are_folded_and_counted_and_another_cause_is_an_update() -> None:
    """One session, one incident, each credential once; it closes with its counts and without a score."""
    script = Script()
    values = [late(script), late(script), late(script, "c-2"), late(script, "c-1")]
    pipeline = Pipeline(PROFILE)
    outcome = feed(pipeline, [*values, script.event("session_end", kind="lifecycle")])
    created, updated, closed = outcome.alerts
    assert [one.activity for one in outcome.alerts] == ["create", "update", "close"]
    assert len({one.finding_uid for one in outcome.alerts}) == 1
    assert updated.causes == ("rule.credential_expired/c-1", "rule.credential_expired/c-2")
    assert outcome.counts["findings_folded"] == pipeline.state.incidents.folded == 2
    assert (closed.score, closed.severity, closed.events, closed.events_over) == (None, created.severity, 4, 0)


def test_another_session_with_the_same_cause_is_another_incident() -> None:
    """What is folded is folded within a session."""
    script = Script()
    alerts = feed(Pipeline(PROFILE), [late(script, session_id="one"), late(script, session_id="two")]).alerts
    assert [one.activity for one in alerts] == ["create", "create"]
    assert len({one.finding_uid for one in alerts}) == 2


def test_a_rule_joins_the_incident_that_a_score_has_made() -> None:
    """The same id, the next counter, the score kept, the detection that of the first."""
    script = Script()
    pipeline = trained(script, rules=ALL)
    feed(pipeline, ordinary(script, 20, first=400))
    odd = [script.event(**{**fields, "agent_id": "a-1", "session_id": "odd"}) for fields in ODD]
    by_score = feed(pipeline, odd).alerts
    joined, *_ = feed(pipeline, [late(script, agent_id="a-1", session_id="odd")]).alerts
    assert by_score[0].detection == joined.detection == "behaviour.session"
    assert (joined.finding_uid, joined.counter) == (by_score[-1].finding_uid, by_score[-1].counter + 1)
    assert joined.causes == (*by_score[-1].causes, "rule.credential_expired/c-1")
    assert joined.score == by_score[-1].score
    assert joined.contributions[0].voice == "rule"


def test_a_score_joins_the_incident_that_a_rule_has_made() -> None:
    """Then it has a score, and is as severe as the worse of the two."""
    script = Script()
    pipeline = trained(script, rules=ALL)
    feed(pipeline, ordinary(script, 20, first=400))
    by_rule, *more = feed(pipeline, [late(script, name="search", agent_id="a-1", session_id="odd")]).alerts
    odd = [script.event(**{**fields, "agent_id": "a-1", "session_id": "odd"}) for fields in ODD]
    joined = [*more, *feed(pipeline, odd).alerts][0]
    assert (joined.finding_uid, joined.counter, joined.activity) == (by_rule.finding_uid, 2, "update")
    assert joined.score is not None
    assert joined.detection == "rule.credential_expired"
    assert joined.causes[0] == "rule.credential_expired/c-1"
    assert joined.severity in ("high", "critical")


def test_rules_are_quiet_in_trusted_history_and_speak_from_its_end_on() -> None:
    """Nobody is paged for what the operator calls history."""
    script = Script()
    pipeline = Pipeline(PROFILE, trusted_until=script.now + 2.0)
    before, after = late(script), late(script)
    assert feed(pipeline, [before]).alerts == []
    assert len(feed(pipeline, [after]).alerts) == 1


def test_a_repeated_event_is_no_second_finding() -> None:
    """A record delivered twice is neither alerted nor folded."""
    script = Script()
    value = late(script)
    outcome = feed(Pipeline(PROFILE), [value, value])
    assert outcome.counts["events_repeated"] == 1
    assert [one.activity for one in outcome.alerts] == ["create"]
    assert outcome.counts["findings_folded"] == 0


def test_rules_change_no_score() -> None:
    """They read events, nothing else."""
    script = Script()
    values = [*ordinary(script, 6), late(script)]
    with_rules, without = feed(Pipeline(PROFILE), values).scores, feed(Pipeline(quick()), values).scores
    assert with_rules.tolist() == without.tolist()


def test_catalogue_and_table_of_rules_name_the_same_and_every_public_look_is_in_it() -> None:
    """An entry without its function, a function without its entry, and one that was forgotten in the table."""
    assert set(ENTRIES) == set(RULES)
    assert all(rule.entry.name == rule.look.__name__ == name for name, rule in RULES.items())
    modules = [import_module(f"{rules.__name__}.{one.name}") for one in pkgutil.iter_modules(rules.__path__)]
    looks = {
        name
        for module in modules
        for name, found in vars(module).items()
        if inspect.isgeneratorfunction(found) and list(inspect.signature(found).parameters) == ["scene"]
    }
    assert looks == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_an_entry_names_fields_that_an_event_has(name: str) -> None:
    """And ids of the taxonomies an alert carries."""
    for path in (path for one in ENTRIES[name].needs for path in one.split("|")):
        first, _, rest = path.partition(".")
        assert first in Event.__struct_fields__
        if first == "attributes":
            continue
        inner = {"credential", "grant"} & {first}
        assert not rest or rest in msgspec.json.schema(Event)["$defs"][inner.pop().capitalize()]["properties"]
    assert ENTRIES[name].asi
    assert re.fullmatch(r"D\d\d[b-z]?", ENTRIES[name].detection)
