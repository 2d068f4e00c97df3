"""Commands for people and their tools: siem, release, verdict, closing, journal; heavy imports happen inside."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(rich_markup_mode="markdown")

KAFKA = "Kafka"
SYSLOG = "Syslog"


Bootstrap = Annotated[
    str | None,
    typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)", rich_help_panel=KAFKA),
]
Prefix = Annotated[str | None, typer.Option(help="Stands before every topic name.", rich_help_panel=KAFKA)]
Receiver = Annotated[
    str,
    typer.Option(help="syslog://HOST:PORT (or syslog+tcp://...), syslog+tls://..., syslog+udp://... or file:///PATH."),
]
Format = Annotated[
    str, typer.Option("--format", help="How alerts are written: ocsf (OCSF 1.8.0) or ecs (Elastic Common Schema 8.17).")
]
Reader = Annotated[
    str | None,
    typer.Option(
        help="Consumer group, one per receiver. (default: the worker's, with .siem behind)", rich_help_panel=KAFKA
    ),
]
First = Annotated[
    Literal["earliest", "latest"],
    typer.Option(help="Where a group that was never here begins.", rich_help_panel=KAFKA),
]
Confirm = Annotated[
    bool,
    typer.Option(
        "--confirm",
        help="End the connection after each batch and wait until the receiver has read to its end.",
        rich_help_panel=SYSLOG,
    ),
]
Roots = Annotated[
    Path | None,
    typer.Option(help="PEM file of roots trusted for TLS. (default: the machine's)", rich_help_panel=SYSLOG),
]
Certificate = Annotated[Path | None, typer.Option(help="PEM file of our own certificate.", rich_help_panel=SYSLOG)]
Key = Annotated[Path | None, typer.Option(help="PEM file of its key.", rich_help_panel=SYSLOG)]
Hostname = Annotated[
    str | None, typer.Option(help="Host name in the messages. (default: this machine's)", rich_help_panel=SYSLOG)
]
Facility = Annotated[int, typer.Option(min=0, max=23, help="16 is local0.", rich_help_panel=SYSLOG)]
Enterprise = Annotated[
    int, typer.Option(min=0, help="Private enterprise number; the default is for examples.", rich_help_panel=SYSLOG)
]


@app.command("siem")
def siem(
    to: Receiver,
    rendering: Format = "ocsf",
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
    group: Reader = None,
    first: First = "earliest",
    confirm: Confirm = False,
    ca: Roots = None,
    certificate: Certificate = None,
    key: Key = None,
    hostname: Hostname = None,
    facility: Facility = 16,
    enterprise: Enterprise = 32_473,
) -> None:
    """Send alerts from Kafka to a SIEM, until stopped with SIGTERM or Ctrl-C.

    Reads agent.alerts with a consumer group of its own and commits what the receiver has taken: a receiver that is
    down loses nothing, and is sent the last alerts again when it is back (drop repeats by finding and counter).
    Brokers and credentials are those of the worker's settings.
    """
    import signal
    import socket
    import threading

    from detector.desk.siem import SiemOptions, run_siem
    from detector.sinks.sender import SenderOptions, tls_context
    from detector.sinks.syslog import SyslogHeader
    from detector.sinks.transports import parse_target
    from detector.worker.clients import confluent_options
    from detector.worker.log_setup import set_up_logging
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    set_up_logging(settings.log_level, is_json=settings.log_json)
    files = tuple(None if path is None else str(path) for path in (ca, certificate, key))
    options = SiemOptions(
        topic=settings.topics.alerts,
        target=parse_target(to),
        rendering=rendering,
        header=SyslogHeader(socket.gethostname() if hostname is None else hostname, facility, enterprise),
        sender=SenderOptions(confirm=confirm, tls=tls_context(*files) if any(files) else None),
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
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Lift an agent's quarantine, in a person's name.

    Shows what stands, writes the release to agent.feedback for exactly that state, and waits until the response stage
    has answered in agent.policy.log. Exit status: 0 released; 1 not released, because nothing stood or the stage
    refused: the reason is shown; 2 a setting is wrong or Kafka cannot be asked; 3 written, but no worker has answered
    yet.
    """
    from detector.desk.feedback import FeedbackClient, ReleaseRequest
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    client = FeedbackClient(confluent_options(settings), settings.topics)
    state, entry, why_not = client.release(ReleaseRequest(agent, by, reason, tenant), timeout)
    if why_not or state is None:
        typer.echo(f"detector: not released: {why_not}", err=True)
        raise typer.Exit(1)
    typer.echo(f"stood     {state.tier} ({state.mode}), revision {state.revision}, finding {state.reason.finding_uid}")
    if entry is None:
        typer.echo(f"written   no worker has answered within {timeout:g} s; it is done when one runs", err=True)
        raise typer.Exit(3)
    typer.echo(f"{entry.decision:<10}{entry.detail}")
    if entry.decision != "released":
        raise typer.Exit(1)


