"""Commands of the inventory: import, list, show, diff, apply, retire, export, verify; exceptions and study beside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from detector.registry.exceptions import app as exceptions
from detector.registry.options import AsJson, Bootstrap, By, File, Out, Owner, Prefix, Reason
from detector.registry.study.commands import app as study
from detector.registry.zones.commands import app as zones

app = typer.Typer(rich_markup_mode="markdown")
app.add_typer(exceptions)
app.add_typer(study)
app.add_typer(zones, name="zones", help="Keep zones of agents and the crossings between them; render them; cut them.")

Agent = Annotated[str, typer.Argument(help="Id of the agent, as in its events.")]
Drafts = Annotated[Path, typer.Argument(help="File of entries, YAML or JSON.", dir_okay=False)]
Activate = Annotated[
    bool, typer.Option("--activate", help="Make proposed entries of the file active, those without a tool apart.")
]


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="File, YAML or JSON; the form is told by what stands in it.")],
    form: Annotated[
        Literal["own", "scim", "kubernetes", "spire", "entra"] | None,
        typer.Option(
            help="scim: agents or users of SCIM 2.0. kubernetes: kubectl get sa -o json. "
            "spire: spire-server entry show -output json. entra: agent identities of Graph. own: entries of ours."
        ),
    ] = None,
    id_from: Annotated[
        str | None, typer.Option(help="What ids are made of, like '$namespace/$name': what events say as agent_id.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Tenant of the agents.")] = "default",
    owner: Owner = None,
    out: Out = None,
) -> None:
    """Write another inventory as proposed entries, to be reviewed and applied.

    Nothing is changed, and nothing that is read allows anything: tools and targets come from `discover`. Exit
    status: 0; 2 the file is of no known form, or an entry is refused.
    """
    from detector.registry.importing import read_inventory
    from detector.registry.options import put
    from detector.registry.owners import owners_of
    from detector.registry.pages import owned, page_of

    owners = owners_of(owner)
    items = [owned(item, owners) for item in read_inventory(path, form, id_from, tenant)]
    put(page_of(items, [f"{len(items)} agents of {path.name}. Review, then: detector registry apply THIS FILE"]), out)


@app.command("list")
def list_(
    lifecycle: Annotated[
        Literal["proposed", "active", "suspended", "retired"] | None, typer.Option(help="Only those of this state.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only those this owner answers for.")] = None,
    as_json: AsJson = False,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """List the agents of the inventory: state, owner, criticality, how much they may do, last change.

    Exit status: 0; 2 the inventory cannot be read.
    """
    from detector.registry.options import store_of
    from detector.registry.tables import listed

    standing = store_of(file, bootstrap, topic_prefix).read()
    wanted = [
        entry
        for _, entry in sorted(standing.entries.items())
        if lifecycle in {None, entry.lifecycle} and owner in {None, entry.owner}
    ]
    for line in listed(wanted, is_json=as_json):
        typer.echo(line)
    _tell_refused(standing.refused)


@app.command("show")
def show(agent: Agent, file: File = None, bootstrap: Bootstrap = None, topic_prefix: Prefix = None) -> None:
    """Show the entry of one agent, and the changes that led to it.

    Exit status: 0; 1 there is no entry; 2 the inventory cannot be read.
    """
    from detector.registry.options import store_of
    from detector.registry.pages import whole_of
    from detector.registry.tables import history

    store = store_of(file, bootstrap, topic_prefix)
    entry = store.read().entries.get(agent)
    if entry is None:
        typer.echo(f"detector: no entry of {agent} stands on {store.place}", err=True)
        raise typer.Exit(1)
    for line in [*whole_of(entry), *history(store.log(), agent)]:
        typer.echo(line)


@app.command("diff")
def diff(
    drafts: Drafts,
    activate: Activate = False,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Show what a file would change, agent by agent and name by name.

    Exit status: 0 nothing; 1 something, or an entry would be refused; 2 the file or the inventory cannot be read.
    """
    from detector.registry.options import store_of
    from detector.registry.tables import prepared, told

    changes = prepared(store_of(file, bootstrap, topic_prefix), drafts, activate=activate)
    for line in told(changes):
        typer.echo(line)
    raise typer.Exit(int(any(change.kind != "same" for change in changes)))


