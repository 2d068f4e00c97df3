"""Commands for people and their tools: ``detector siem`` and ``detector release``; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode="markdown")

KAFKA = "Kafka"
TLS = "TLS of the receiver"

Bootstrap = Annotated[
    str | None,
    typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)", rich_help_panel=KAFKA),
]
Prefix = Annotated[str | None, typer.Option(help="Stands before every topic name.", rich_help_panel=KAFKA)]
Group = Annotated[
    str | None, typer.Option(help="Consumer group of the worker. (default: detector)", rich_help_panel=KAFKA)
]


@app.command("siem")
def siem(  # noqa: PLR0913 - one parameter per option of the command line
    to: Annotated[
        str,
        typer.Option(
            help="syslog+tcp://HOST:PORT, syslog+udp://..., syslog+tls://... or file:///PATH.", show_default=False
        ),
    ],
    siem_group: Annotated[str, typer.Option(help="Consumer group of this receiver.", rich_help_panel=KAFKA)] = "siem",
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
    hostname: Annotated[str | None, typer.Option(help="Hostname the messages carry. (default: this machine's)")] = None,
    confirm: Annotated[
        bool, typer.Option(help="End the connection after each batch and wait until it was read: slower, loses less.")
    ] = False,
    ca: Annotated[Path | None, typer.Option(help="PEM file of the trusted authorities.", rich_help_panel=TLS)] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM file of our certificate.", rich_help_panel=TLS)] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.", rich_help_panel=TLS)] = None,
) -> None:
    """Send alerts from Kafka to a SIEM over syslog (RFC 5424, OCSF inside).

    A consumer of agent.alerts with its own group: Kafka is the buffer while the SIEM is away. Offsets are committed
    after a batch was handed over. Plain TCP cannot tell what a receiver lost when it died; --confirm, or a receiver
    that reads Kafka itself, closes that gap. Drop repeats by finding_info.uid and metadata.sequence.

    Credentials of Kafka come from the worker's settings, `DETECTOR_...` (`detector worker-settings`).
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
    files = [str(path) if path else None for path in (ca, certificate, key)]
    tls = tls_context(*files) if target.transport == "tls" else None
    options = SiemOptions(
        settings.topics.alerts,
        target,
        Header(hostname or socket.gethostname()),
        SenderOptions(confirm=confirm, tls=tls),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_siem(confluent_options(settings), options, stop, group=siem_group)


@app.command("release")
def release(  # noqa: PLR0913 - one parameter per option of the command line
    agent: Annotated[str, typer.Argument(help="Agent whose quarantine is lifted.", show_default=False)],
    by: Annotated[str, typer.Option(help="Your name; stands in the log.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; stands in the log.", show_default=False)],
    tenant: Annotated[str, typer.Option(help="Tenant of the agent.")] = "default",
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds to wait for the worker's answer.")] = 30.0,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
    group: Group = None,
) -> None:
    """Lift an agent's quarantine, with a name and a reason.

    Writes a release for exactly the state that stands now to agent.feedback, and waits until the response stage has
    answered. Exit status 1 if it refused, or did not answer in time (the request is kept and answered later).
    """
    from detector.worker.clients import confluent_options
    from detector.worker.feedback import FeedbackDesk, Who
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix, "group": group})
    desk = FeedbackDesk(confluent_options(settings), settings.topics)
    done = desk.release(Who(agent, by, reason, tenant), wait)
    if done.entry is None:
        typer.echo(
            f"no answer within {wait:.0f} s: the release is kept; is a worker running? See /readyz of one.", err=True
        )
        raise typer.Exit(1)
    typer.echo(f"{done.entry.decision}: {done.entry.subject}, tier was {done.state.tier}. {done.entry.detail}")
    raise typer.Exit(int(done.entry.decision != "released"))
