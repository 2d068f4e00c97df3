"""The demo: a broker, a fleet with a registry and a history, a real worker, five attacks, four stories, and a verdict.

Four parts, each waited for by a fact: the registry is published and in force; the history is produced and scored; the
live part runs in real time; what is still on its way is waited for. Whatever happens, worker and broker end with it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from detector.demo.ending import summary_panel
from detector.demo.facts import Watch, figures, is_ready
from detector.demo.guarded import LAST_WORDS, Guarded
from detector.demo.registering import Registrar
from detector.demo.summary import DemoRun, Summary, summarise
from detector.demo.view import View
from detector.errors import SetupError
from detector.local.kafka import free_port
from detector.local.ladder import Broker, open_broker
from detector.profile.load import load_profile
from detector.schema.registry import RegistryEntry
from detector.schema.topics import TopicNames
from detector.simulate.fleet import MONDAY
from detector.simulate.scenario import DemoSettings, Scenario, demo_scenario
from detector.worker.topics import create_topics, delete_topics, topic_specs
from detector.worker.writer import KafkaWriter

PROFILE = "default/v1"
FLEET = DemoSettings(agents=300, is_registered=True)
"""Large enough that ninety seconds with a day's worth of sessions do not use up the breaker's share of the fleet."""
WEEK_S = 7 * 86_400.0
LIMIT_S = 175.0
"""Three minutes for history, live part and what is on its way, less a margin for the end."""
STALL_S = 120.0
"""Silence of a starting worker after which it is given up; while it compiles kernels it speaks every few seconds."""
SAY_S = 10.0
FRAME = re.compile(r"^\S+Z \[\w+ *\] (.*?) +\[[\w.]+\] ")
"""What stands around the words of a line of the worker's log: time, level, logger."""
TICK_S = 0.1
POLL_S = 0.2
WINDOW = 6_000
"""Events in flight on the embedded broker, which keeps 5 MB a partition: 0.7 MB a partition at 450 bytes."""
REAL_WINDOW = 200_000
SETTLE_S = 3.0
"""Silence on the policy topic after the last event was scored, before the books are closed."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the user asked for."""

    seed: int = 1
    has_view: bool = True
    is_json: bool = False
    keep: Path | None = None


def run_demo(options: DemoOptions) -> int:
    """Return the exit status: 0 if every attack was found as promised, the exfiltrator held, budgets kept, and in time.

    Raises
    ------
    SetupError
        Broker or worker could not be started.
    """
    console = Console(stderr=options.is_json)
    view = View(console, has_view=options.has_view and console.is_terminal)
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="detector-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        broker = stack.enter_context(open_broker(view.say))
        names = _topics(stack, broker)
        view.say(f"fleet: making {FLEET.history_days:.0f} days of history for {FLEET.agents} agents")
        scenario = demo_scenario(options.seed, FLEET, last_monday(time.time()))
        worker = stack.enter_context(Worker(broker, names, scenario, folder))
        view.say("worker: starting (a first start compiles its kernels)")
        worker.wait_until_ready(view.say)
        play = Play(broker, names, scenario, worker, view)
        stack.callback(play.close)
        with view:
            summary = play.run(options.seed)
    console.print(summary_panel(summary))
    text = json.dumps(summary.as_dict(), indent=1)
    if options.keep is not None:
        (options.keep / "summary.json").write_text(text + "\n", encoding="utf-8")
    if options.is_json:
        sys.stdout.write(text + "\n")
    return int(bool(summary.failures))


def last_monday(now: float) -> float:
    """Return the event time at which the live part starts, epoch seconds: a seed is the same story on every weekday."""
    return MONDAY + (now - MONDAY) // WEEK_S * WEEK_S


def _topics(stack: ExitStack, broker: Broker) -> TopicNames:
    """Return names of topics that are made for this run, and removed after it on a broker that stays."""
    if broker.rung == "embedded":
        return TopicNames(group="demo")
    names = TopicNames(group="demo")
    if broker.rung == "external":
        run = f"demo-{uuid.uuid4().hex[:8]}"
        names = TopicNames(f"{run}.", run)
        stack.callback(delete_topics, {"bootstrap.servers": broker.bootstrap}, topic_specs(names))
    create_topics({"bootstrap.servers": broker.bootstrap}, topic_specs(names))
    return names


