"""The demo's verdict follows from what was seen."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detector.demo import run
from detector.demo.facts import DemoFacts, SeenAlert, SeenCommand, Watch
from detector.demo.run import Worker, last_monday
from detector.demo.summary import DemoRun, summarise
from detector.demo.view import View, short_names, summary_panel
from detector.errors import SetupError
from detector.local.embedded import EmbeddedBroker
from detector.local.ladder import Broker
from detector.schema.topics import TopicNames
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


def _alert(agent: str, session: str, at: float = 5_030.0, event_time: float = LIVE + 30.0) -> SeenAlert:
    return SeenAlert(f"f-{session}", agent, session, event_time, at, 2.5, "High", "novelty: x (expected y)")


def _facts(*alerts: SeenAlert, held: tuple[str, ...] = ("agent-hijack",), mode: str = "enforce") -> DemoFacts:
    facts = DemoFacts({alert.uid: alert for alert in alerts}, len(alerts))
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


def test_a_seed_is_the_same_story_on_every_weekday() -> None:
    """The live part starts at the last Monday, whenever the demo is run."""
    week = 7 * 86_400.0
    assert last_monday(MONDAY + 2 * week + 5.0) == last_monday(MONDAY + 3 * week - 5.0) == MONDAY + 2 * week


def test_alerts_and_commands_are_read_as_any_consumer_reads_them() -> None:
    """OCSF findings are counted once per finding; policy states in the order they come."""
    finding: dict[str, Any] = {
        "finding_info": {"uid": "f1", "title": "Unusual session"},
        "resources": [{"uid": "a"}],
        "time": 1_000,
        "severity": "High",
        "unmapped": {"detector": {"session_id": "s", "score": 2.5}},
        "anomaly_analyses": [
            {
                "anomalies": [{"observation_parameter": "novelty", "observations": [{"value": "iban-9"}]}],
                "baselines": [{"observations": [{"value": "one of 3 targets"}]}],
            }
        ],
    }
    state = {
        "subject": "default/agent/a",
        "state": "quarantined",
        "tier": "limit",
        "mode": "enforce",
        "effective_at": 1.0,
    }
    with EmbeddedBroker() as broker:
        watch = Watch(broker.bootstrap, TopicNames(), lambda: 7.0)
        watch._take("agent.alerts", finding)
        watch._take("agent.alerts", {**finding, "time": 2_000})
        watch._take("agent.policy", state)
        watch._take("agent.policy", None)
        watch.close()
    assert watch.facts.alert_records == 2
    assert watch.facts.alerts["f1"].why == "novelty: iban-9 (expected one of 3 targets)"
    assert watch.facts.alerts["f1"].at == 7.0
    assert watch.facts.commands == [SeenCommand("a", "quarantined", "limit", "enforce", 1.0, 7.0)]


@pytest.mark.parametrize("has_view", [True, False])
def test_the_view_draws_attacks_alerts_and_commands(has_view: bool) -> None:
    """With a live view and without one, and the summary at the end."""
    from rich.console import Console

    console = Console(record=True, width=140, force_terminal=has_view)
    facts = _facts(*BOTH)
    with View(console, has_view=has_view) as view:
        view.show("live", 100, _scenario(), facts)
    console.print(summary_panel(summarise(_scenario(), facts, RUN)))
    text = console.export_text()
    assert "hijack" in text
    assert "passed" in text
    if not has_view:
        assert "alert 2.50 High agent-hijack: novelty: x (expected y)" in text
        assert "command quarantined isolate agent-hijack (enforce)" in text


STARTS_SLOWLY = """
import sys, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass

for step in range(8):
    head = "2026-01-01T00:00:00Z [info     ] compiling kernels       [detector.worker]"
    print(head, "kernel=k step=%d" % step, file=sys.stderr, flush=True)
    time.sleep(0.4)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
SAYS_NOTHING = "import signal; signal.pause()"


def _worker(folder: Path, script: str) -> Worker:
    worker = Worker(Broker("127.0.0.1:1", "external"), TopicNames(), _scenario(), folder)
    worker.command = (sys.executable, "-c", script, str(worker.port))
    return worker


@pytest.mark.integration
def test_a_worker_that_goes_on_is_waited_for_however_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three seconds of compiling with a patience of two: the log moves, so it is alive, and it is told on."""
    monkeypatch.setattr(run, "SAY_S", 0.5)
    said: list[str] = []
    with _worker(tmp_path, STARTS_SLOWLY) as worker:
        worker.wait_until_ready(said.append, stall_s=2.0)
    assert said
    assert said[0].startswith("worker: compiling kernels kernel=k step=")


@pytest.mark.integration
def test_a_worker_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    """Silence is what a hanging start looks like; the end of the log stands in the refusal."""
    with (
        _worker(tmp_path, SAYS_NOTHING) as worker,
        pytest.raises(SetupError, match="no sign of it for 1 s, last: nothing said"),
    ):
        worker.wait_until_ready(print, stall_s=1.0)


@pytest.mark.integration
def test_a_worker_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    """Its last words are the reason."""
    with (
        _worker(tmp_path, "raise SystemExit('detector: no broker')") as worker,
        pytest.raises(SetupError, match="must become ready, got: detector: no broker"),
    ):
        worker.wait_until_ready(print)


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_started_by_nohup_ends_on_both_signals(number: signal.Signals) -> None:
    """A shell's background job inherits SIGINT as ignored; the demo and the broker take it back."""
    begin = "import os\nfrom detector.demo.commands import end_on_signals\nend_on_signals()\n"
    code = f"{begin}os.kill(os.getpid(), {number})"
    ran = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, f"{code}\nprint('still here')"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "still here" not in ran.stdout
    assert "KeyboardInterrupt" in ran.stderr


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
