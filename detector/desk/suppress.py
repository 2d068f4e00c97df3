"""Commands for exceptions: `detector suppress add` and `detector suppress end`; heavy imports happen inside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from detector.desk.commands import Bootstrap, Prefix

app = typer.Typer(no_args_is_help=True, help="Say what is not to be told for a time, and end that.")

SCOPE = "Scope: all that is given must fit"


@app.command("add")
def add(
    owner: Annotated[str, typer.Option(help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why; it stands on the records of what was hidden.")],
    tool: Annotated[str | None, typer.Option(help="Name of the act.", rich_help_panel=SCOPE)] = None,
    target: Annotated[str | None, typer.Option(help="Its whole target.", rich_help_panel=SCOPE)] = None,
    agent: Annotated[str | None, typer.Option(help="Id of the agent, as in its events.", rich_help_panel=SCOPE)] = None,
    group: Annotated[
        str | None, typer.Option(help="Peer group (agent_type) that the agent is held against.", rich_help_panel=SCOPE)
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            help="Channel without which the act would not alert; or a rule, which nothing else suppresses.",
            rich_help_panel=SCOPE,
        ),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Must be said where neither agent nor group is.", rich_help_panel=SCOPE)
    ] = False,
    strong: Annotated[
        bool, typer.Option("--strong", help="Also what is past the share for quarantine; with --agent it always is.")
    ] = False,
    until: Annotated[
        datetime | None,
        typer.Option(help="Event time (UTC) of its end, within 90 days; only an agent with something else needs none."),
    ] = None,
    tenant: Annotated[str, typer.Option(help="Tenant of the agent or group.")] = "default",
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """Let what fits a scope not be told until a time, in the name of somebody who answers for it.

    Writes it to agent.feedback: beside the agent's events, or to every partition. From there on the act gives no alert
    and no command; other acts of the session do, and so do confirmed attacks. What it hid is counted: see
    `detector suppressions`. Exit status: 0 written; 2 refused, the reason is shown.
    """
    from detector.desk.suppressing import SuppressionClient
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    ends = None if until is None else until.replace(tzinfo=until.tzinfo or UTC).timestamp()
    named = {"tool": tool, "target": target, "agent_id": agent, "group": group, "channel": channel, "until": ends}
    scope = {name: value for name, value in named.items() if value is not None}
    client = SuppressionClient(confluent_options(settings), settings.topics)
    written = client.add(owner, reason, **scope, everyone=everyone, strong=strong, tenant=tenant)
    typer.echo(f"written   {settings.topics.feedback}, partitions {', '.join(map(str, written.partitions))}")
    typer.echo(f"id        {written.uid}")
    typer.echo("next      detector suppressions shows what it hides; a partition that refuses it writes a dead letter")


@app.command("end")
def end(
    suppression: Annotated[str, typer.Argument(help="Its id, as `detector suppressions` shows it.")],
    by: Annotated[str, typer.Option(help="Who ends it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
) -> None:
    """End a suppression before its time, in a person's name; what it hid stays counted.

    Exit status: 0 written; 2 refused, the reason is shown.
    """
    from detector.desk.suppressing import SuppressionClient
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    written = SuppressionClient(confluent_options(settings), settings.topics).end(suppression, by, reason)
    typer.echo(f"written   {settings.topics.feedback}, partitions {', '.join(map(str, written.partitions))}")
