"""Commands that propose zones: of events, of the inventory's entries, of a cluster's policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.registry.options import Bootstrap, Out, Prefix
from detector.registry.study.commands import FromTopic, IsQuiet, LeastDays, LeastSessions, Paths, Since, Until

app = typer.Typer(rich_markup_mode="markdown")

Tenant = Annotated[str, typer.Option(help="Whose zones.")]
Inventory = Annotated[
    Path | None,
    typer.Option(help="Inventory in a YAML file, for the zones of entries; without it Kafka's.", dir_okay=False),
]


@app.command("discover")
def discover(  # noqa: PLR0913 - one parameter per option of the command line
    events: Paths = None,
    from_topic: FromTopic = False,
    since: Since = None,
    until: Until = None,
    tenant: Tenant = "default",
    least_sessions: LeastSessions = 3,
    least_days: LeastDays = 2,
    out: Out = None,
    quiet: IsQuiet = False,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Propose zones and crossings as events say them (`zone`, `peer_zone`), to be reviewed and applied.

    What was seen in few sessions or on few days stands beside, as comments. An agent seen in several zones is a member
    of none: a person decides. Exit status: 0; 2 refused.
    """
    from detector.registry.options import put
    from detector.registry.study.commands import event_source
    from detector.registry.study.events import left_out_lines, watched
    from detector.registry.study.peers import Firmness
    from detector.registry.zones.seen import SeenZones

    source = event_source(events, since, until, from_topic, bootstrap, topic_prefix)
    with watched(source, "reading events", is_shown=not quiet) as progress:
        seen = SeenZones(tenant).add_all(source.read(progress))
    for line in left_out_lines(source.left_out):
        typer.echo(line, err=True)
    put(seen.page(Firmness(least_sessions, least_days)), out)


@app.command("import")
def import_(  # noqa: PLR0913 - one parameter per option of the command line
    path: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="kubectl get networkpolicy -A -o json; without it the inventory."),
    ] = None,
    tenant: Tenant = "default",
    out: Out = None,
    inventory: Inventory = None,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Propose zones of what there is: of the zones that active entries name, or of a cluster's NetworkPolicies.

    Of entries no crossing is proposed; of policies those that let another namespace connect. What cannot be taken over
    stands as comments. Nothing is changed. Exit status: 0; 2 refused.
    """
    from detector.registry.documents import read_document
    from detector.registry.options import put, store_of
    from detector.registry.zones.importing import zones_of_entries, zones_of_policies

    if path is not None:
        found = zones_of_policies(read_document(path))
    else:
        on_kafka = (None, bootstrap, topic_prefix)
        entries = store_of(*(on_kafka if inventory is None else (inventory, None, None))).read().entries
        found = zones_of_entries(entries.values(), tenant)
    put(found.page(tenant), out)
