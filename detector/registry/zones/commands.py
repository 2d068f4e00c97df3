"""Commands of zones that stand: list, show, apply, verify, cut, render."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from detector.registry.options import AsJson, Bootstrap, By, Out, Prefix, Reason
from detector.registry.zones.proposals import Inventory, Tenant
from detector.registry.zones.proposals import app as proposals

if TYPE_CHECKING:
    from detector.registry.zones.places import Isolated
    from detector.registry.zones.stores import ZonesStore
    from detector.schema.registry import RegistryEntry
    from detector.schema.zones import Zone, ZoneDeclaration

app = typer.Typer(rich_markup_mode="markdown", no_args_is_help=True)
app.add_typer(proposals)

ZonesFile = Annotated[
    Path | None,
    typer.Option("--file", help="Zones in a YAML file, in place of Kafka; its log lies beside it.", dir_okay=False),
]


@app.command("list")
def list_(
    as_json: AsJson = False, file: ZonesFile = None, bootstrap: Bootstrap = None, topic_prefix: Prefix = None
) -> None:
    """List the zones of every tenant: how critical, how many members, what may cross into them, last change.

    Exit status: 0; 2 they cannot be read.
    """
    from detector.registry.zones.drafts import zones_record_of
    from detector.registry.zones.tables import zones_listed

    standing = _store(file, bootstrap, topic_prefix).read()
    if as_json:
        for _, one in sorted(standing.declared.items()):
            typer.echo(json.dumps(json.loads(zones_record_of(one))))
    else:
        for line in zones_listed(standing):
            typer.echo(line)


@app.command("show")
def show(
    tenant: Annotated[str, typer.Argument(help="Whose zones.")] = "default",
    out: Out = None,
    file: ZonesFile = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Write a tenant's zones as a file to edit and apply, with the changes that led to them as comments.

    Exit status: 0; 1 none stand; 2 they cannot be read.
    """
    from detector.registry.options import put
    from detector.registry.zones.drafts import stamp_note, zones_page
    from detector.registry.zones.tables import zones_history

    store = _store(file, bootstrap, topic_prefix)
    declared = _standing(store, tenant)
    notes = [stamp_note(declared), *zones_history(store.log(), tenant)]
    put(zones_page(declared, declared.revision, notes), out)


