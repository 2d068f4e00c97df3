"""Commands that hold the inventory against events: discover, usage, tighten, risk; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.registry.options import Bootstrap, File, Out, Prefix

if TYPE_CHECKING:
    from detector.registry.study.events import EventSource
    from detector.registry.study.seen import Seen

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
Owner = Annotated[str | None, typer.Option(help="Who answers for those that name nobody.")]
LeastSessions = Annotated[int, typer.Option(min=1, help="Sessions in which a value must be used to be proposed.")]
LeastDays = Annotated[int, typer.Option(min=1, help="Days on which it must be.")]


@app.command("discover")
def discover(
    events: Paths = None,
    from_topic: FromTopic = False,
    since: Since = None,
    until: Until = None,
    owner: Owner = None,
    least_sessions: LeastSessions = 3,
    least_days: LeastDays = 2,
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
    for a person to decide, so that an attacker's use does not become a grant. Also says who is registered and was not
    seen, and what share an identity. Memory is bounded; what did not fit is counted. Exit status: 0; 2 refused.
    """
    from detector.registry.options import put, store_of
    from detector.registry.study.discover import Discovery, headlines
    from detector.registry.study.events import left_out_lines
    from detector.registry.study.propose import Firmness

    source = _source(events, since, until, from_topic, bootstrap, topic_prefix)
    store = store_of(file, None if file else bootstrap, None if file else topic_prefix)
    found = Discovery(_seen(source, quiet), store.read().entries, Firmness(least_sessions, least_days), owner)
    for line in [*headlines(found), *left_out_lines(source.left_out)]:
        typer.echo(line, err=True)
    put(found.page(again=again), out)


def _source(
    events: list[Path] | None,
    since: str | None,
    until: str | None,
    from_topic: bool,
    bootstrap: str | None,
    prefix: str | None,
) -> EventSource:
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


def _seen(source: EventSource, quiet: bool) -> Seen:
    from detector.registry.study.events import watched
    from detector.registry.study.seen import Seen

    with watched(source, "reading events", is_shown=not quiet) as progress:
        return Seen().add_all(source.read(progress))