@app.command("apply")
def apply(
    drafts: Drafts,
    by: By,
    reason: Reason,
    activate: Activate = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Make the entries of a file stand, in a person's name; all of them or none.

    An entry must have been made from the revision that stands (`revision` in the file; 0: none does): who edited an
    older one is told who changed it meanwhile, when and why. Each change is logged, hash-chained by agent, before it is
    made. Exit status: 0; 1 another change was faster; 2 refused, the reason is shown.
    """
    from detector.registry import store as stores
    from detector.registry.options import stamp_of, store_of
    from detector.registry.tables import prepared, told

    store, stamp = store_of(file, bootstrap, topic_prefix), stamp_of(by, reason)
    changes = prepared(store, drafts, activate=activate)
    for line in told(changes):
        typer.echo(line)
    if dry_run:
        raise typer.Exit(2 * int(any(change.kind == "refused" for change in changes)))
    if all(change.kind == "same" for change in changes):
        typer.echo("nothing to change")
        raise typer.Exit
    lost = stores.apply(store, changes, stamp)
    for line in lost:
        typer.echo(f"detector: lost against another change: {line}", err=True)
    typer.echo(f"written to {store.place}" if not lost else f"not all of it stands on {store.place}: diff again")
    raise typer.Exit(int(bool(lost)))


@app.command("retire")
def retire(
    agent: Agent,
    by: By,
    reason: Reason,
    file: File = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Retire an agent: from now on it may not act, and its entry stays as the record of what it was.

    Exit status: 0; 1 there is no entry, or another change was faster; 2 refused.
    """
    from detector.registry import store as stores
    from detector.registry.changes import changes_of
    from detector.registry.drafts import Draft
    from detector.registry.options import stamp_of, store_of
    from detector.registry.tables import told

    store, stamp = store_of(file, bootstrap, topic_prefix), stamp_of(by, reason)
    stands = store.read().entries
    if agent not in stands:
        typer.echo(f"detector: no entry of {agent} stands on {store.place}", err=True)
        raise typer.Exit(1)
    entry = stands[agent].model_copy(update={"lifecycle": "retired"})
    changes = changes_of([Draft(entry.revision, entry)], stands)
    for line in told(changes):
        typer.echo(line)
    if lost := stores.apply(store, changes, stamp):
        typer.echo(f"detector: lost against another change: {lost[0]}", err=True)
        raise typer.Exit(1)


@app.command("export")
def export(out: Out = None, file: File = None, bootstrap: Bootstrap = None, topic_prefix: Prefix = None) -> None:
    """Write the inventory as a file to edit and apply: each entry says which revision it was.

    Exit status: 0; 2 the inventory cannot be read.
    """
    from detector.registry.options import put, store_of
    from detector.registry.tables import exported

    store = store_of(file, bootstrap, topic_prefix)
    standing = store.read()
    put(exported(standing.entries, store.place), out)
    _tell_refused(standing.refused)


@app.command("verify")
def verify(file: File = None, bootstrap: Bootstrap = None, topic_prefix: Prefix = None) -> None:
    """Hold the inventory against its log: whether every change is there, unaltered, and nothing stands beside it.

    Exit status: 0 it holds; 1 it does not, every fault is shown; 2 something cannot be read.
    """
    from detector.registry.log import faults_of
    from detector.registry.options import store_of

    store = store_of(file, bootstrap, topic_prefix)
    log, standing = store.log(), store.read()
    faults = faults_of(log, standing.entries)
    for line in faults:
        typer.echo(line)
    typer.echo(f"{len(log)} changes of {len(standing.entries)} entries: {len(faults)} faults")
    raise typer.Exit(int(bool(faults)))


def _tell_refused(number: int) -> None:
    if number:
        typer.echo(f"left out: {number} records that are no entry, or lie under another agent's key", err=True)
