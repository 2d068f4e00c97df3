"""The command `detector edge`; heavy imports happen inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(rich_markup_mode="markdown")

KAFKA = "Kafka"
ANSWERING = "Answering"
GATEWAYS = "Gateways"
TLS = "TLS of ports"


Bootstrap = Annotated[
    str | None,
    typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)", rich_help_panel=KAFKA),
]
Prefix = Annotated[str | None, typer.Option(help="Stands before every topic name.", rich_help_panel=KAFKA)]


@app.command("edge")
def edge(
    socket: Annotated[
        Path,
        typer.Option(help="Where detector-gate asks; its folder must be the service's.", rich_help_panel=ANSWERING),
    ] = Path("/run/detector/edge.sock"),
    socket_mode: Annotated[
        str, typer.Option(help="Rights of the socket, octal: who may ask.", rich_help_panel=ANSWERING)
    ] = "666",
    fail: Annotated[
        Literal["closed", "static"],
        typer.Option(
            help="Policy topic out of reach: deny every call, or go on with what was read last.",
            rich_help_panel=ANSWERING,
        ),
    ] = "closed",
    stale_after: Annotated[
        float, typer.Option(min=2.0, help="Seconds after which it counts as out of reach.", rich_help_panel=ANSWERING)
    ] = 30.0,
    copy: Annotated[
        Path | None,
        typer.Option(
            help="File kept with what binds: read at a start without Kafka, and by a gate without this service.",
            rich_help_panel=ANSWERING,
        ),
    ] = None,
    point: Annotated[
        str | None, typer.Option(help="Name in acknowledgements. (default: edge/ and the host's name)")
    ] = None,
    listen_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of /livez, /readyz and /metrics; 0: off.")
    ] = 9465,
    listen_host: Annotated[str, typer.Option(help="Address of that port.")] = "127.0.0.1",
    ext_authz: Annotated[
        str,
        typer.Option(
            help="Where gateways ask over gRPC (Envoy's ext_authz, agentgateway's ExtMcp): unix:/path, or HOST:PORT, "
            "of loopback or with certificates. Needs the extra `gateway`.",
            rich_help_panel=GATEWAYS,
        ),
    ] = "",
    agent_from: Annotated[
        list[str] | None,
        typer.Option(
            help="Place in a request that names the agent and that agents cannot write: principal, header:NAME or "
            "metadata:KEY/KEY; several times. (default: principal)",
            rich_help_panel=GATEWAYS,
        ),
    ] = None,
    tenant_from: Annotated[
        list[str] | None,
        typer.Option(help="Place that names its tenant, besides --tenant; several times.", rich_help_panel=GATEWAYS),
    ] = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help="Tenant of all that call; several times. (default: default)", rich_help_panel=GATEWAYS),
    ] = None,
    unnamed: Annotated[
        Literal["deny", "allow"],
        typer.Option(help="A call whose agent no place names.", rich_help_panel=GATEWAYS),
    ] = "deny",
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate with its chain, PEM: ports speak TLS.", rich_help_panel=TLS)
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM, without password.", rich_help_panel=TLS)] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(help="Authorities, PEM: who asks needs a certificate of one of them.", rich_help_panel=TLS),
    ] = None,
    anyone_may_ask: Annotated[
        bool,
        typer.Option(
            "--anyone-may-ask",
            help="Listen where other machines reach it without asking for their certificates.",
            rich_help_panel=TLS,
        ),
    ] = False,
    bootstrap: Bootstrap = None,
    topic_prefix: Prefix = None,
    group: Annotated[
        str, typer.Option(help="Group told to the broker; nothing is committed.", rich_help_panel=KAFKA)
    ] = "gateway",
) -> None:
    """Carry out quarantines at the agents of this machine, until stopped with SIGTERM or Ctrl-C.

    Follows agent.policy and answers detector-gate, the hook command of Claude Code, Codex, Gemini CLI and Copilot CLI:
    a call of a contained agent is denied in the agent's own form, and acknowledged on agent.policy.acks. With
    --ext-authz it answers Envoy and agentgateway from the same states; LiteLLM's guardrail asks on the socket. Only
    states in enforce mode bind. Brokers and credentials are those of the worker's settings; it needs no other part of
    the worker.
    """
    import socket as sockets

    from detector.edge.callers import Trust, place_of
    from detector.edge.service import EdgeOptions, run_edge
    from detector.edge.tls import tls_of
    from detector.errors import SetupError
    from detector.worker.clients import confluent_options
    from detector.worker.log_setup import set_up_logging
    from detector.worker.settings import load_settings

    try:
        mode = int(socket_mode, 8)
    except ValueError as exc:
        raise SetupError(f"socket-mode of edge must be octal, such as 660, got {socket_mode!r}") from exc
    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": topic_prefix})
    set_up_logging(settings.log_level, is_json=settings.log_json)
    options = EdgeOptions(
        socket_path=socket,
        socket_mode=mode,
        listen=(listen_host, listen_port) if listen_port else None,
        fail=fail,
        stale_after_s=stale_after,
        copy=copy,
        point=point or f"edge/{sockets.gethostname()}",
        group=group,
        gateways=ext_authz,
        trust=Trust(
            agents=tuple(map(place_of, agent_from or ["principal"])),
            tenants=tuple(tenant or ["default"]),
            tenants_from=tuple(map(place_of, tenant_from or [])),
            unnamed=unnamed,
        ),
        tls=tls_of(tls_cert, tls_key, tls_client_ca),
        may_anyone=anyone_may_ask,
    )
    run_edge(confluent_options(settings), settings.topics, options)
