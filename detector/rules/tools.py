"""What tools an agent was given: a definition that changed under it, a server it never used before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.places import in_order
from detector.rules.rule import Hit, RuleScene, short
from detector.schema.event import Event

MOST_TOOLS: Final = 64
"""Tools of an agent whose definitions are held; of more the first ones."""
MOST_SERVERS: Final = 32
"""Servers of an agent that are known; of more the first ones, and each further one is new."""
SETTLED_S: Final = 86_400.0
"""Seconds after an agent's first server from which a new one is told: until then it is being set up."""
_MCP: Final = "mcp__"


def tool_redefined(scene: RuleScene) -> Iterator[Hit]:
    """Yield the calls of a tool whose definition is not the one this agent first used it under; one cause a tool."""
    for i in scene.places.having("tool_hash"):
        event = scene.events[i]
        tool, definition = short(event.name), [short(event.tool_hash or ""), short(event.agent_version or "")]
        known = scene.known(i)
        before = None if known is None else known.kept.get(tool)
        if before == definition:
            continue
        kept = scene.notes(i).kept
        if before is None and len(kept) >= MOST_TOOLS:
            scene.memory.counts["rule_notes_full"] += 1
            continue
        kept[tool] = definition
        if before is not None and before[0] != definition[0] and before[1] == definition[1]:
            yield Hit(i, tool, {"before": before[0][:16], "now": definition[0][:16]})


def new_mcp_server(scene: RuleScene) -> Iterator[Hit]:
    """Yield the uses of an MCP server that this agent, set up for a day, never used; one cause a server."""
    places = scene.places
    for i in in_order(places.named("server"), places.watched(), places.of_kind("lifecycle")):
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
