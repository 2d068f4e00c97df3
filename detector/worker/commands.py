"""Commands of the worker's floor: worker, topics, siem, release; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from detector.worker.people import app as people

app = typer.Typer(rich_markup_mode="markdown")
app.add_typer(people)

KAFKA = "Kafka"
JUDGING = "Judging"
RUNNING = "Running"
SYSLOG = "Syslog"


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
    or a key of the TOML file; the command line wins, then the environment. `detector worker-settings` lists them all, SASL
    and TLS included.
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


@app.command("worker-settings")
def worker_settings() -> None:
    """List every setting of the worker with its environment variable, default and meaning."""
    from rich.console import Console
    from rich.table import Table

    from detector.worker.settings import ENV_PREFIX, WorkerSettings

    table = Table("variable", "default", "meaning")
    for name, field in WorkerSettings.model_fields.items():
        table.add_row(
            f"{ENV_PREFIX}{name.upper()}", "" if field.default is None else str(field.default), field.description
        )
    Console().print(table)


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
    from detector.local.topics import create_topics, topic_specs
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "group": group, "topic_prefix": topic_prefix})
    specs = topic_specs(settings.topics, partitions)
    made = set(create_topics(confluent_options(settings), specs, replication))
    for spec in specs:
        typer.echo(f"{'made ' if spec.name in made else 'there'}  {spec.name}  {spec.partitions} partitions")


@app.command("siem")
def siem(
    to: Annotated[
        str,
        typer.Option(help="Receiver: syslog://HOST:PORT, syslog+tls://..., syslog+udp://... or file:///PATH."),
    ],
    bootstrap: Annotated[
        str | None,
        typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)", rich_help_panel=KAFKA),
    ] = None,
    topic_prefix: Annotated[
        str | None, typer.Option(help="Stands before every topic name.", rich_help_panel=KAFKA)
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Consumer group, one per receiver. (default: <group>.siem)", rich_help_panel=KAFKA),
    ] = None,
    first: Annotated[
        Literal["earliest", "latest"],
        typer.Option(help="Where a group that was never here begins.", rich_help_panel=KAFKA),
    ] = "earliest",
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="End the connection after each batch and wait until the receiver has read to its end.",
            rich_help_panel=SYSLOG,
        ),
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option(help="PEM file of roots trusted for TLS. (default: the machine's)", rich_help_panel=SYSLOG),
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="PEM file of our own certificate.", rich_help_panel=SYSLOG)] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.", rich_help_panel=SYSLOG)] = None,
    hostname: Annotated[
        str | None, typer.Option(help="Host name in the messages. (default: this machine's)", rich_help_panel=SYSLOG)
    ] = None,
    facility: Annotated[int, typer.Option(min=0, max=23, help="16 is local0.", rich_help_panel=SYSLOG)] = 16,
    enterprise: Annotated[
        int, typer.Option(min=0, help="Private enterprise number; the default is for examples.", rich_help_panel=SYSLOG)
    ] = 32_473,
) -> None:
    """Send alerts from Kafka to a SIEM, until stopped with SIGTERM or Ctrl-C.

    Reads agent.alerts with a consumer group of its own and commits what the receiver has taken: a receiver that is
    down loses nothing, and is sent the last alerts again when it is back (drop repeats by finding and counter).
    Brokers and credentials are those of the worker's settings.
    """
    import signal
    import socket
    import threading

    from detector.sinks.sender import SenderOptions, tls_context
    from detector.sinks.syslog import Header
    from detector.sinks.target import parse_target
    from detector.worker.clients import confluent_options
    from detector.worker.log_setup import set_up_logging
    from detector.worker.settings import load_settings
    from detector.worker.siem import SiemOptions, run_siem

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    set_up_logging(settings.log_level, is_json=settings.log_json)
    target = parse_target(to)
    files = tuple(None if path is None else str(path) for path in (ca, cert, key))
    options = SiemOptions(
        topic=settings.topics.alerts,
        target=target,
        header=Header(socket.gethostname() if hostname is None else hostname, facility, enterprise),
        sender=SenderOptions(confirm=confirm, tls=tls_context(*files) if target.transport == "tls" else None),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_siem(confluent_options(settings), options, stop, group=group or f"{settings.group}.siem", first=first)


@app.command("release")
def release(
    agent: Annotated[str, typer.Argument(help="Id of the agent, as in its events.")],
    by: Annotated[str, typer.Option(help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit log.")],
    tenant: Annotated[str, typer.Option(help="Tenant of the agent.")] = "default",
    timeout: Annotated[float, typer.Option(min=0.0, help="Seconds to wait for the answer.")] = 15.0,
    bootstrap: Annotated[
        str | None, typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)")
    ] = None,
    topic_prefix: Annotated[str | None, typer.Option(help="Stands before every topic name.")] = None,
) -> None:
    """Lift an agent's quarantine, in a person's name.

    Shows what stands, writes the release to agent.feedback for exactly that state, and waits until the response stage
    has answered in agent.policy.log. Exit status: 0 released; 1 not released, the reason is shown; 3 written, but no
    worker has answered yet.
    """
    from detector.worker.clients import confluent_options
    from detector.worker.feedback import FeedbackDesk, Who
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    desk = FeedbackDesk(confluent_options(settings), settings.topics)
    outcome = desk.release(Who(agent, by, reason, tenant), timeout)
    state, entry = outcome.state, outcome.entry
    typer.echo(f"stood     {state.tier} ({state.mode}), revision {state.revision}, finding {state.reason.finding_uid}")
    if entry is None:
        typer.echo(f"written   no worker has answered within {timeout:g} s; it is done when one runs", err=True)
        raise typer.Exit(3)
    typer.echo(f"{entry.decision:<10}{entry.detail}")
    if entry.decision != "released":
        raise typer.Exit(1)
