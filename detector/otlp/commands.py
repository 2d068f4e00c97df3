"""The commands of ``detector otlp``: explain what becomes of telemetry, and list what is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.errors import SetupError

app = typer.Typer(no_args_is_help=True, help="OpenTelemetry in: explain what becomes of each record.")

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
