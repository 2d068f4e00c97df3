"""The commands of ``detector otlp``: explain what becomes of telemetry, list what is known, bridge it to events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.errors import SetupError

app = typer.Typer(no_args_is_help=True, help="OpenTelemetry in: explain records, list sources, bridge them to events.")

Tables = Annotated[
    Path | None,
    typer.Option("--tables", help="Folder of mapping tables of your own, before the shipped ones.", file_okay=False),
]


@app.command("explain")
def explain(
    file: Annotated[Path, typer.Argument(help="OTLP logs or spans, protobuf or JSON; - for stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a record instead of a table.")] = False,
    tables: Tables = None,
) -> None:
    """Show record by record what becomes of a file of OpenTelemetry, and why.

    Each record is an event or has a reason; the counts by source, name and reason add up to the records.
    """
    from rich.console import Console

    from detector.otlp import explain as page
    from detector.otlp.tables import read_folder

    try:
        raw = typer.get_binary_stream("stdin").read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise SetupError(
            f"FILE of otlp explain must be a file that can be read, got {file}: {error.strerror}"
        ) from None
    verdicts = page.explain(raw, None if tables is None else read_folder(tables))
    if as_json:
        for line in page.lines(verdicts):
            typer.echo(line)
        return
    console = Console()
    console.print(page.table_of(verdicts))
    console.print(page.counts_table(verdicts))


@app.command("sources")
def sources(tables: Tables = None) -> None:
    """List the sources that are known: version, what it is, where that was learned."""
    from detector.otlp.tables import Match, read_folder, shipped

    for table in shipped() if tables is None else read_folder(tables):
        if table.match != Match():
            typer.echo(f"{table.source:18} v{table.version}  {table.about}\n{'':18}     from: {table.citation}")


@app.command("bridge")
def bridge(
    name: Annotated[str, typer.Option(help="Of this bridge: another one for each that runs beside it.")] = "0",
    tables: Tables = None,
    bootstrap: Annotated[
        str | None, typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)")
    ] = None,
    topic_prefix: Annotated[str | None, typer.Option(help="Stands before every topic name.")] = None,
    group: Annotated[
        str | None, typer.Option(help="The worker's group; the bridge's is this with .otlp behind.")
    ] = None,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="Make otlp.spans and otlp.logs where they are missing.")
    ] = False,
    metrics_port: Annotated[int, typer.Option(min=0, help="Port for Prometheus; 0 for none.")] = 0,
) -> None:
    """Turn telemetry on Kafka into agent events, until stopped with SIGTERM or Ctrl-C.

    Reads otlp.spans and otlp.logs as the Collector's kafka exporter writes them (protobuf or JSON, any key), writes
    agent.events keyed by agent and, of what cannot be read, agent.deadletter. Events and offsets are one transaction:
    killed at any moment, each record becomes its events once for readers of committed records; others may see what an
    aborted transaction held, which a worker drops as repeats. Brokers and credentials are the worker's settings.
    """
    import signal
    import threading

    from prometheus_client import start_http_server

    from detector.bridge.run import BridgeOptions, run_bridge
    from detector.otlp.tables import read_folder
    from detector.worker.clients import confluent_options
    from detector.worker.log_setup import set_up_logging
    from detector.worker.settings import load_settings
    from detector.worker.topics import create_topics as make
    from detector.worker.topics import otlp_specs

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix, "group": group})
    set_up_logging(settings.log_level, is_json=settings.log_json)
    kafka = confluent_options(settings)
    if create_topics:
        make(kafka, otlp_specs(settings.topics))
    if metrics_port:
        start_http_server(metrics_port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    own = None if tables is None else read_folder(tables)
    run_bridge(kafka, BridgeOptions(settings.topics, name, own, settings.session_timeout_s), stop)
