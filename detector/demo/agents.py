"""The demo with a real agent: its program and a Collector, unmodified, from a connected telemetry to a denied call.

1. A broker, and the settings that `detector connect` prints for the program, put where it says. 2. Collector, bridge
and edge. 3. The history of a fleet: recorded sessions of the same program, laid out over the last days, which the
operator vouches for (``--trusted-until``). 4. A worker that enforces. 5. Ordinary sessions: nothing may alert. 6. A
session with one odd act in it, which goes on with everyday calls until one is denied. 7. A person's release, and a
session that works again. Everything but the model is real; it answers on loopback by a script.
"""

from __future__ import annotations

import random
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detector.demo.agents_summary import AgentsSummary, Told
from detector.demo.codex import CODEX
from detector.demo.dialects import Call
from detector.demo.errands import odd_act
from detector.demo.facts import Watch, figures, is_ready
from detector.demo.gemini_cli import GEMINI_CLI
from detector.demo.guarded import Guarded
from detector.demo.machine import AgentMachine, machine_user, refuse_without_namespaces
from detector.demo.recorded import RecordedFleet, history, read_recording
from detector.demo.scripted_model import Script, ScriptedModel, scripted_model
from detector.errors import SetupError
from detector.local.kafka import free_port
from detector.local.ladder import Broker, open_broker
from detector.local.programs import collector_command
from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from detector.schema.topics import TopicNames
from detector.worker.topics import create_topics, delete_topics, otlp_specs, topic_specs
from detector.worker.writer import KafkaWriter

PROGRAMS: Final = {one.source: one for one in (CODEX, GEMINI_CLI)}
TENANT: Final = "acme"
PEERS: Final = ("ada", "grace", "linus", "edsger", "barbara", "dennis", "frances")
FLEET: Final = RecordedFleet((machine_user(), *PEERS), days=8, sessions=3)
"""192 sessions: a partition speaks at full strength once a hundred have closed."""
TRUSTED_BACK_S: Final = 3_600.0
"""The operator vouches for what is older than this; live sessions are not."""
START_S: Final = 60.0
WORKER_S: Final = 120.0
"""Silence of a starting worker; while it compiles its kernels it speaks."""
SCORED_S: Final = 60.0
SESSION_S: Final = 120.0
SETTLED_S: Final = 5.0
ORDINARY: Final = 2
GATE: Final = Path(__file__).resolve().parents[2] / "detector_gate.py"


@dataclass(frozen=True, slots=True)
class AgentsOptions:
    """What the user asked for; `program` is a name of PROGRAMS."""

    program: str = CODEX.source
    seed: int = 1
    keep: Path | None = None


@contextmanager
def scene(options: AgentsOptions, say: Callable[[str], None]) -> Iterator[AgentScene]:
    """Yield a scene whose broker runs and whose machine is connected; what was started ends with it.

    Raises
    ------
    SetupError
        A program is missing, or could not be made or started; no real Kafka can be had.
    """
    with ExitStack() as stack:
        short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dx-", ignore_cleanup_errors=True)))
        folder = short if options.keep is None else options.keep
        folder.mkdir(parents=True, exist_ok=True)
        refuse_without_namespaces(short)
        program = PROGRAMS[options.program]
        command, collector = program.command(say), collector_command(say)
        began = time.monotonic()
        broker = stack.enter_context(open_broker(say))
        if broker.rung == "embedded":
            raise SetupError("broker of the demo with agents must be a real Kafka, got the embedded one: see above")
        machine = AgentMachine(short / "m", program, command)
        model = stack.enter_context(scripted_model(program.dialect))
        one = AgentScene(options, Parts(broker, machine, model, folder), say)
        if broker.rung == "external":
            stack.callback(delete_topics, one.kafka, one.topics)
        one.set_up(stack, collector)
        say(f"connected within {time.monotonic() - began:.0f} s of the start of Kafka")
        yield one


@dataclass(frozen=True, slots=True)
class Parts:
    """What a scene is made of; `folder` is where logs go."""

    broker: Broker
    machine: AgentMachine
    model: ScriptedModel
    folder: Path


