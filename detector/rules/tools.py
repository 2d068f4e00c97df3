"""What tools an agent was given: a definition that changed under it, a server it never used before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.places import OF_NAME
from detector.rules.rule import Hit, RuleScene, short
from detector.rules.unversioned import changed
from detector.schema.event import Event
from detector.schema.marks import OF_KIND, WATCHED

MOST_TOOLS: Final = 64
"""Tools of an agent whose definitions are held; of more the first ones."""
MOST_SERVERS: Final = 32
"""Servers of an agent that are known; of more the first ones, and each further one is new."""
SETTLED_S: Final = 86_400.0
"""Seconds after an agent's first server from which a new one is told: until then it is being set up."""
_MCP: Final = "mcp__"


def tool_redefined(scene: RuleScene) -> Iterator[Hit]:
    """Yield the calls of a tool whose definition is not the one this agent first used it under; one cause a tool."""
    yield from changed(scene, "tool_hash", MOST_TOOLS)


def new_mcp_server(scene: RuleScene) -> Iterator[Hit]:
    """Yield the uses of an MCP server that this agent, set up for a day, never used; one cause a server."""
    for i in scene.places.where(OF_NAME["server"] | WATCHED | OF_KIND["lifecycle"]):
        if (server := server_of(scene.events[i])) is None:
            continue
        known = scene.known(i)
        if known is not None and server in known.kept["servers"]:
            continue
        kept, now = scene.notes(i).kept, scene.clock[i]
        servers = kept.setdefault("servers", [])
        since = kept.setdefault("since", now)
        if len(servers) < MOST_SERVERS:
            servers.append(server)
        else:
            scene.memory.counts["rule_notes_full"] += 1
        if now - since >= SETTLED_S:
            yield Hit(i, server, {"server": server})


def server_of(event: Event) -> str | None:
    """Return the MCP server an event names: in its tool's name, or where its source says so."""
    attributes, named = event.attributes, None
    if event.kind == "tool_call":
        if event.name.startswith(_MCP):
            server, found, _ = event.name[len(_MCP) :].partition("__")
            return short(server) if found and server else None
        if attributes:
            named = attributes.get("mcp_server_name") or attributes.get("mcp.target")
    elif event.kind == "lifecycle" and attributes.get("status") == "connected":
        named = attributes.get("server_name")
    return short(named) if isinstance(named, str) and named else None
