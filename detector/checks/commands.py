"""``detector cases``: run the cases of a profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.profile.load import DEFAULT

app = typer.Typer(no_args_is_help=False)


@app.callback()
def _group() -> None:
    """Check a profile by what it must and must not alert on."""


@app.command()
def cases(
    name: Annotated[str, typer.Argument(help="Name and version, for example default/v1.")] = DEFAULT,
    models: Annotated[
        Path | None,
        typer.Option("--models", help="Models folder; without it the one that is shipped.", file_okay=False),
    ] = None,
) -> None:
    """Run a profile's cases; exit status 1 if one does not hold."""
    from detector.checks.cases import cases_folder, run_cases
    from detector.kernels import notice_on_stderr
    from detector.profile.load import load_profile

    with notice_on_stderr():
        results = run_cases(load_profile(name, models), cases_folder(name, models))
    for result in results:
        scores = [alert.score for alert in result.alerts if alert.score is not None]
        found = f"{scores[0]:.2f}" if scores else "rule" if result.alerts else "-"
        typer.echo(f"{'fails' if result.faults else 'holds':6} {result.expect:6} score {found:>6}  {result.case}")
        for fault in result.faults:
            typer.echo(f"       {fault}")
    if not results:
        typer.echo(f"{name} has no cases: write some, see models/profiles/README.md")
    if any(result.faults for result in results):
        raise typer.Exit(1)
