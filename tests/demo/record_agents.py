"""Records the real programs again: ``python -m tests.demo.record_agents codex`` or ``gemini-cli``.

What ``test_recorded_agents.py`` replays: telemetry as the Collector wrote it to Kafka, what the program gave its hook
and was answered, and what the topics said. The gate is wrapped for it by a program that asks the real one and writes
down both; settings are the printed ones. With ``--baseline N`` so many ordinary sessions instead, which the demo makes
its history of.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from detector.demo.agents import FLEET, PROGRAMS, AgentScene, AgentsOptions, scene
from detector.demo.recorded import written
from detector.views.reading import TopicReader

FOLDER = Path(__file__).with_name("recorded")
SEED = 1
BASELINE_SEED = 101
"""Of the errands of ordinary days: other ones than a demo is likely to play."""
WRAPPER = """\
import json, os, subprocess, sys
raw = sys.stdin.buffer.read()
ran = subprocess.run([sys.executable, "-I", "-S", {real!r}, *sys.argv[1:]], input=raw, capture_output=True)
line = {{"input": json.loads(raw), "options": sys.argv[1:], "status": ran.returncode, "stdout": ran.stdout.decode(),
        "resource": os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")}}
with open({log!r}, "a") as file:
    file.write(json.dumps(line) + "\\n")
sys.stdout.buffer.write(ran.stdout)
sys.stderr.buffer.write(ran.stderr)
sys.exit(ran.returncode)
"""


def main() -> None:
    """Play the scene, or ordinary days, and write down what came of it."""
    asked = argparse.ArgumentParser(description=main.__doc__)
    asked.add_argument("program", choices=PROGRAMS)
    asked.add_argument("--baseline", type=int, default=0, metavar="N", help="ordinary sessions to record instead")
    options = asked.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with scene(AgentsOptions(options.program, seed=BASELINE_SEED if options.baseline else SEED), print) as one:
        if options.baseline:
            one.ordinary(options.baseline)
            one.settle()
            written(_values(one, one.names.otlp_logs), one.program.recording)
        else:
            _record_story(one)


def _record_story(one: AgentScene) -> None:
    name, machine = one.program.source, one.parts.machine
    real, log = machine.gate.with_name("real_gate.py"), machine.folder / "hooks.jsonl"
    shutil.copy(machine.gate, real)
    machine.gate.write_text(WRAPPER.format(real=str(real), log=str(log)), encoding="utf-8")
    summary = one.play()
    if summary.failures:
        raise SystemExit(f"nothing is recorded: {'; '.join(summary.failures)}")
    one.settle()
    hooks = log.read_text(encoding="utf-8").replace(str(machine.folder), "/machine")
    (FOLDER / f"{name}-hooks.jsonl").write_text(hooks, encoding="utf-8")
    sessions = len(FLEET.people) * FLEET.days * FLEET.sessions
    written(_values(one, one.names.otlp_logs)[sessions:], FOLDER / f"{name}-live.otlp.gz")
    acks = [json.loads(value) for value in _values(one, one.names.acks)]
    facts = {"seed": SEED, "until": one.until, "summary": summary.as_dict(), "acks": acks}
    (FOLDER / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _values(one: AgentScene, topic: str) -> list[bytes]:
    with TopicReader(one.kafka, topic) as reader:
        return [record.value for record in reader.to_the_end()]


if __name__ == "__main__":
    main()