@app.command("verdict")
def verdict(
    finding: Annotated[str, typer.Argument(help="Uid of the finding: finding_info.uid of its alert.")],
    kind: Annotated[
        Literal["confirm", "dismiss", "safe", "disable", "undo"],
        typer.Argument(
            help="confirm: an attack. dismiss: it happened and is harmless. safe: normal, may be learned. "
            "disable: not to be told until a time. undo: take the last one back."
        ),
    ],
    by: Annotated[str, typer.Option(help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the incident.")],
    agent: Annotated[
        str | None, typer.Option(help="Id of the agent, as in its events; looked up among the alerts if left out.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Of disable: event time (UTC) from which on it is told again.")
    ] = None,
    scope: Annotated[
        Literal["agent", "group", "everyone"], typer.Option(help="Of disable: for whom it is not told.")
    ] = "agent",
    tenant: Annotated[str, typer.Option(help="Tenant of the agent.")] = "default",
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Say what a finding was, in a person's name.

    Writes the verdict to agent.feedback, beside the agent's events, and waits until Kafka has it. The worker that holds
    the agent journals its place in the input, sends the incident again with the verdict on it, and decides by it from
    there on; what each verdict does stands in docs/verdicts.md. Exit status: 0 written; 2 refused, the reason is shown.
    """
    from detector.desk.feedback import FeedbackClient, VerdictRequest
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    client = FeedbackClient(confluent_options(settings), settings.topics)
    if agent is None:
        agent, tenant = client.whose(finding)
    ends = None if until is None else until.replace(tzinfo=until.tzinfo or UTC).timestamp()
    written = client.verdict(VerdictRequest(agent, finding, kind, by, reason, tenant, ends, scope))
    typer.echo(f"written   {settings.topics.feedback}, partition {written.partition}, offset {written.offset}")
    typer.echo(f"next      the worker that holds partition {written.partition} shows it on the incident: look for a")
    typer.echo(f"          new record of finding {finding} on {settings.topics.alerts}; a finding that no worker")
    typer.echo("          remembers is counted as verdicts_unmatched in detector_counts_total")


@app.command("closing")
def closing(
    cases: Annotated[
        Path | None, typer.Argument(help="File with one OCSF Incident Finding a line; standard input without one.")
    ] = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Hand over cases that a SIEM closed: what they were closed as is a verdict on every finding they name.

    For a SIEM's action script. Each line is an OCSF Incident Finding (class 2005) that is resolved or closed; it is
    written to agent.feedback once for each agent whose finding it names, looked up among the alerts, beside that
    agent's events. What each verdict_id amounts to stands in docs/verdicts.md. Exit status: 0 all was written; 1 a line
    is no such case, or names a finding that no alert has: it is said on standard error, the rest is written; 2 a
    setting is wrong or Kafka cannot be asked.
    """
    import sys

    from detector.desk.closing import ClosingClient
    from detector.schema.shown import shown
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    lines = (sys.stdin.buffer.read() if cases is None else cases.read_bytes()).splitlines()
    found = ClosingClient(confluent_options(settings), settings.topics).write(lines)
    for one in found:
        if one.why_not:
            typer.echo(f"refused   line {one.number}: {shown(one.why_not, 400)}", err=True)
            continue
        typer.echo(f"written   line {one.number}, beside {', '.join(shown(agent, 64) for agent in one.agents)}")
        for uid in one.missing:
            typer.echo(f"missing   line {one.number}: no alert has finding {uid}", err=True)
    if any(one.why_not or one.missing for one in found):
        raise typer.Exit(1)


@app.command("journal")
def journal(
    out: Annotated[Path, typer.Option(help="Folder for journal.ndjson and controls.ndjson.", file_okay=False)],
    group: Annotated[
        str | None, typer.Option(help="Consumer group of the workers. (default: detector)", rich_help_panel=KAFKA)
    ] = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Write the journal of controls to files: where each verdict took effect, for `detector replay`.

    Reads `<group>.state` to its end, with the workers' DETECTOR_STATE_KEY. A partition keeps its last 1,024 entries;
    what was overwritten before is said.
    """
    import asyncio

    from detector.desk.journal import CONTROLS, JOURNAL, read_journal, write_journal
    from detector.worker.clients import aiokafka_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix, "group": group})
    secret = settings.state_key.get_secret_value() if settings.state_key else None
    names = settings.topics
    found = asyncio.run(read_journal(names.state, settings.group, secret, aiokafka_options(settings)))
    write_journal(found.entries, out)
    typer.echo(f"{len(found.entries)} entries: {out / JOURNAL}, {out / CONTROLS}")
    for partition in found.cut:
        typer.echo(f"partition {partition} begins late: older entries were overwritten", err=True)
    if found.refused:
        typer.echo(f"{found.refused} entries left out: damaged, or sealed with another state_key", err=True)
