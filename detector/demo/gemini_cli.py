"""Gemini CLI: what the demo must know of it.

With prompts off its telemetry says which tool was called and how much came back, never with what. So its ordinary days
are those of an agent that reads and writes by the program's own file tools, and its odd act is that it opens a shell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from detector.demo.dialects import SHELL, Call, GenerateContent
from detector.demo.errands import PROJECT
from detector.demo.program import Program, Session, Work
from detector.local.programs import gemini_command

MODEL: Final = "gemini-2.5-flash"
"""A model by name, so that the program does not first ask another one which to take."""


def _read(path: str) -> Call:
    return Call("read_file", {"file_path": path})


def _write(path: str, content: str) -> Call:
    return Call("write_file", {"file_path": path, "content": content})


WORK: Final = Work(
    looking=tuple(map(_read, PROJECT)),
    working=(
        _write("notes.md", "- rounding\n- done\n"),
        _write("docs/usage.md", "# Usage\n\nGive it a file with a number a line.\n"),
        _write("docs/rounding.md", "# Rounding\n\nTo whole numbers, half to even.\n"),
    ),
    waiting=(_read("README.md"), _read("notes.md")),
)
"""Two tools only: then two dozen recorded sessions hold every habit. With five, an order of three calls that none of
them happened to hold would be as strange as a shell: of a call nothing but its tool is seen."""
HOME: Final = {
    ".gemini/settings.json": json.dumps(
        {
            "general": {"enableAutoUpdate": False},
            "privacy": {"usageStatisticsEnabled": False},
            "security": {"auth": {"selectedType": "gemini-api-key"}},
        }
    )
}
"""How the user signs in, and that nothing is sent anywhere else."""


def _session(base_url: str, prompt: str) -> Session:
    options = ["-m", MODEL, "--approval-mode", "yolo", "--skip-trust", "-p", prompt]
    return Session(options, {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": base_url})


def _is_act(event: Mapping[str, Any], call: Call) -> bool:
    return call.tool == SHELL and event.get("name") == GenerateContent.SHELL_NAME


GEMINI_CLI: Final = Program(
    source="gemini-cli",
    name="Gemini CLI",
    command=gemini_command,
    places={"/etc/gemini-cli/": "etc/gemini-cli", "/etc/profile.d/": "etc/profile.d"},
    session=_session,
    dialect=GenerateContent(),
    work=WORK,
    recording=Path(__file__).with_name("gemini-cli-baseline.otlp.gz"),
    session_id="session.id",
    is_act=_is_act,
    sees_commands=False,
    home=HOME,
)
