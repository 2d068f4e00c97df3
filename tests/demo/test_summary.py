"""The demo's verdict follows from what was seen, and is shown so that rules stand apart from what was learned."""

from __future__ import annotations

import json

import pytest

from detector.demo.ending import summary_panel
from detector.demo.expected import EXPECTED, LEARNED, Expected, is_of, is_of_registry
from detector.demo.facts import DemoFacts, SeenAlert, SeenCommand
from detector.demo.summary import DemoRun, summarise
from detector.demo.view import View, short_names
from detector.simulate.attacks import KINDS as ATTACKS
from detector.simulate.attacks import STORIES as TOLD
from detector.simulate.fleet import MONDAY
from detector.simulate.injected import Attack
from detector.simulate.render import Simulated
from detector.simulate.scenario import Scenario

KINDS = ("hijack", "runaway_loop")
LIVE = MONDAY + 1_000.0
RUN = DemoRun(seed=1, broker="kafka", began_at=5_000.0, seconds=100.0, budget=0.01)


def _scenario(benign: int = 100) -> Scenario:
    def event(session: str, agent: str) -> Simulated:
        return Simulated(int(LIVE * 1_000), f"e-{session}", agent, session, b"{}", "", False)

    attacks = tuple(Attack(kind, f"agent-{kind}", (f"s-{kind}",), LIVE, LIVE + 20.0, 3) for kind in KINDS)
    live = [(float(n), event(f"b{n}", f"a{n}")) for n in range(benign)]
    live += [(20.0, event(f"s-{kind}", f"agent-{kind}")) for kind in KINDS]
    return Scenario([], live, attacks, LIVE, LIVE)


def _alert(
    agent: str, session: str, at: float = 5_030.0, event_time: float = LIVE + 30.0, detection: str = LEARNED
) -> SeenAlert:
    return SeenAlert(f"f-{session}", agent, session, detection, event_time, at, 2.5, "High", "novelty: x (expected y)")


def _ruled(agent: str, rule: str, session: str = "") -> SeenAlert:
    return _alert(agent, session or f"s-{agent}-{rule}", detection=f"rule.{rule}")


def _facts(*alerts: SeenAlert, held: tuple[str, ...] = ("agent-hijack",), mode: str = "enforce") -> DemoFacts:
    facts = DemoFacts(alert_records=len(alerts))
    facts.findings = {(alert.uid, alert.detection): alert for alert in alerts}
    facts.commands = [SeenCommand(agent, "quarantined", "isolate", mode, LIVE, 5_031.0) for agent in held]
    return facts


BOTH = tuple(_alert(f"agent-{kind}", f"s-{kind}") for kind in KINDS)


def test_a_run_that_found_everything_passes_and_tells_the_time_it_took() -> None:
    """First live event of the attack sent at 5,020, alert in hand at 5,030."""
    summary = summarise(_scenario(), _facts(*BOTH), RUN)
    assert summary.failures == ()
    assert [(one.kind, one.detect_s, one.tier) for one in summary.attacks] == [
        ("hijack", 10.0, "isolate"),
        ("runaway_loop", 10.0, ""),
    ]


@pytest.mark.parametrize(
    ("facts", "run", "failure"),
    [
        (_facts(BOTH[0]), RUN, "runaway_loop on agent-runaway_loop went unseen"),
        (_facts(*BOTH, held=()), RUN, "agent-hijack exfiltrated and was not quarantined"),
        (_facts(*BOTH, mode="shadow"), RUN, "agent-hijack exfiltrated and was not quarantined"),
        (_facts(*BOTH, *(_alert(f"a{n}", f"b{n}") for n in range(6))), RUN, "6 false alarms are over the budget"),
        (_facts(*BOTH), DemoRun(1, "kafka", 5_000.0, 180.0, 0.01, "live, 5 of 9 events scored"), "time ran out: live"),
    ],
)
def test_each_failure_is_said(facts: DemoFacts, run: DemoRun, failure: str) -> None:
    """Unseen, not held, held in shadow only, over the budget, out of time."""
    failures = summarise(_scenario(), facts, run).failures
    assert len(failures) == 1
    assert failure in failures[0]


def test_false_alarms_within_the_scatter_of_the_budget_pass() -> None:
    """One promised in a hundred sessions: up to five are chance, alarms of the history do not count."""
    false = [_alert(f"a{n}", f"b{n}") for n in range(5)]
    old = [_alert(f"h{n}", f"h{n}", event_time=LIVE - 60.0) for n in range(20)]
    summary = summarise(_scenario(), _facts(*BOTH, *false, *old), RUN)
    assert (summary.false_alarms, summary.allowed_alarms, summary.failures) == (5, 5, ())


def test_the_summary_is_plain_json() -> None:
    """What --json prints can be read by anything."""
    shown = json.loads(json.dumps(summarise(_scenario(), _facts(*BOTH), RUN).as_dict()))
    assert shown["attacks"][0]["kind"] == "hijack"
    assert shown["failures"] == []


STORIES = {
    "overdue_grant": "grant_overdue",
    "stale_credential": "credential_age",
    "unregistered_clone": "unregistered",
}
PATH = ("agent-first", "agent-second", "agent-last")


def _told() -> Scenario:
    """Return the demo with the stories of the registry beside its attacks."""
    stories = tuple(Attack(kind, f"agent-{kind}", (f"s-{kind}",), LIVE, LIVE + 20.0, 3) for kind in STORIES)
    path = Attack("lateral_path", PATH[0], ("s-first", "s-second"), LIVE, LIVE + 20.0, 4, PATH)
    scenario = _scenario()
    return scenario._replace(attacks=(*scenario.attacks, *stories, path))


