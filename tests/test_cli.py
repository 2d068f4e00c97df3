"""The command line as a whole: what it lists, what it loads, how it refuses."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from detector import __version__, cli
from detector.errors import ProfileError

HEAVY = ("river", "sklearn", "numba", "faust", "pandas", "scipy")


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "detector", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.integration
@pytest.mark.parametrize("args", [["--help"], *([name, "--help"] for name in cli.COMMANDS)], ids=" ".join)
def test_help_comes_without_the_heavy_libraries(args: list[str]) -> None:
    """Asking for help imports neither river nor scikit-learn, numba nor Faust."""
    script = (
        "import sys\nfrom detector.cli import main\n"
        f"try:\n    main({args!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('heavy:', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "heavy: []" in run.stdout


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_listed_command_can_be_loaded(name: str) -> None:
    """The table of commands and the modules behind it agree."""
    assert cli.load(name).name == name


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_option_says_what_it_is_for(name: str) -> None:
    """No option and no command without a line of help."""
    command = cli.load(name)
    for one in getattr(command, "commands", {"": command}).values():
        assert one.help, one.name
        silent = [option.name for option in one.params if option.name != "help" and not getattr(option, "help", None)]
        assert silent == [], one.name


def test_no_command_of_a_module_is_forgotten_in_the_table() -> None:
    """A command written but not listed would not exist for the user."""
    flat = {entry.module for entry in cli.COMMANDS.values() if not entry.is_group}
    written = {(module, name) for module in flat for name in typer.main.get_group(import_module(module).app).commands}
    assert written == {(entry.module, name) for name, entry in cli.COMMANDS.items() if not entry.is_group}


def test_the_version_is_the_packages() -> None:
    """``detector --version`` prints what the package says of itself."""
    assert CliRunner().invoke(cli.app, ["--version"]).output == f"detector {__version__}\n"


@pytest.mark.integration
def test_an_unknown_command_is_refused_with_a_near_one() -> None:
    """A typo leads to the command that was meant, with exit status 2."""
    run = _run("reply")
    assert run.returncode == 2
    assert "replay" in run.stderr


def test_a_refusal_is_one_sentence_and_exit_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error raised on purpose shows its sentence and no stack."""

    def refuse(**_: object) -> None:
        raise ProfileError("profile.toml", ["forest.trees of the profile must be 1 or more, got 0"])

    monkeypatch.setattr(cli, "app", refuse)
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert end.value.code == cli.EXIT_REFUSED
    assert capsys.readouterr().err == "detector: profile.toml: forest.trees of the profile must be 1 or more, got 0\n"


def test_a_fault_of_ours_is_not_dressed_up_as_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other error keeps its stack: it is a defect, and must look like one."""

    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main([])
