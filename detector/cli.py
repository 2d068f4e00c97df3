"""The command line: one table of commands, each loaded only when it is called.

River, scikit-learn, numba and Faust take seconds to import, so ``detector --help`` imports
none of them: it reads the table below, and a command's module is imported when that command runs.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from detector import __version__
from detector.errors import DetectorError

EXIT_REFUSED = 2
"""Exit status when an input, a profile, a setting or the machine was refused."""


class CommandEntry(NamedTuple):
    """Where a command lives, and the line that stands for it in the help."""

    module: str
    """Module with a ``typer.Typer()`` named ``app``."""
    help: str
    """One line, as the user reads it."""
    is_group: bool = False
    """True if the whole ``app`` is mounted under the name, False for one command of it."""


COMMANDS: dict[str, CommandEntry] = {
    "demo": CommandEntry("detector.demo.commands", "Watch a fleet, an attack, and the detector catching it."),
    "worker": CommandEntry("detector.worker.commands", "Score agent events from Kafka; write alerts and commands."),
    "topics": CommandEntry("detector.worker.commands", "Make the Kafka topics a deployment needs."),
    "doctor": CommandEntry("detector.worker.commands", "Say what is wrong with a deployment, and what to do."),
    "worker-settings": CommandEntry("detector.worker.commands", "List every setting of the worker and its variable."),
    "connect": CommandEntry(
        "detector.connect.commands", "Print what to set at a coding agent or gateway, and check that it arrives."
    ),
    "edge": CommandEntry("detector.edge.commands", "Carry out quarantines at the coding agents of this machine."),
    "status": CommandEntry("detector.views.commands", "Show the state of a deployment on one page."),
    "alerts": CommandEntry("detector.views.commands", "Show alerts by incident, and what to type next."),
    "graph": CommandEntry("detector.views.commands", "Draw who called whom around a finding."),
    "deadletters": CommandEntry("detector.views.commands", "Show refused records by reason, and what to do."),
    "siem": CommandEntry("detector.desk.commands", "Send alerts from Kafka to a SIEM, as OCSF or ECS."),
    "release": CommandEntry("detector.desk.commands", "Lift an agent's quarantine, with a name and a reason."),
    "verdict": CommandEntry("detector.desk.commands", "Say what a finding was: an attack, harmless, or safe to learn."),
    "closing": CommandEntry("detector.desk.commands", "Hand over cases that a SIEM closed, as verdicts."),
    "suppress": CommandEntry(
        "detector.desk.suppress", "Say what is not to be told for a time, and who answers for it.", is_group=True
    ),
    "suppressions": CommandEntry("detector.views.commands", "Show suppressions, and what each of them hid."),
    "journal": CommandEntry("detector.desk.commands", "Write where verdicts took effect to files, for a replay."),
    "registry": CommandEntry(
        "detector.registry.commands", "Keep the inventory of agents: who they are, what they may do.", is_group=True
    ),
    "replay": CommandEntry("detector.offline.commands", "Score recorded events without a broker."),
    "evaluate": CommandEntry("detector.offline.commands", "Measure detection on a labelled stream."),
    "simulate": CommandEntry("detector.demo.simulating", "Write a made-up fleet's events, with labelled attacks."),
    "otlp": CommandEntry(
        "detector.bridge.commands", "Take OpenTelemetry in: explain records, bridge them to events.", is_group=True
    ),
    "backfill": CommandEntry("detector.backfill.commands", "Turn coding agents' session files into events."),
    "profile": CommandEntry("detector.profile.commands", "List, show, lint and lock profiles.", is_group=True),
    "cases": CommandEntry(
        "detector.checks.commands", "Run the cases of a profile: what must alert, what must stay quiet."
    ),
    "forest": CommandEntry("detector.scorers.commands", "Fit and show isolation forests.", is_group=True),
    "kernels": CommandEntry("detector.worker.commands", "Compile the kernels, so that nothing waits for it later."),
    "broker": CommandEntry("detector.demo.commands", "Run a local one-node Kafka until interrupted."),
}


class LazyGroup(TyperGroup):
    """A group whose commands are listed from :data:`COMMANDS` and imported when called."""

    def __init__(self, **attrs: Any) -> None:  # noqa: ANN401 - handed on to typer as they come
        # stand-ins carry the name and the help line, which is all that help and suggestions need
        attrs["commands"] = {name: TyperCommand(name=name, help=entry.help) for name, entry in COMMANDS.items()}
        super().__init__(**attrs)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401
        """Return the real command; this is where its module is imported."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        command = stand_in if name is None else load(name)
        return name, command, rest


def load(name: str) -> Any:  # noqa: ANN401 - typer keeps its command class private
    """Return the command called `name`, importing its module.

    Raises
    ------
    KeyError
        If the table has no such command, or its module does not define it.
    """
    entry = COMMANDS[name]
    group = typer.main.get_group(import_module(entry.module).app)
    if entry.is_group:
        group.name = name
        group.no_args_is_help = True
        return group
    return group.commands[name]


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"detector {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and leave.", callback=_print_version, is_eager=True
    ),
) -> None:
    """Find, explain and contain AI agents that stop behaving like themselves."""
    del version


def main(args: list[str] | None = None) -> None:
    """Run the command line; exit 2 with one sentence on a refusal, 1 on a failed check.

    Parameters
    ----------
    args : list of str, optional
        Arguments without the program's name; the process's own if left out.
    """
    try:
        app(args=args, prog_name="detector")
    except DetectorError as error:
        typer.echo(f"detector: {error}", err=True)
        sys.exit(EXIT_REFUSED)
    except BrokenPipeError:
        # the reader of a pipe has left (`| head`): not our failure, and nothing to say to it
        sys.stderr.close()
        sys.exit(0)
