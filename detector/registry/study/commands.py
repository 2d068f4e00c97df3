"""Commands that hold the inventory against events: discover, usage, tighten, risk; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.registry.options import AsJson, Bootstrap, File, Out, Owner, Prefix

if TYPE_CHECKING:
    from detector.registry.study.events import EventSource
    from detector.registry.study.findings import Open
    from detector.registry.study.seen import SeenFleet

app = typer.Typer(rich_markup_mode="markdown")

EVENTS = "Which events"
Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="EVENTS...", help="Events, one JSON object a line; plain or .gz; - for standard input."),
]
FromTopic = Annotated[
    bool,
    typer.Option("--from-topic", help="Events of agent.events, in place of files.", rich_help_panel=EVENTS),
]
Since = Annotated[
    str | None,
    typer.Option(help="Event time from which on they count, like 2026-03-02T09:00:00Z.", rich_help_panel=EVENTS),
]
Until = Annotated[str | None, typer.Option(help="Event time from which on they no longer do.", rich_help_panel=EVENTS)]
IsQuiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
LeastSessions = Annotated[
    int, typer.Option(min=1, max=12, help="Sessions in which a value must be used to be proposed.")
]
LeastDays = Annotated[int, typer.Option(min=1, max=12, help="Days on which it must be.")]

Alerts = Annotated[
    list[Path] | None, typer.Option(help="Alerts, one a line as on agent.alerts: findings. May be repeated.")
]
AlertsFromTopic = Annotated[
    bool, typer.Option("--alerts-from-topic", help="Findings of agent.alerts.", rich_help_panel=EVENTS)
]


@app.command("discover")
def discover(
    events: Paths = None,
    from_topic: FromTopic = False,
    since: Since = None,
    until: Until = None,
    owner: Owner = None,
    least_sessions: LeastSessions = 3,
    least_days: LeastDays = 2,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Somebody knows that the window holds no attack: once is enough.")
    ] = False,
    own: Annotated[
        bool, typer.Option("--own", help="Nothing by role: no tool that peers use and the agent not yet.")
    ] = False,
    alerts: Alerts = None,
    alerts_from_topic: AlertsFromTopic = False,
    out: Out = None,
    again: Annotated[
        bool, typer.Option("--again", help="Propose for registered agents too, from what stands.")
    ] = False,
    quiet: IsQuiet = False,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Find agents that act and are not registered, and propose their entries from what they did.

    What was used in few sessions, on few days, or by one agent alone is not proposed: it stands beside, as comments,
    for a person to decide. A tool that most of an agent's peers use and it not yet is proposed too, and marked: strike
    what is not its job, or leave all of them out with --own. Whoever attacks in session after session passes: give the
    alerts of the time, and sessions with a finding that nobody called harmless count for nothing. Also says who is
    registered and was not seen, and what share an identity. Memory is bounded; what did not fit is counted. Exit
    status: 0; 2 refused.
    """
    from detector.registry.options import put, store_of
    from detector.registry.owners import owners_of
    from detector.registry.study.discover import Discovery, headlines
    from detector.registry.study.events import left_out_lines
    from detector.registry.study.peers import Firmness

    owners = owners_of(owner)
    source = event_source(events, since, until, from_topic, bootstrap, topic_prefix)
    source.barred = _findings(alerts, alerts_from_topic, bootstrap, topic_prefix).sessions
    store = store_of(file, None if file else bootstrap, None if file else topic_prefix)
    firmness = Firmness(least_sessions, least_days, is_trusted=trusted, by_role=not own)
    found = Discovery(_seen(source, quiet), store.read().entries, firmness, owners)
    for line in [*headlines(found), *left_out_lines(source.left_out)]:
        typer.echo(line, err=True)
    put(found.page(again=again), out)


