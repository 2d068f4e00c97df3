"""Commands of the worker's floor: worker, topics, and those of people.py; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(rich_markup_mode="markdown")

KAFKA = "Kafka"
JUDGING = "Judging"
RUNNING = "Running"


@app.command("worker")
def worker(
    bootstrap: Annotated[
        str | None,
        typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)", rich_help_panel=KAFKA),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Consumer group; workers of one group share the partitions. (default: detector)", rich_help_panel=KAFKA
        ),
    ] = None,
    topic_prefix: Annotated[
        str | None, typer.Option(help="Stands before every topic name, e.g. 'staging.'.", rich_help_panel=KAFKA)
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile, name/version. (default: default/v1)", rich_help_panel=JUDGING)
    ] = None,
    mode: Annotated[
        Literal["shadow", "enforce"] | None,
        typer.Option(
            help="shadow: commands constrain nobody. enforce: they do. (default: the profile's)",
            rich_help_panel=JUDGING,
        ),
    ] = None,
    trusted_until: Annotated[
        str | None,
        typer.Option(help="RFC 3339 event time before which everything is learnt.", rich_help_panel=JUDGING),
    ] = None,
    listen_port: Annotated[
        int | None,
        typer.Option(
            help="Port of /metrics, /livez and /readyz on listen_host; 0: off. (default: 9464)", rich_help_panel=RUNNING
        ),
    ] = None,
    checkpoint_interval: Annotated[
        float | None, typer.Option(help="Seconds between checkpoints. (default: 5)", rich_help_panel=RUNNING)
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(help="Least level logged. (default: info)", rich_help_panel=RUNNING),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with any of the settings.", rich_help_panel=RUNNING)
    ] = None,
) -> None:
    """Score agent events from Kafka; write alerts, policy states and dead letters.

    Reads agent.events and agent.feedback, writes agent.alerts, agent.policy, agent.policy.log and agent.deadletter,
    and keeps its state in `<group>.state`. Start as many as there are partitions; stop with SIGTERM: nothing is lost,
    also not by kill -9.

    Every setting is also an environment variable `DETECTOR_<NAME>` (`DETECTOR_GROUP`, `DETECTOR_SASL_PASSWORD`, ...)
    or a key of the TOML file; the command line wins, then the environment. `detector worker-settings` lists them
    all, SASL and TLS included.
    """
    import os

    from detector.worker.run import run_worker
    from detector.worker.settings import FILE_VARIABLE, load_settings

    if config is not None:
        os.environ[FILE_VARIABLE] = str(config)
    given = {
        "bootstrap": bootstrap,
        "group": group,
        "topic_prefix": topic_prefix,
        "profile": profile,
        "mode": mode,
        "trusted_until": trusted_until,
        "listen_port": listen_port,
        "checkpoint_interval_s": checkpoint_interval,
        "log_level": log_level,
    }
    raise typer.Exit(run_worker(load_settings(given)))


@app.command("kernels")
def kernels(
    profile: Annotated[
        str | None, typer.Option(help="Profile, name/version; its sizes are part of them. (default: default/v1)")
    ] = None,
) -> None:
    """Compile the kernels a worker needs, so that no command waits for it later; those that are there are kept.

    A minute or more the first time after an installation or a change of the sources, a few seconds after that.
    """
    import time

    from detector.kernels import KernelStep, at_times
    from detector.worker.factory import ProfilePipelines, profile_of
    from detector.worker.settings import load_settings

    settings = load_settings({"profile": profile})
    began, compiled = time.monotonic(), 0

    def say(step: KernelStep) -> None:
        typer.echo(f"compiling kernels: {step.begun} of {step.of}, {step.kernel}", err=True)

    def count(step: KernelStep) -> None:
        nonlocal compiled
        compiled = step.begun
        told(step)

    told = at_times(say)
    loaded = profile_of(settings)
    ProfilePipelines(loaded, settings).warm_up(count)
    took = f"{compiled} compiled in {time.monotonic() - began:.0f} s" if compiled else "all were there"
    typer.echo(f"kernels of {loaded.id}: {took}")


@app.command("worker-settings")
def worker_settings() -> None:
    """List every setting of the worker with its environment variable, default and meaning.

    In a pipe one setting a line: variable, default and meaning, separated by tabs.
    """
    from rich.console import Console
    from rich.table import Table

    from detector.worker.settings import ENV_PREFIX, WorkerSettings

    rows = [
        (f"{ENV_PREFIX}{name.upper()}", "" if field.default is None else str(field.default), field.description or "")
        for name, field in WorkerSettings.model_fields.items()
    ]
    console = Console()
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(row))
        return
    table = Table("variable", "default", "meaning")
    table.columns[0].overflow = "fold"
    for row in rows:
        table.add_row(*row)
    console.print(table)


@app.command("doctor")
def doctor(
    bootstrap: Annotated[
        str | None, typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Consumer group of the workers. (default: detector)")] = None,
    topic_prefix: Annotated[str | None, typer.Option(help="Stands before every topic name.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with any of the settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Look at settings, topics, rights, clocks and state of a deployment, and say what is wrong and what to do.

    Run it with the settings, and as the user, of a worker; secrets are masked. For each missing right it prints the
    command that grants it. Nothing is changed, but for a tombstone in `<group>.state` that no worker reads: its
    acknowledgement tells the broker's time.

    Exit status: 0 all is good, 1 something is wrong, 2 no broker answers or the settings are refused.
    """
    import json
    import os

    from detector.worker.doctor import examine
    from detector.worker.settings import FILE_VARIABLE, load_settings

    if config is not None:
        os.environ[FILE_VARIABLE] = str(config)
    report = examine(load_settings({"bootstrap": bootstrap, "group": group, "topic_prefix": topic_prefix}))
    if as_json:
        typer.echo(json.dumps(report.body(), indent=2))
    else:
        for line in report.lines():
            typer.echo(line)
    raise typer.Exit(report.status)


@app.command("topics")
def topics(
    bootstrap: Annotated[
        str | None, typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Consumer group; names the internal topics. (default: detector)")
    ] = None,
    topic_prefix: Annotated[str | None, typer.Option(help="Stands before every topic name.")] = None,
    partitions: Annotated[
        int, typer.Option(min=1, help="Partitions of the events: how many workers can share them.")
    ] = 4,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each partition; 3 on a cluster.")] = 1,
) -> None:
    """Make the topics a deployment needs; those that exist are left as they are."""
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings
    from detector.worker.topics import create_topics, registry_log_specs, topic_specs

    settings = load_settings({"bootstrap": bootstrap, "group": group, "topic_prefix": topic_prefix})
    specs = [*topic_specs(settings.topics, partitions), *registry_log_specs(settings.topics)]
    made = set(create_topics(confluent_options(settings), specs, replication))
    for spec in specs:
        typer.echo(f"{'made ' if spec.name in made else 'there'}  {spec.name}  {spec.partitions} partitions")
