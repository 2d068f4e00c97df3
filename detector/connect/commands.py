"""The command `detector connect`; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from detector.errors import SetupError

app = typer.Typer(rich_markup_mode="markdown")

KAFKA = "Kafka"
CHECK = "With --check"


@app.command("connect")
def connect(
    source: Annotated[
        Literal["claude-code", "codex", "copilot", "gemini-cli", "litellm", "agentgateway", "envoy", "collector"],
        typer.Argument(help="What is to be connected."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; without it they are printed.", file_okay=False)
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="The Collector's OTLP/HTTP address; its port for gRPC is the one before.")
    ] = "http://127.0.0.1:4318",
    gate: Annotated[
        str, typer.Option(help="Where the file detector_gate.py stands on the agents' machines.")
    ] = "/opt/detector/detector_gate.py",
    tenant: Annotated[str, typer.Option(help="Tenant of the agents.")] = "default",
    ext_authz: Annotated[
        str, typer.Option(help="Where `detector edge --ext-authz` answers gateways.")
    ] = "127.0.0.1:9466",
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Wait for the first events of the source, and say what arrives.", rich_help_panel=CHECK
        ),
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(help="Recorded OTLP (or native events) instead of Kafka.", dir_okay=False, rich_help_panel=CHECK),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1.0, help="Seconds to wait for the first record.", rich_help_panel=CHECK)
    ] = 300.0,
    gather: Annotated[
        float, typer.Option(min=0.0, help="Seconds to look on after the first.", rich_help_panel=CHECK)
    ] = 15.0,
    since: Annotated[
        float, typer.Option(min=0.0, help="Minutes back from which records count.", rich_help_panel=CHECK)
    ] = 15.0,
    as_json: Annotated[bool, typer.Option("--json", help="What arrives as JSON.", rich_help_panel=CHECK)] = False,
    tables: Annotated[
        Path | None,
        typer.Option(
            help="Folder of mapping tables of your own, before the shipped ones.",
            file_okay=False,
            rich_help_panel=CHECK,
        ),
    ] = None,
    bootstrap: Annotated[
        str | None,
        typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)", rich_help_panel=KAFKA),
    ] = None,
    topic_prefix: Annotated[
        str | None, typer.Option(help="Stands before every topic name.", rich_help_panel=KAFKA)
    ] = None,
) -> None:
    """Print what to set, so that an agent or gateway is seen, and can be stopped where it has a hook.

    Managed settings with tool details on and content off, the Collector that takes out what is sent all the same, the
    least rights on Kafka, and what will not be seen. Nothing is changed anywhere; --out writes files to copy.

    With --check it prints none of that: it waits for the first events of the source (otlp.logs and otlp.spans through
    the mapping, and agent.events), and says which native fields arrive, what agents are named from, which detections
    have what they need, and what to switch on for the others. Exit status 1 if nothing of the source became an event.
    """
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    if check or file is not None:
        if out is not None:
            raise SetupError(f"out of connect must be left out with --check, which writes no files, got {out}")
        found = _of_file(source, file, tables) if file is not None else None
        looked = found or _of_kafka(source, settings, (since, timeout, gather), tables)
        raise typer.Exit(_told(looked, as_json=as_json))
    from detector.edge.connect import plan_of, text_of, write_plan
    from detector.worker.rights import COMPONENTS, grants, topic_rights

    logs, spans = (f"{settings.topic_prefix}otlp.{kind}" for kind in ("logs", "spans"))
    values = {"brokers": settings.bootstrap, "endpoint": endpoint, "gate": gate, "tenant": tenant, "authz": ext_authz}
    plan = plan_of(source, {**values, "logs": logs, "spans": spans})
    rights = grants(settings.bootstrap, "User:collector", [*topic_rights(logs, "Write"), *topic_rights(spans, "Write")])
    if plan.has_gate:
        enforcing = next(one for one in COMPONENTS if one.name == "gateway")
        rights += grants(settings.bootstrap, "User:gateway", enforcing.rights(settings.topics))
    if out is not None:
        for path in write_plan(plan, out):
            typer.echo(f"written   {path}", err=True)
    typer.echo(text_of(plan, rights, with_files=out is None))


def _of_file(source: str, file: Path, tables: Path | None) -> Any:  # noqa: ANN401 - a check, whose module is heavy
    """Return the check of a file: telemetry through the mapping, or native events as they stand."""
    from detector.connect.check import SourceCheck
    from detector.connect.recorded import take_file
    from detector.otlp.tables import read_folder

    return take_file(SourceCheck(source), file, None if tables is None else read_folder(tables))


def _of_kafka(
    source: str,
    settings: Any,  # noqa: ANN401 - the same
    times: tuple[float, float, float],
    tables: Path | None,
) -> Any:  # noqa: ANN401 - the same
    """Return the check of what is on Kafka, waited for: `times` are minutes back, seconds to wait, and to look on."""
    import time

    from detector.connect.check import SourceCheck
    from detector.connect.watching import ArrivalOptions, SourceWatch
    from detector.otlp.tables import read_folder
    from detector.worker.clients import confluent_options

    own = None if tables is None else read_folder(tables)
    options = ArrivalOptions(time.time() - 60.0 * times[0], times[1], times[2], own)
    watch = SourceWatch(confluent_options(settings), settings.topics, SourceCheck(source))
    return watch.run(options, lambda text: typer.echo(text, err=True))


def _told(check: Any, *, as_json: bool) -> int:  # noqa: ANN401 - the same
    """Print what was found; return the exit status."""
    import json

    from rich.console import Console

    from detector.connect.shown import page_of

    if as_json:
        typer.echo(json.dumps(check.as_dict(), indent=1))
    else:
        console = Console()
        for part in page_of(check):
            console.print(part)
    return 0 if check.events else 1
