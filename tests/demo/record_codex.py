"""Records the real thing again: ``python -m tests.demo.record_codex`` writes what ``test_recorded_codex.py`` replays.

Telemetry as the Collector wrote it to Kafka, what Codex gave its hook and was answered, and what the topics said.
The gate is wrapped for it by a program that asks the real one and writes down both; settings are the printed ones.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from detector.demo.agents import FLEET, AgentScene, AgentsOptions, scene
from detector.demo.recorded import written
from detector.views.reading import TopicReader

FOLDER = Path(__file__).with_name("recorded")
SEED = 1
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
    """Play the scene and write down what came of it."""
    FOLDER.mkdir(exist_ok=True)
    with scene(AgentsOptions(seed=SEED), print) as one:
        gate, real = one.parts.machine.gate, one.parts.machine.gate.with_name("real_gate.py")
        log = one.parts.machine.folder / "hooks.jsonl"
        shutil.copy(gate, real)
        gate.write_text(WRAPPER.format(real=str(real), log=str(log)), encoding="utf-8")
        summary = one.play()
        if summary.failures:
            raise SystemExit(f"nothing is recorded: {'; '.join(summary.failures)}")
        hooks = log.read_text(encoding="utf-8").replace(str(one.parts.machine.folder), "/machine")
        (FOLDER / "codex-hooks.jsonl").write_text(hooks, encoding="utf-8")
        sessions = len(FLEET.people) * FLEET.days * FLEET.sessions
        written(_values(one, one.names.otlp_logs)[sessions:], FOLDER / "codex-live.otlp.gz")
        acks = [json.loads(value) for value in _values(one, one.names.acks)]
        facts = {"seed": SEED, "until": one.until, "summary": summary.as_dict(), "acks": acks}
        (FOLDER / "codex.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _values(one: AgentScene, topic: str) -> list[bytes]:
    with TopicReader(one.kafka, topic) as reader:
        return [record.value for record in reader.to_the_end()]


if __name__ == "__main__":
    main()