class Worker(Guarded):
    """A real worker process in enforce mode; ends with this process, however that one ends.

    Settings of this process's environment are the worker's too, but for those of the run, and for a file of settings.
    """

    def __init__(self, broker: Broker, names: TopicNames, scenario: Scenario, folder: Path) -> None:
        super().__init__("worker", [sys.executable, "-m", "detector", "worker"], folder)
        self.port = free_port()
        trusted = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(scenario.drift_start))
        self.environment = {
            **os.environ,
            "DETECTOR_BOOTSTRAP": broker.bootstrap,
            "DETECTOR_BROKER": "embedded" if broker.rung == "embedded" else "kafka",
            "DETECTOR_GROUP": names.group,
            "DETECTOR_TOPIC_PREFIX": names.prefix,
            "DETECTOR_PROFILE": PROFILE,
            "DETECTOR_MODE": "enforce",
            "DETECTOR_TRUSTED_UNTIL": trusted,
            "DETECTOR_LISTEN_PORT": str(self.port),
            "DETECTOR_CHECKPOINT_INTERVAL_S": "5",
        }
        self.environment.pop("DETECTOR_CONFIG", None)

    def wait_until_ready(self, say: Callable[[str], None], stall_s: float = STALL_S) -> None:
        """Return once the worker has its partitions; however long it takes, as long as its log goes on.

        Raises
        ------
        SetupError
            It ended, or said nothing new for `stall_s`; with the end of its log.
        """
        moved = said = time.monotonic()
        known = 0
        while not is_ready(self.port):
            try:
                self.guard.wait(POLL_S)
            except subprocess.TimeoutExpired:
                pass
            else:
                raise SetupError(f"worker of the demo must become ready, got: {self.last_words()}")
            now, size = time.monotonic(), self.log.stat().st_size
            if size != known:
                moved, known = now, size
                if now - said >= SAY_S:
                    said = now
                    say(f"worker: {self.last_words(1)}")
            elif now - moved > stall_s:
                raise SetupError(
                    f"worker of the demo must become ready, got no sign of it for {stall_s:.0f} s, "
                    f"last: {self.last_words()}"
                )

    def last_words(self, lines: int = LAST_WORDS) -> str:
        """Return the last lines of the log, without what stands before their words."""
        last = self.log.read_text(errors="replace").strip().splitlines()[-lines:]
        return " | ".join(FRAME.sub(r"\1 ", line) for line in last) or "nothing said"


class Play:
    """Plays the scenario against the worker and keeps the books."""

    def __init__(self, broker: Broker, names: TopicNames, scenario: Scenario, worker: Worker, view: View) -> None:
        self._broker, self._scenario, self._worker, self._view = broker, scenario, worker, view
        self._writer = KafkaWriter(broker.bootstrap, names.events, {"compression.type": "none", "log_level": 0})
        self._registrar = Registrar(broker.bootstrap, names)
        self._watch = Watch(broker.bootstrap, names)
        self._sent = 0
        self._began = time.monotonic()
        self._asked = 0.0
        self._missing = ""

    def close(self) -> None:
        """Leave the broker."""
        self._watch.close()

    def run(self, seed: int) -> Summary:
        """Return the summary of the whole play."""
        window = WINDOW if self._broker.rung == "embedded" else REAL_WINDOW
        if entries := self._scenario.entries:
            self._view.say(f"registry: {len(entries)} entries say who answers for each agent, and what it may do")
            self._declare(entries)
        self._history(window)
        if renewals := self._scenario.renewals:
            self._view.say(f"registry: {len(renewals)} temporary grants end and are renewed; another is forgotten")
            self._declare(renewals)
        began_at = self._live()
        self._settle()
        run = DemoRun(
            seed=seed,
            broker=self._broker.rung,
            began_at=began_at,
            seconds=time.monotonic() - self._began,
            budget=load_profile(PROFILE).budget.alerts,
            timed_out=self._missing,
        )
        return summarise(self._scenario, self._watch.facts, run)

    def _declare(self, entries: Sequence[RegistryEntry]) -> None:
        """Publish entries, and return once the worker holds acts against them."""
        self._registrar.publish(entries)
        while not self._registrar.is_in_force(self._watch.facts.figures) and self._goes_on("registry"):
            self._tick("registry")

    def _history(self, window: int) -> None:
        for event in self._scenario.history:
            self._send(event.agent_id, event.value)
            while self._sent - self._watch.facts.records >= window and self._goes_on("history"):
                self._tick("history")
            if self._sent % 2_000 == 0:
                self._tick("history", 0.0)
        self._writer.flush()
        self._wait_for_all("history")

    def _live(self) -> float:
        began_at, began = time.time(), time.monotonic()
        for offset, event in self._scenario.live:
            while time.monotonic() < began + offset:
                self._tick("live", min(TICK_S, max(0.0, began + offset - time.monotonic())))
            self._send(event.agent_id, event.value)
            if not self._goes_on("live"):
                break
        self._writer.flush()
        return began_at

    def _settle(self) -> None:
        self._wait_for_all("settling")
        facts = self._watch.facts
        quiet_since, known = time.monotonic(), -1
        while time.monotonic() - quiet_since < SETTLE_S and self._goes_on("settling"):
            self._tick("settling")
            if facts.alert_records + len(facts.commands) != known:
                quiet_since, known = time.monotonic(), facts.alert_records + len(facts.commands)

    def _wait_for_all(self, phase: str) -> None:
        while self._watch.facts.records < self._sent and self._goes_on(phase):
            self._tick(phase)

    def _send(self, agent_id: str, value: bytes) -> None:
        self._writer.send(agent_id, value)
        self._sent += 1

    def _goes_on(self, phase: str) -> bool:
        if not self._worker.is_running:
            raise SetupError(f"worker of the demo must run to the end, got: {self._worker.last_words()}")
        if time.monotonic() - self._began > LIMIT_S:
            facts = self._watch.facts
            self._missing = self._missing or f"{phase}, {facts.records} of {self._sent} events scored"
            return False
        return True

    def _tick(self, phase: str, for_s: float = TICK_S) -> None:
        self._watch.listen(for_s)
        now = time.monotonic()
        if now - self._asked >= TICK_S:
            self._asked = now
            self._watch.facts.figures = figures(self._worker.port) or self._watch.facts.figures
            self._view.show(phase, self._sent, self._scenario, self._watch.facts)
