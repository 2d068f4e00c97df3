"""Commands for whoever looks: status, alerts, deadletters; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.schema.alert import Alert
    from detector.schema.tiding import Tiding

app = typer.Typer(rich_markup_mode="markdown")

KAFKA = "Kafka"

Bootstrap = Annotated[
    str | None,
    typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)", rich_help_panel=KAFKA),
]
Prefix = Annotated[str | None, typer.Option(help="Stands before every topic name.", rich_help_panel=KAFKA)]
Group = Annotated[
    str | None, typer.Option(help="Consumer group of the workers. (default: detector)", rich_help_panel=KAFKA)
]
Since = Annotated[
    str, typer.Option(help="Written since: so long ago (90m, 24h, 7d), or RFC 3339 like 2026-03-02T09:00:00Z.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, ASCII, with everything in it.")]


@app.command("status")
def status(
    metrics: Annotated[
        list[str] | None,
        typer.Option(help="Address of a worker's metrics, http://HOST:9464/metrics; once for each worker."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
    group: Group = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Show the state of a deployment on one page: lag, containment, incidents, dead letters, what is degraded.

    From Kafka: partitions, who holds them and what waits; who is contained and who is held, with causes and ends;
    incidents and dead letters of the last 24 hours. With --metrics also what workers say: agents, sessions, budget
    promised and spent, threshold, and what is amiss. What cannot be read is said, with the reason; the rest is shown.

    Exit status: 0 all was read and nothing is degraded; 1 something is degraded or could not be read; 2 a setting is
    wrong or Kafka cannot be asked.
    """
    from detector.clock import system_clock
    from detector.views.status import StatusReader
    from detector.views.watch import json_line
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix, "group": group})
    page = StatusReader(confluent_options(settings), settings.topics, system_clock()).page(metrics or [])
    for line in [json_line(page.body())] if as_json else page.lines():
        typer.echo(line)
    raise typer.Exit(page.status)