@app.command("usage")
def usage(
    events: Paths = None,
    from_topic: FromTopic = False,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is used.")] = False,
    as_json: AsJson = False,
    quiet: IsQuiet = False,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Hold what is declared against what was used: unused tools, targets, peers, classes, versions; for how long.

    Beside each stands how many other agents of its type use it. Of a list with more different values than fit in memory
    nothing is claimed. Exit status: 0; 2 refused.
    """
    from detector.registry.options import store_of
    from detector.registry.study.events import left_out_lines
    from detector.registry.study.usage import Usage, usage_lines

    source = event_source(events, since, until, from_topic, bootstrap, topic_prefix)
    standing = store_of(file, None if file else bootstrap, None if file else topic_prefix).read()
    for line in usage_lines(Usage(_seen(source, quiet), standing.entries), everything=everything, is_json=as_json):
        typer.echo(line)
    for line in left_out_lines(source.left_out):
        typer.echo(line, err=True)


@app.command("tighten")
def tighten(
    events: Paths = None,
    from_topic: FromTopic = False,
    since: Since = None,
    until: Until = None,
    unused: Annotated[str, typer.Option(help="A name goes that was not used for so long: 12h, 30d.")] = "0d",
    narrow: Annotated[
        bool, typer.Option("--narrow", help="Patterns become what was used under them, where that is less.")
    ] = False,
    out: Out = None,
    opa: Annotated[
        Path | None,
        typer.Option(help="Folder for data.json and registry.rego of Open Policy Agent.", file_okay=False),
    ] = None,
    cedar: Annotated[Path | None, typer.Option(help="File for Cedar policies.", dir_okay=False)] = None,
    quiet: IsQuiet = False,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Write least privilege as a file to review and apply: what is declared, without what was not used.

    A second reading of the events says what the tighter entries would have denied that the standing ones allow. --opa
    and --cedar write the whole inventory, tightened, for those engines. Exit status: 0 nothing would have been
    denied; 1 something would, each is listed; 2 refused.
    """
    from detector.registry.options import put, store_of
    from detector.registry.pages import page_of
    from detector.registry.study import tightened
    from detector.registry.study.tighten import Tightening
    from detector.registry.study.usage import Usage, unknown_lines
    from detector.views.shown import span_of

    source = event_source(events, since, until, from_topic, bootstrap, topic_prefix)
    tightened.check_repeatable(source)
    standing = store_of(file, None if file else bootstrap, None if file else topic_prefix).read()
    found = Usage(_seen(source, quiet), standing.entries)
    items = list(Tightening(span_of(unused, "unused of the command"), narrow).items(found))
    put(page_of(items, ["Least privilege by use. Review, then: detector registry apply THIS FILE"]), out)
    tighter = {**standing.entries, **{item.draft.entry.agent_id: item.draft.entry for item in items}}
    tightened.write_policies(tighter.values(), found, opa, cedar)
    denials = tightened.denials(source, items, standing.entries, is_shown=not quiet)
    for line in [*unknown_lines(found), *tightened.lines(items, denials)]:
        typer.echo(line, err=True)
    raise typer.Exit(int(bool(denials.denied)))


@app.command("risk")
def risk(
    events: Paths = None,
    from_topic: FromTopic = False,
    since: Since = None,
    until: Until = None,
    alerts: Alerts = None,
    alerts_from_topic: AlertsFromTopic = False,
    internal: Annotated[
        list[str] | None, typer.Option(help="A domain of your own, like acme.com: its hosts are not outside.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write one page of HTML to this file.", dir_okay=False)] = None,
    as_json: AsJson = False,
    quiet: IsQuiet = False,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Rank agents by how bad it is if they go wrong, times what they could do; over-grants and exceptions beside it.

    The formula stands in docs/inventory.md and on the page. The page is one file: sortable, without a server, loading
    nothing. Exit status: 0; 2 refused.
    """
    from detector.clock import system_clock
    from detector.registry.options import put, store_of
    from detector.registry.study import risk_page
    from detector.registry.study.risk import RiskInputs, risk_lines, risks_of
    from detector.registry.study.usage import Usage

    source = event_source(events, since, until, from_topic, bootstrap, topic_prefix)
    standing = store_of(file, None if file else bootstrap, None if file else topic_prefix).read()
    known = _findings(alerts, alerts_from_topic, bootstrap, topic_prefix)
    usage = Usage(_seen(source, quiet), standing.entries)
    inputs = RiskInputs(usage, known.severities, internal or (), system_clock())
    risks = risks_of(inputs)
    if html is not None:
        put([risk_page.page(inputs, risks).html()], html)
    for line in risk_lines(risks, is_json=as_json):
        typer.echo(line)
    if known.left_out:
        typer.echo(f"left out: {known.left_out} records that are no alert, or did not fit", err=True)


def event_source(
    events: list[Path] | None,
    since: str | None,
    until: str | None,
    from_topic: bool,
    bootstrap: str | None,
    prefix: str | None,
) -> EventSource:
    """Return the events that a command is asked to read."""
    from detector.offline.labels import seconds_of
    from detector.registry.options import kafka_of
    from detector.registry.study.events import EventSource, Window

    window = Window(
        float("-inf") if since is None else seconds_of(since, "since of the command"),
        float("inf") if until is None else seconds_of(until, "until of the command"),
    )
    topic = None
    if from_topic:
        kafka, names = kafka_of(bootstrap, prefix)
        topic = (kafka, names.events)
    return EventSource(tuple(events or ()), topic, window)


def _findings(paths: list[Path] | None, from_topic: bool, bootstrap: str | None, prefix: str | None) -> Open:
    from detector.registry.options import kafka_of
    from detector.registry.study.findings import alerts_in, alerts_on, open_findings

    if from_topic:
        kafka, names = kafka_of(bootstrap, prefix)
        return open_findings(alerts_on(kafka, names.alerts))
    return open_findings(alerts_in(paths or ()))


def _seen(source: EventSource, quiet: bool) -> SeenFleet:
    from detector.registry.study.events import watched
    from detector.registry.study.seen import SeenFleet

    with watched(source, "reading events", is_shown=not quiet) as progress:
        return SeenFleet().add_all(source.read(progress))
