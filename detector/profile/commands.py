"""The commands of ``detector profile``: list, show, lint, new and lock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from detector.errors import ArtifactError, ProfileError
from detector.profile import catalog
from detector.profile.lint import lint as lint_profile
from detector.profile.lint import row_bytes
from detector.profile.load import DEFAULT, list_profiles, load_profile, models_folder
from detector.profile.versions import new_version

app = typer.Typer(no_args_is_help=True, help="List, show, lint and lock profiles.")

Models = Annotated[
    Path | None, typer.Option("--models", help="Models folder; without it the one that is shipped.", file_okay=False)
]
Named = Annotated[str, typer.Argument(help="Name and version, for example default/v1.")]


@app.command("list")
def list_(models: Models = None) -> None:
    """List the profiles with their status, owner and budget."""
    for name in list_profiles(models):
        try:
            profile = load_profile(name, models)
        except ProfileError as error:
            typer.echo(f"{name:24} refused       {error.faults[0]}")
            continue
        identity, budget = profile.profile, profile.budget
        typer.echo(
            f"{name:24} {identity.status:13} {profile.response.mode:8} "
            f"alerts {budget.alerts:.2%}, quarantine {budget.quarantine:.2%} of sessions; {identity.owner}"
        )


@app.command()
def show(
    name: Named = DEFAULT,
    models: Models = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of sections.")] = False,
) -> None:
    """Show every value of a profile, defaults included."""
    profile = load_profile(name, models)
    if as_json:
        typer.echo(profile.model_dump_json(indent=2))
        return
    classes = [("[class]", one.model_dump(exclude_none=True)) for one in profile.classes]
    for section, values in (*profile.model_dump(exclude={"classes"}).items(), *classes):
        typer.echo(f"[{section}]")
        for field, value in values.items():
            typer.echo(f"{field} = {_toml(value)}")
        typer.echo("")
    typer.echo(f"# an agent is limited from score {profile.limit_score:.3f}, isolated from {profile.isolate_score:.3f}")
    for of_class, ladder in profile.levels.classes.items():
        typer.echo(f"# of class {of_class}: from {ladder.limit:.3f}, {ladder.isolate:.3f}, at most {ladder.most}")


@app.command()
def lint(
    name: Named = DEFAULT,
    models: Models = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
) -> None:
    """Say what is wrong with a profile; exit status 1 if it is refused."""
    try:
        profile = load_profile(name, models)
        issues = lint_profile(profile)
    except ProfileError as error:
        for fault in error.faults:
            typer.echo(f"error    {fault}")
        raise typer.Exit(1) from None
    for issue in issues:
        typer.echo(f"{issue.severity:8} {issue.field}: {issue.message}")
    if not issues:
        typer.echo(f"{name}: nothing to say")
    (agent, group), memory = row_bytes(profile), profile.memory
    typer.echo(
        f"memory: at most {memory.agents:,} agents of {agent:,} bytes and {memory.groups:,} peer groups of {group:,}, "
        f"{(memory.agents * agent + memory.groups * group) / 1e6:,.0f} MB a partition"
    )
    if strict and issues:
        raise typer.Exit(1)


@app.command()
def new(
    base: Named,
    changes: Annotated[list[str], typer.Option("--set", help="section.field=value, a TOML value; may be repeated.")],
    models: Models = None,
    to: Annotated[Path | None, typer.Option(help="Models folder to write to; without it the same.")] = None,
) -> None:
    """Write the next version of a profile: experimental, with some values changed."""
    profile = new_version(base, dict(_change(one) for one in changes), models, to)
    typer.echo(f"{profile.id} written; next: detector profile lint {profile.id}")


@app.command()
def lock(
    models: Models = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if anything differs.")] = False,
    rewrite: Annotated[
        list[str] | None,
        typer.Option(help="A version nobody was given yet and that may change, for example profiles/default/v1."),
    ] = None,
) -> None:
    """Write digests and status of every version into the catalog lock; a locked version does not change."""
    root = models if models is not None else models_folder()
    if check:
        faults = catalog.check(root)
        for fault in faults:
            typer.echo(fault)
        raise typer.Exit(1 if faults else 0)
    try:
        written = catalog.lock(root, rewrite or ())
    except ArtifactError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    for one in written:
        typer.echo(f"{one} locked")
    if not written:
        typer.echo("nothing to lock")


def _toml(value: object) -> str:
    """Return a value as it would stand in the file; what is not set says where its value comes from."""
    return "(from the budget)" if value is None else json.dumps(value)


def _change(text: str) -> tuple[str, object]:
    """Return field and value of one ``section.field=value``."""
    import tomllib

    field, sign, value = text.partition("=")
    try:
        return field.strip(), tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        rule = 'section.field=<TOML value>, text in quotes: profile.owner="me"'
        raise ProfileError("--set", [f"--set of profile new must be {rule}, got {field + sign}..."]) from None
