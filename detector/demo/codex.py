"""Codex CLI: what the demo must know of it.

Its telemetry says what a shell command was; so its odd act shows by the targets it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from detector.demo.dialects import COMMAND, Call, Responses, shell
from detector.demo.program import Program, Session, Work
from detector.local.programs import codex_command

LOOKING: Final = (
    "ls -la",
    "ls src tests",
    "cat README.md",
    "cat src/app.py",
    "cat src/read.py",
    "cat tests/test_app.py",
    "sed -n '1,40p' src/app.py",
    "grep -rn total src",
    "grep -rn bills src tests",
    "find . -name '*.py'",
    "wc -l src/app.py",
    "head -n 20 notes.md",
)
WORKING: Final = (
    "python3 -m py_compile src/app.py",
    "python3 -m py_compile src/read.py",
    "python3 -c 'from src.app import total; assert total([1, 2]) == 3'",
    "echo '- done' >> notes.md",
)
WAITING: Final = ("ls src tests",)


def _session(base_url: str, prompt: str) -> Session:
    provider = f'{{name="scripted",base_url="{base_url}",wire_api="responses",env_key="NO_KEY"}}'
    chosen = ["-c", 'model="scripted"', "-c", 'model_provider="scripted"']
    chosen += ["-c", f"model_providers.scripted={provider}"]
    options = ["exec", "--skip-git-repo-check", "-s", "danger-full-access", *chosen, prompt]
    return Session(options, {"NO_KEY": "none"})


def _is_act(event: Mapping[str, Any], call: Call) -> bool:
    return call.arguments.get(COMMAND, "").startswith(event.get("target") or "?")


CODEX: Final = Program(
    source="codex",
    name="Codex CLI",
    command=codex_command,
    places={"/etc/codex/": "etc/codex", "/etc/profile.d/": "etc/profile.d"},
    session=_session,
    dialect=Responses(),
    work=Work(*(tuple(map(shell, one)) for one in (LOOKING, WORKING, WAITING))),
    recording=Path(__file__).with_name("codex-baseline.otlp.gz"),
    session_id="conversation.id",
    is_act=_is_act,
    sees_commands=True,
)