@app.command("apply")
def apply(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File of zones, YAML or JSON.", dir_okay=False)],
    by: By,
    reason: Reason,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    file: ZonesFile = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Make the zones of a file stand, in a person's name, in every partition.

    They must have been made from the revision that stands (`revision` in the file; 0: none does). Each change is
    logged, hash-chained by tenant, before it is made. A file that changes nothing is written again where a partition
    lacks it. Exit status: 0; 1 another change was faster; 2 refused, the reason is shown.
    """
    from detector.registry.options import stamp_of
    from detector.registry.zones.changes import zones_changes_of
    from detector.registry.zones.drafts import read_zones_drafts
    from detector.registry.zones.stores import apply_zones
    from detector.registry.zones.tables import zones_told

    store, stamp = _store(file, bootstrap, topic_prefix), stamp_of(by, reason)
    changes = zones_changes_of(read_zones_drafts(path), store.read().declared)
    for line in zones_told(changes):
        typer.echo(line)
    if dry_run:
        raise typer.Exit(2 * int(any(change.kind == "refused" for change in changes)))
    lost = apply_zones(store, changes, stamp)
    for line in lost:
        typer.echo(f"detector: lost against another change: {line}", err=True)
    typer.echo(f"stands on {store.place}" if not lost else f"not all of it stands on {store.place}: apply again")
    raise typer.Exit(int(bool(lost)))


@app.command("verify")
def verify(file: ZonesFile = None, bootstrap: Bootstrap = None, topic_prefix: Prefix = None) -> None:
    """Hold the zones against their log, and the partitions against each other.

    Exit status: 0 all holds; 1 it does not, every fault is shown; 2 something cannot be read.
    """
    from detector.registry.zones.changes import zones_faults_of
    from detector.registry.zones.tables import behind_lines

    store = _store(file, bootstrap, topic_prefix)
    log, standing = store.log(), store.read()
    faults = [*zones_faults_of(log, standing.declared), *behind_lines(standing)]
    for line in faults:
        typer.echo(line)
    typer.echo(f"{len(log)} changes of the zones of {len(standing.declared)} tenants: {len(faults)} faults")
    raise typer.Exit(int(bool(faults)))


@app.command("cut")
def cut(
    agent: Annotated[str, typer.Argument(help="Id of the agent, as in its events.")],
    tenant: Tenant = "default",
    as_json: AsJson = False,
    inventory: Inventory = None,
    file: ZonesFile = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Name the edges between zones that are to be cut where an agent is isolated: within its zone, out of it, into it.

    `render --isolate` writes the rules of a cluster that cut them. Exit status: 0; 1 no zones stand; 2 the agent stands
    in none of them.
    """
    from detector.registry.zones.edges import edges_to_cut, zone_of_agent
    from detector.registry.zones.tables import edge_body, edge_line

    declared = _standing(_store(file, bootstrap, topic_prefix), tenant)
    zone = zone_of_agent(declared, agent, _entry_of(agent, file, inventory, bootstrap, topic_prefix))
    for edge in edges_to_cut(declared, zone.name):
        typer.echo(json.dumps(edge_body(agent, edge)) if as_json else edge_line(edge))


@app.command("render")
def render(
    form: Annotated[Literal["networkpolicy", "istio"], typer.Option("--format", help="What to write.")],
    tenant: Tenant = "default",
    isolate: Annotated[str | None, typer.Option(metavar="AGENT", help="An agent to cut off as well.")] = None,
    pod: Annotated[str | None, typer.Option(metavar="KEY=VALUE", help="Label of its pods, and no others'.")] = None,
    service_account: Annotated[
        str | None, typer.Option(metavar="NAMESPACE/NAME", help="Its service account; without it the agent's id.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="NAMESPACE", help="What it must still reach. May be repeated.")
    ] = None,
    egress: Annotated[
        bool, typer.Option("--egress", help="networkpolicy: let zones reach nothing but zones, and DNS.")
    ] = False,
    out: Out = None,
    inventory: Inventory = None,
    file: ZonesFile = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Write the declared crossings as rules of a Kubernetes cluster, and those that cut an agent off.

    Nothing is applied: review it, then `kubectl apply`. What a form cannot say (tools, kinds) stands in it as comments.
    Exit status: 0; 1 no zones stand; 2 refused, the reason is shown.
    """
    from detector.registry.options import put
    from detector.registry.zones.edges import zone_of_agent
    from detector.registry.zones.istio import authorization_policies, istio_notes
    from detector.registry.zones.networkpolicy import network_notes, network_policies
    from detector.registry.zones.places import pages_of

    declared, isolated = _standing(_store(file, bootstrap, topic_prefix), tenant), None
    if isolate is not None:
        zone = zone_of_agent(declared, isolate, _entry_of(isolate, file, inventory, bootstrap, topic_prefix))
        isolated = _isolated(isolate, zone, pod, service_account, keep)
    if form == "istio":
        manifests, notes = authorization_policies(declared, isolated), istio_notes(declared)
    else:
        manifests = network_policies(declared, isolated, closes_egress=egress)
        notes = network_notes(declared)
    title = f"Zones of {tenant}, revision {declared.revision}, by detector registry zones render"
    put(list(pages_of(manifests, [title, *notes])), out)


def _isolated(agent: str, zone: Zone, pod: str | None, account: str | None, keep: list[str] | None) -> Isolated:
    from detector.errors import SetupError
    from detector.registry.zones.places import Isolated, account_of, kept_of, pod_of

    if pod is None:
        raise SetupError("pod of an isolated agent must be said as KEY=VALUE, the label of its pods, got none")
    return Isolated(agent, zone, pod_of(pod), account_of(account, agent), kept_of(keep or ()))


def _entry_of(
    agent: str, file: Path | None, inventory: Path | None, bootstrap: str | None, prefix: str | None
) -> RegistryEntry | None:
    """Return the agent's entry: of the inventory that is named, or Kafka's where the zones are there too."""
    from detector.registry.options import store_of

    if inventory is not None:
        return store_of(inventory, None, None).read().entries.get(agent)
    return None if file is not None else store_of(None, bootstrap, prefix).read().entries.get(agent)


def _standing(store: ZonesStore, tenant: str) -> ZoneDeclaration:
    declared = store.read().declared.get(tenant)
    if declared is None:
        typer.echo(f"detector: no zones of tenant {tenant} stand on {store.place}", err=True)
        raise typer.Exit(1)
    return declared


def _store(file: Path | None, bootstrap: str | None, prefix: str | None) -> ZonesStore:
    from detector.errors import SetupError
    from detector.registry.options import kafka_of

    if file is not None:
        if bootstrap is not None or prefix is not None:
            raise SetupError("zones of the command must be in --file or on Kafka, got both")
        from detector.registry.zones.stores import FileZones

        return FileZones(file)
    from detector.registry.zones.topic_zones import TopicZones

    kafka, names = kafka_of(bootstrap, prefix)
    return TopicZones(kafka, names)