NAMED = _alert(PATH[2], "", detection="response.lateral_path")
BY_RULE = tuple(_ruled(f"agent-{kind}", rule) for kind, rule in STORIES.items())


def test_stories_are_found_by_their_rule_and_attacks_by_what_was_learned() -> None:
    """Whatever session of the agent a rule told it in."""
    summary = summarise(_told(), _facts(*BOTH, *BY_RULE, NAMED, _ruled(PATH[1], "outside_grant", "s-second")), RUN)
    assert summary.failures == ()
    found = {one.kind: (one.expected, one.is_found, one.also) for one in summary.attacks}
    assert found == {
        **dict.fromkeys(KINDS, ("learned", True, ())),
        **{kind: (rule, True, ()) for kind, rule in STORIES.items()},
        "lateral_path": ("lateral_path", True, ("outside_grant",)),
    }
    assert (summary.false_alarms, summary.false_by_registry) == (0, 0)


@pytest.mark.parametrize(
    ("seen", "failure"),
    [
        ((BOTH[0], _ruled("agent-runaway_loop", "token_burn", "s-runaway_loop"), *BY_RULE), "runaway_loop on"),
        ((*BOTH, *BY_RULE[:2], _alert("agent-unregistered_clone", "s-unregistered_clone")), "unseen by rule unregist"),
        ((*BOTH, *BY_RULE[:2], _ruled("a1", "unregistered")), "unseen by rule unregistered"),
        ((*BOTH, *BY_RULE, _ruled("a7", "outside_grant")), "rules of the registry told of harmless agents: a7"),
    ],
)
def test_what_one_kind_of_finding_promises_the_other_does_not_keep(seen: tuple[SeenAlert, ...], failure: str) -> None:
    """A rule is no learned finding, a learned one no rule, another agent's none at all; a false one fails the run."""
    failures = summarise(_told(), _facts(*seen, NAMED), RUN).failures
    assert any(failure in one for one in failures), failures


def test_a_path_that_is_named_is_found() -> None:
    """By any detection of that name, whichever of its agents it stands at."""
    summary = summarise(_told(), _facts(*BOTH, *BY_RULE, NAMED), RUN)
    assert [one.is_found for one in summary.attacks if one.kind == "lateral_path"] == [True]
    assert summary.false_alarms == 0


def test_what_is_told_of_an_attacked_agent_and_no_session_is_no_false_alarm() -> None:
    """As what several agents do together is told; of a harmless agent it is one."""
    together = [_alert(agent, "", detection="response.credential_shared") for agent in ("agent-hijack", "a1")]
    for seen, false, also in zip(together, (0, 1), (("credential_shared",), ()), strict=True):
        summary = summarise(_told(), _facts(*BOTH, *BY_RULE, NAMED, seen), RUN)
        assert summary.false_alarms == false
        assert next(one.also for one in summary.attacks if one.kind == "hijack") == also


def test_every_kind_of_attack_has_what_is_to_find_it() -> None:
    """As data: five by what is learned, the others by a rule of the registry or by name."""
    assert set(EXPECTED) == {*ATTACKS, *TOLD}
    assert all(EXPECTED[kind] == (LEARNED, True) for kind in ATTACKS)
    assert all(is_of_registry(f"rule.{EXPECTED[kind].detection}") for kind in STORIES)
    assert not is_of("rule.unregistered", EXPECTED["hijack"])


@pytest.mark.parametrize("has_view", [True, False])
def test_the_view_draws_attacks_alerts_and_commands(has_view: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a live view and without one, and the summary at the end; what is not promised is said not to be."""
    monkeypatch.setitem(EXPECTED, "lateral_path", Expected("lateral_path", is_required=False))
    from rich.console import Console

    console = Console(record=True, width=140, force_terminal=has_view)
    facts = _facts(*BOTH, *BY_RULE)
    with View(console, has_view=has_view) as view:
        view.show("live", 100, _told(), facts)
    live = console.export_text()
    console.print(summary_panel(summarise(_told(), facts, RUN)))
    ending = console.export_text()
    assert "hijack" in live
    assert "passed" in ending
    assert ending.index("runaway_loop") < ending.index("False alarms: 0 in") < ending.index("By rule")
    assert ending.index("By rule") < ending.index("overdue_grant") < ending.index("False alarms: 0 of")
    assert "lateral_path is not promised: nothing names it yet" in ending
    if has_view:
        ruled, learned = live.index("By rule"), live.index("Learned: odd")
        assert ruled < live.index("credential_age", ruled) < learned < live.index("agent-runaway_loop", learned)
    else:
        assert "learned 2.50 High agent-hijack: novelty: x (expected y)" in live
        assert "by rule grant_overdue High agent-overdue_grant: " in live
        assert "command quarantined isolate agent-hijack (enforce)" in live


def test_agents_stay_apart_on_a_narrow_terminal() -> None:
    """Names that begin alike, and names that end alike, are cut in the middle and never to the same text."""
    from rich.console import Console

    names = ("data-analyst-000053", "data-analyst-000058", "data-curator-000053", "data-auditor-000053", "ops")
    shown = short_names(names, 12)
    assert len(set(shown.values())) == len(names)
    assert shown["ops"] == "ops"
    assert shown["data-analyst-000058"] == "data-…000058"
    console = Console(record=True, width=60, height=40, force_terminal=True)
    facts = _facts(*(_alert(name, f"s-{name}") for name in names), held=names)
    with View(console, has_view=True) as view:
        view.show("live", 100, _scenario(), facts)
    text = console.export_text()
    assert [text.count(short_names([*names, "agent-hijack"], 15)[name]) >= 2 for name in names] == [True] * len(names)