@app.command("alerts")
def alerts(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until stopped.")] = False,
    as_json: AsJson = False,
    since: Since = "24h",
    agent: Annotated[str, typer.Option(help="Only of the agent with this id, as in its events.")] = "",
    incident: Annotated[
        str, typer.Option(help="Only the incident with this uid, or a finding's; its beginning will do.")
    ] = "",
    most: Annotated[int, typer.Option(min=1, help="Incidents shown of those that are there, the newest.")] = 50,
    limit: Annotated[
        int, typer.Option(min=0, help="Of --follow: end after so many records of what comes. 0: never.")
    ] = 0,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Show alerts by incident: who, what, against what, who is contained, and the lines to type next.

    One block an incident, the newest last. With --json one line a record of agent.alerts: its place, and the alert as
    docs/schema/alert.json describes it. Repeats are dropped; of 2,000 findings the newest state is held, what is left
    out is said on standard error. What others wrote (names, targets, reasons) is escaped.

    Exit status: 0 read, also if nothing was found or a signal ended it; 2 a setting is wrong or Kafka cannot be asked.
    """
    import signal
    import threading

    from detector.clock import system_clock
    from detector.views.findings import AlertFilter
    from detector.views.shown import since_of
    from detector.views.watch import AlertWatch, WatchOptions
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    stop = threading.Event()
    before = {one: signal.signal(one, lambda *_: stop.set()) for one in (signal.SIGTERM, signal.SIGINT)}
    options = WatchOptions(
        wanted=AlertFilter(agent, incident.lower()),
        since=since_of(since, system_clock()),
        most=most,
        follow=follow,
        limit=limit,
        is_json=as_json,
        options=_same_deployment(bootstrap, topic_prefix),
    )
    watch = AlertWatch(confluent_options(settings), settings.topics, typer.echo, _aside, system_clock)
    try:
        watch.run(options, stop)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@app.command("deadletters")
def deadletters(
    as_json: AsJson = False,
    since: Since = "24h",
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Show refused records by reason and by key: how many, one example each, where it stands, what to do.

    With --json one line for each reason and key. The bytes of an example are its first 240, escaped.

    Exit status: 0 read, also if there are none; 2 a setting is wrong or Kafka cannot be asked.
    """
    from detector.clock import system_clock
    from detector.views.deadletters import gathered, letters_body, letters_lines
    from detector.views.reading import TopicReader
    from detector.views.shown import since_of
    from detector.views.watch import json_line
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    begin = since_of(since, system_clock())
    with TopicReader(confluent_options(settings), settings.topics.deadletter) as reader:
        found = gathered(reader.to_the_end(begin))
    bodies = (json_line(letters_body(found, *whose)) for whose in found.keys)
    for line in bodies if as_json else letters_lines(found, begin):
        typer.echo(line)


@app.command("suppressions")
def suppressions(
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Show suppressions: scope, owner, reason, until when, and what each of them hid.

    From agent.feedback and agent.alerts, read from their beginning. Counts are those that workers told last: at the
    1st, 2nd, 4th, 8th session, where an act was ten times rarer than any before, and at the end. The exact ones are
    gauges of the workers. With --json one line for each.

    Exit status: 0 read, also if there are none; 2 a setting is wrong or Kafka cannot be asked.
    """
    from detector.clock import system_clock
    from detector.views.reading import TopicReader
    from detector.views.suppressions import standing_of, suppression_body, suppression_lines
    from detector.views.watch import json_line
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    kafka, now = confluent_options(settings), system_clock()
    with TopicReader(kafka, settings.topics.feedback) as said, TopicReader(kafka, settings.topics.alerts) as told:
        known = standing_of(said.to_the_end(), told.to_the_end())
    found = [one for one in known if every or not one.is_over(now)]
    for line in (json_line(suppression_body(one, now)) for one in found) if as_json else suppression_lines(found, now):
        typer.echo(line)
    if not as_json:
        _aside(f"{len(found)} shown, {len(known) - len(found)} over (--all)")


def _same_deployment(bootstrap: str | None, topic_prefix: str | None) -> str:
    """Return the options by which a line that is pasted reaches the brokers that were asked."""
    from detector.views.shown import quoted

    given = {"--bootstrap": bootstrap, "--topic-prefix": topic_prefix}
    return "".join(f" {name}={quoted(value)}" for name, value in given.items() if value is not None)


def _aside(line: str) -> None:
    """Say something about the data, beside the data."""
    typer.echo(line, err=True)


@app.command("graph")
def graph(
    finding: Annotated[
        str, typer.Argument(help="Finding's uid, as `detector alerts` shows it; its beginning will do.")
    ],
    out: Annotated[Path, typer.Option(help="Where the picture (SVG) is written.", dir_okay=False)],
    heard: Annotated[
        list[Path] | None,
        typer.Option(help="Recorded by `detector replay --heard`, plain or .gz; Kafka is not asked then."),
    ] = None,
    since: Since = "72h",
    group: Group = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Draw who called whom around a finding: its agents in order, and those that called them or were called.

    From Kafka: tidings and alerts on the tenants' topic of the workers' group, and findings that several agents make
    together on agent.alerts. First calls are vermilion, known ones grey; critical agents have a second ring; of agents
    beside the finding's own at most 24 are drawn, and the rest is counted. Names are escaped and cut.

    Exit status: 0 written; 2 the finding is not there, a setting is wrong or Kafka cannot be asked.
    """
    from detector.clock import system_clock
    from detector.errors import SetupError
    from detector.offline.drawing import picture
    from detector.offline.neighbourhood import heard_in, neighbourhood
    from detector.offline.sources import lines_of
    from detector.views.shown import since_of
    from detector.views.together import heard_on
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    told: Iterator[Alert | Tiding]
    if heard:
        told = (one for path in heard for one in heard_in(lines_of(path)))
    else:
        settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix, "group": group})
        told = heard_on(confluent_options(settings), settings.topics, since_of(since, system_clock()))
    drawn = picture(neighbourhood(told, finding))
    try:
        out.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise SetupError(
            f"path of the picture must be a file that can be written, got {out}: {error.strerror}"
        ) from error
    typer.echo(f"written: {out}")