class AgentScene:
    """A connected agent, and what is seen of it."""

    def __init__(self, options: AgentsOptions, parts: Parts, say: Callable[[str], None]) -> None:
        self.options, self.parts, self.say = options, parts, say
        self.program = parts.machine.program
        # on a broker that stays the topics are this run's own
        own = f"demo-{uuid.uuid4().hex[:8]}"
        self.names = TopicNames(f"{own}.", own) if parts.broker.rung == "external" else TopicNames()
        self.topics = [*topic_specs(self.names, 1), *otlp_specs(self.names, 1)]
        self.kafka = {"bootstrap.servers": parts.broker.bootstrap}
        self.port = free_port()
        self.chance = random.Random(options.seed)
        self.expected = 0
        self.until = time.time() - TRUSTED_BACK_S

    def settings(self, **more: str) -> Mapping[str, str]:
        """Return the environment of our commands."""
        own = {"bootstrap": self.parts.broker.bootstrap, "group": self.names.group, "topic_prefix": self.names.prefix}
        own |= {"checkpoint_interval_s": "5", **more}
        return {f"DETECTOR_{name.upper()}": value for name, value in own.items()}

    def set_up(self, stack: ExitStack, collector: list[str]) -> None:
        """Make the topics, connect the machine, start Collector, bridge and edge."""
        create_topics(self.kafka, self.topics)
        machine, otlp_port, source = self.parts.machine, _free_pair(), self.program.source
        where = ["--bootstrap", self.parts.broker.bootstrap, "--topic-prefix", self.names.prefix]
        machine.connect(GATE, "--tenant", TENANT, *where, "--endpoint", f"http://127.0.0.1:{otlp_port}")
        self.say(f"connected: the files of `detector connect {source}` stand where it says, for this agent alone")
        quiet = self.parts.folder / "own-telemetry.yaml"  # its own metrics have a fixed port, which may be taken here
        quiet.write_text("service: {telemetry: {metrics: {level: none}}}\n", encoding="utf-8")
        configured = ["--config", str(machine.settings / "collector.yaml"), "--config", str(quiet)]
        started = self._started(stack, "collector", [*collector, *configured])
        started.wait_until(lambda: _is_open(otlp_port), "an open OTLP port", START_S)
        ours = [sys.executable, "-m", "detector"]
        self._started(stack, "bridge", [*ours, "otlp", "bridge"])
        edge = [*ours, "edge", "--socket", str(machine.socket), "--listen-port", "0", "--point", "edge/demo"]
        self._started(stack, "edge", edge).wait_until(machine.socket.exists, "a socket", START_S)
        self._stack = stack

    def _started(self, stack: ExitStack, name: str, words: list[str], **more: str) -> Guarded:
        return stack.enter_context(Guarded(name, words, self.parts.folder, self.settings(**more)))

    def play(self) -> AgentsSummary:
        """Return what became of the whole story."""
        told = Told(self.names, self.kafka)
        told.history_sessions, told.history_events = self._history()
        watch = Watch(self.parts.broker.bootstrap, self.names)
        try:
            for number in range(ORDINARY):
                self._session(f"ordinary-{number}", Script(self._errand()), watch)
                self.say(f"ordinary session {number + 1} has ended")
            odd = odd_act(self.parts.model.address)
            script = Script([*self._errand(), odd], goes_on_with=self.program.work.waiting, every_s=0.5)
            self.say("a session with one odd act in it: it packs the keys of its home and sends them away")
            self._session("odd", script, watch)
            told.odd(odd, script, self.parts.model.taken, self.program)
            self._say_denied(told, script)
            self._release(told, watch)
        finally:
            watch.close()
        return told.summary(self.options.seed)

    def ordinary(self, sessions: int) -> None:
        """Let the agent work ordinary sessions, as nobody's history."""
        watch = Watch(self.parts.broker.bootstrap, self.names)
        try:
            for number in range(sessions):
                self._session(f"ordinary-{number}", Script(self._errand()), watch)
                self.say(f"ordinary session {number + 1} of {sessions} has ended")
        finally:
            watch.close()

    def settle(self) -> None:
        """Return when the telemetry of ended sessions is on its topic."""
        time.sleep(SETTLED_S)  # the Collector's batch, of which nothing tells

    def _errand(self) -> list[Call]:
        return self.program.work.errand(self.chance)

    def _say_denied(self, told: Told, script: Script) -> None:
        if script.denied_at is None or "denied" not in told.at:
            self.say("  no call was denied, or none was acknowledged")
            return
        after = told.at["denied"] - told.at["act"]
        self.say(f"  denied   the agent's next call, {after:.1f} s after the end of the act; its model was told so")
        self.say(f"  acks     applied and denied stand on {self.names.acks}")

    def _history(self) -> tuple[int, int]:
        """Write and score the history; return its sessions and events."""
        sessions = read_recording(self.program.recording, self.program.session_id)
        requests = list(history(sessions, FLEET, self.until, self.options.seed))
        mapper = Mapper()
        events = sum(one.event is not None for raw in requests for one in mapper.map(read(raw)))
        self.say(
            f"history: {len(requests)} sessions of {len(FLEET.people)} people, made of {len(sessions)} recorded ones"
        )
        writer = KafkaWriter(self.parts.broker.bootstrap, self.names.otlp_logs, {"log_level": 0})
        for raw in requests:
            writer.send("", raw)
        writer.flush()
        trusted = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.until))
        words = [sys.executable, "-m", "detector", "worker", "--mode", "enforce", "--trusted-until", trusted]
        self.worker = self._started(self._stack, "worker", words, listen_port=str(self.port))
        self.worker.wait_until(lambda: is_ready(self.port), "a ready worker", WORKER_S, is_patient=True)
        self.expected = events
        self._wait_scored(SCORED_S)
        return len(requests), events

    def _session(self, name: str, script: Script, watch: Watch) -> None:
        """Run a session of the real agent, telling what comes while it runs."""
        machine, model = self.parts.machine, self.parts.model
        model.scripts[name] = script
        words = machine.words(model.base_url(name))
        alerts, commands = len(watch.facts.alerts), len(watch.facts.commands)
        end = time.monotonic() + SESSION_S
        with Guarded(f"{self.program.source}-{name}", words, self.parts.folder) as session:
            while session.is_running:
                watch.listen(0.2)
                for alert in list(watch.facts.alerts.values())[alerts:]:
                    self.say(f"  alert    {alert.agent_id} {alert.severity}, score {alert.score:.2f}: {alert.why}")
                for one in watch.facts.commands[commands:]:
                    self.say(f"  command  {one.agent_id} {one.state} {one.tier} ({one.mode})")
                alerts, commands = len(watch.facts.alerts), len(watch.facts.commands)
                if time.monotonic() > end:
                    raise SetupError(
                        f"session of {self.program.name} must end within {SESSION_S:.0f} s: {session.last_words()}"
                    )
        if not script.asked:
            raise SetupError(
                f"{self.program.name} must ask its model for something, got nothing: {session.last_words()}"
            )

    def _release(self, told: Told, watch: Watch) -> None:
        """Release the agent as a person does, and let it work again."""
        if told.agent_id:
            self.settle()  # what the session sends at its end may renew the state, and undo a release before it
            told.released = self._released(told.agent_id)
            after = Script(self._errand())
            self._session("after", after, watch)
            told.works_after = after.denied_at is None and len(after.asked) == len(after.calls)

    def _released(self, agent: str) -> bool:
        words = ["release", agent, "--by", "demo", "--reason", "the end of the story", "--tenant", TENANT]
        with Guarded("release", [sys.executable, "-m", "detector", *words], self.parts.folder, self.settings()) as one:
            end = time.monotonic() + START_S
            while one.is_running and time.monotonic() < end:
                time.sleep(0.1)  # a command of seconds: it waits for its answer itself
        self.say(f"release: {one.last_words()}")
        return " released" in f" {one.last_words()}"

    def _wait_scored(self, within_s: float) -> None:
        def is_so() -> bool:
            return figures(self.port).get("detector_records_total", 0.0) >= self.expected

        self.worker.wait_until(is_so, f"{self.expected} events scored", within_s)


def _free_pair() -> int:
    """Return a free port whose predecessor is free as well: OTLP over HTTP, and over gRPC."""
    while _is_open((port := free_port()) - 1):
        pass
    return port


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
