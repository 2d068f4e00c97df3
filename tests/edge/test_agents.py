"""The real programs, unmodified, with the settings of `detector connect`: a call runs or is denied, as the policy says.

DETECTOR_AGENTS names a folder with the commands claude, codex, gemini and copilot (``node_modules/.bin``); without it
Codex CLI is the pinned one, where Node.js is there, and the others are skipped aloud. A stand-in on loopback is the
model; no account, no key.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from detector.edge.connect import plan_of
from detector.errors import SetupError
from detector.local.programs import codex_command
from tests.edge.stand_in_model import StandInModel, stand_in_model
from tests.edge.states import record, state
from tests.edge.test_connect import VALUES
from tests.edge.test_gate_process import serving
from tests.project.sources import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]

USER = pwd.getpwuid(os.getuid()).pw_name


class Home(NamedTuple):
    """A home folder for one run, the commands, and the gate that hooks call."""

    folder: Path
    commands: Path
    gate: Path

    def setting(self, source: str, name: str) -> str:
        """Return a file of `detector connect` as it is printed, but for where this run's socket is."""
        plan = plan_of(source, {**VALUES, "gate": str(self.gate), "tenant": "default"})
        text = next(one.text for one in plan.files if one.name == name)
        assert " --tenant default ||" in text
        return text.replace(" --tenant default ||", f" --tenant default --socket {self.folder / 's'} ||")


Prepared = tuple[list[str], dict[str, str]]


def _claude(home: Home, model: StandInModel) -> Prepared:
    settings = home.folder / "settings.json"
    settings.write_text(home.setting("claude-code", "managed-settings.json"))
    quiet = {"DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    words = ["claude", "-p", "go", "--settings", str(settings), "--allowedTools", "Bash"]
    return words, {"ANTHROPIC_BASE_URL": model.address, "ANTHROPIC_API_KEY": "none", **quiet}


def _codex(home: Home, model: StandInModel) -> Prepared:
    # requirements.toml is a file of the machine; its hooks are read from a user's file in the same form
    pinned = home.setting("codex", "requirements.toml")
    folder = home.folder / ".codex"
    folder.mkdir()
    provider = f'name = "m"\nbase_url = "{model.address}/v1"\nwire_api = "responses"\nenv_key = "NO_KEY"\n'
    head = f'model = "m"\nmodel_provider = "m"\n[model_providers.m]\n{provider}'
    (folder / "config.toml").write_text(head + pinned[pinned.index("[[hooks.PreToolUse]]") :])
    words = ["codex", "exec", "--skip-git-repo-check", "-s", "danger-full-access", "--dangerously-bypass-hook-trust"]
    return [*words, "go"], {"CODEX_HOME": str(folder), "NO_KEY": "none"}


def _gemini(home: Home, model: StandInModel) -> Prepared:
    system, user = home.folder / "system.json", home.folder / ".gemini"
    settings = json.loads(home.setting("gemini-cli", "settings.json"))
    settings["telemetry"]["enabled"] = False  # nobody listens here
    system.write_text(json.dumps(settings))
    user.mkdir()
    (user / "settings.json").write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}')
    words = ["gemini", "-p", "go", "--approval-mode", "yolo", "--skip-trust"]
    of_model = {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": model.address}
    return words, {**of_model, "GEMINI_CLI_SYSTEM_SETTINGS_PATH": str(system)}


def _copilot(home: Home, model: StandInModel) -> Prepared:
    hooks = home.folder / ".copilot" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "detector.json").write_text(home.setting("copilot", "hooks.json"))
    of_model = {"COPILOT_PROVIDER_BASE_URL": f"{model.address}/v1", "COPILOT_PROVIDER_API_KEY": "none"}
    return ["copilot", "-p", "go", "--allow-all-tools", "--allow-all-paths"], {
        **of_model,
        "COPILOT_MODEL": "gpt-4",
        "COPILOT_OFFLINE": "true",
    }


AGENTS: dict[str, Callable[[Home, StandInModel], Prepared]] = {
    "claude-code": _claude,
    "codex": _codex,
    "gemini-cli": _gemini,
    "copilot-cli": _copilot,
}


def _commands() -> Path:
    """Return the folder of the agents' commands: the one that is named, else that of the pinned Codex CLI."""
    named = os.environ.get("DETECTOR_AGENTS")
    if named:
        return Path(named)
    try:
        program = codex_command(print)[1]
    except SetupError as why:
        if os.environ.get("REQUIRE_AGENTS"):
            raise
        pytest.skip(f"needs real coding agents: DETECTOR_AGENTS names no folder of their commands, and {why}")
    return Path(program).parents[3] / ".bin"


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Return a folder whose parents nobody else may write: Gemini CLI passes over system settings in any other."""
    commands = _commands()
    folder = Path.home() / f".detector-agents-{os.getpid()}"
    folder.mkdir(mode=0o700)
    gate = tmp_path_factory.mktemp("gate") / "detector_gate.py"
    shutil.copy(ROOT / "detector_gate.py", gate)
    try:
        yield Home(folder, commands, gate)
    finally:
        shutil.rmtree(folder)


def _run(home: Home, product: str) -> tuple[bool, str]:
    """Return whether the agent's shell command ran, and everything its model was told."""
    ran = home.folder / "ran"
    with stand_in_model(f"touch {ran}") as model:
        words, own = AGENTS[product](home, model)
        if not (home.commands / words[0]).exists():
            pytest.skip(f"no {words[0]} in {home.commands}")
        environment = {"PATH": os.environ["PATH"], "HOME": str(home.folder), "TERM": "dumb", "CI": "1", **own}
        work = home.folder / "work"
        work.mkdir()
        done = subprocess.run(
            [str(home.commands / words[0]), *words[1:]],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
        return ran.exists(), model.told


@pytest.mark.parametrize("product", AGENTS)
def test_a_call_of_an_agent_that_nothing_binds_runs(home: Home, product: str) -> None:
    """The harmless twin: another agent is contained, this one works on, and its user is asked as before."""
    with serving(home.folder):
        ran, told = _run(home, product)
    assert ran
    assert "Denied" not in told


@pytest.mark.parametrize("product", AGENTS)
def test_a_call_of_a_contained_agent_does_not_run_and_its_model_is_told(home: Home, product: str) -> None:
    """Contained as PRODUCT/USER, with no other setting than the printed ones."""
    command = state(subject=f"default/agent/{product}/{USER}")
    with serving(home.folder) as point:
        point.heard(*record(command))
        ran, told = _run(home, product)
    assert not ran
    assert f"command {command.command_id}" in told


@pytest.mark.parametrize("product", AGENTS)
def test_without_the_service_no_call_runs(home: Home, product: str) -> None:
    """Fail closed, in each program, by the status that denies in all of them."""
    ran, told = _run(home, product)
    assert not ran
    # Copilot CLI tells its model that a hook denied, and not what stood on standard error
    assert ("Denied" if product == "copilot-cli" else "does not answer") in told


@pytest.mark.parametrize("product", AGENTS)
def test_without_the_gate_no_call_runs(home: Home, product: str) -> None:
    """The file that hooks call is gone: the interpreter's own status would let the call proceed in three of four."""
    home.gate.unlink()
    with serving(home.folder):
        ran, _ = _run(home, product)
    assert not ran
