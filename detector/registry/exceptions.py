"""Commands of exceptions: what an agent may do for a time, and which of that ends, has ended, or never does."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.registry.options import AsJson, Bootstrap, By, File, Prefix, Reason

app = typer.Typer(rich_markup_mode="markdown")


@app.command("grant")
def grant(
    agent: Annotated[str, typer.Argument(help="Id of the agent, as in its events.")],
    by: By,
    reason: Reason,
    term: Annotated[str, typer.Option("--for", help="How long from now: 8h, 14d.")],
    tool: Annotated[list[str] | None, typer.Option(help="A tool, or a pattern of tools. May be repeated.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="A target, or a pattern. May be repeated.")] = None,
    grant_id: Annotated[
        str | None, typer.Option("--id", help="What events name in grant.id; of one that stands: it is renewed.")
    ] = None,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Allow an agent something for a time: a temporary grant of its entry, approved by --by.

    With the --id of a grant that stands and nothing else it is renewed, and counted as that. Exit status: 0; 1 there is
    no entry, or another change was faster; 2 refused.
    """
    from detector.clock import system_clock
    from detector.registry import store as stores
    from detector.registry.changes import changes_of
    from detector.registry.drafts import Draft
    from detector.registry.granting import WantedGrant, granted
    from detector.registry.options import stamp_of, store_of
    from detector.registry.tables import told
    from detector.views.shown import span_of

    store, stamp, now = store_of(file, bootstrap, topic_prefix), stamp_of(by, reason), system_clock()
    stands = store.read().entries
    if agent not in stands:
        typer.echo(f"detector: no entry of {agent} stands on {store.place}", err=True)
        raise typer.Exit(1)
    end = now + span_of(term, "for of the command")
    wanted = WantedGrant(tuple(tool or ()), tuple(target or ()), grant_id, (now, end), stamp.by)
    changes = changes_of([Draft(stands[agent].revision, granted(stands[agent], wanted))], stands)
    for line in told(changes):
        typer.echo(line)
    if lost := stores.apply(store, changes, stamp):
        typer.echo(f"detector: lost against another change: {lost[0]}", err=True)
        raise typer.Exit(1)


@app.command("expiring")
def expiring(
    within: Annotated[str, typer.Option(help="Ends within: 12h, 14d.")] = "14d",
    as_json: AsJson = False,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """List grants that end soon, have ended, or are renewed and renewed: exceptions that should shrink.

    Exit status: 0 there is none; 1 there are; 2 the inventory cannot be read.
    """
    from detector.clock import system_clock
    from detector.registry.expiring import ends_of, ends_table
    from detector.registry.options import store_of
    from detector.views.shown import span_of

    now = system_clock()
    entries = store_of(file, bootstrap, topic_prefix).read().entries
    ends = ends_of(entries.values(), now, span_of(within, "within of the command"))
    for line in ends_table(ends, now, is_json=as_json):
        typer.echo(line)
    raise typer.Exit(int(bool(ends)))
