"""The command ``detector backfill``: session files of coding agents become events; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

WHO = "Who the agent is"
WHICH = "Which events"
OUT = "Where they go"
KAFKA = "Kafka"


@app.command("backfill")
def backfill(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, and folders that are gone through to the bottom.")
    ],
    agent_id: Annotated[
        str | None, typer.Option(help="The agent of all events, as agent.id would say it.", rich_help_panel=WHO)
    ] = None,
    resource: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE,...",
            help="What OTEL_RESOURCE_ATTRIBUTES says at the agent: enduser.id=ada,tenant=acme. May be repeated.",
            rich_help_panel=WHO,
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="First time that is wanted, like 2026-03-02T08:00:00Z.", rich_help_panel=WHICH)
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="First time that is not: when telemetry began.", rich_help_panel=WHICH)
    ] = None,
    known: Annotated[
        list[Path] | None,
        typer.Option(
            help="Events that came by telemetry, as they are or as `detector otlp explain --json` writes them: "
            "those of the same id are left out. May be repeated.",
            rich_help_panel=WHICH,
        ),
    ] = None,
    like_telemetry: Annotated[
        bool,
        typer.Option(
            "--like-telemetry",
            help="No arguments, so no targets, of Gemini CLI and Copilot: their telemetry has none with content off.",
            rich_help_panel=WHICH,
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write events, one JSON object a line; - for standard output.", rich_help_panel=OUT),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The summary as JSON, with every file.", rich_help_panel=OUT)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.", rich_help_panel=OUT)] = False,
    bootstrap: Annotated[
        str | None,
        typer.Option(
            "--bootstrap",
            "--bootstrap-servers",
            help="Write to Kafka too, keyed by agent: brokers, host:port, comma-separated.",
            rich_help_panel=KAFKA,
        ),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Topic of the events. (default: agent.events)", rich_help_panel=KAFKA)
    ] = None,
    topic_prefix: Annotated[
        str | None, typer.Option(help="Stands before the default topic's name.", rich_help_panel=KAFKA)
    ] = None,
) -> None:
    """Turn what coding agents wrote down of their sessions into events, so that a baseline exists on day one.

    Reads the session files of Claude Code (~/.claude/projects), Codex (~/.codex/sessions), Gemini CLI (~/.gemini/tmp)
    and Copilot CLI (~/.copilot/session-state), told by what stands in them; other files are passed over. Without --out
    and --bootstrap nothing is written but the summary: look first. Prompts, answers and outputs never come out. Events
    are in the order of their times; the same files give the same bytes. Brokers' credentials are the worker's settings.

    The summary goes to standard error where events go to standard output. Exit status: 0; 1 if there was no event; 2 if
    something was refused.
    """
    from detector.backfill.options import asked_of, opened, put, wanted_of, watched, write
    from detector.backfill.run import Backfill

    asked, wanted = asked_of(agent_id, resource or [], like_telemetry), wanted_of(since, until, known or [])
    with Backfill(asked, wanted) as run, opened(out) as file:
        with watched(paths, is_shown=not quiet) as progress:
            report = run.read(paths, progress)
        if file is not None:
            put(run.events(), file, run)
        if bootstrap is not None:
            write(run.events(), bootstrap, topic, topic_prefix)
    is_stdout_taken = out is not None and str(out) == "-"
    for line in [report.json()] if as_json else report.page(out, is_in_kafka=bootstrap is not None):
        typer.echo(line, err=is_stdout_taken)
    if not report.events:
        raise typer.Exit(1)
