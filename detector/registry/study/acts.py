"""What one event uses of an entry: which tool, target, peer, class, model; the one place where that is decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.declared import TOOL_KINDS, model_of, target_of
from detector.schema.event import Event

READ_KINDS: Final = frozenset({"data_access", "auth", "llm_call", "lifecycle", "policy"})
"""Kinds that are taken as reading; the others can change something."""
READ_WORDS: Final = frozenset(
    "browse check count describe fetch find get list lookup query read retrieve search show stat verify view".split()
)
"""First words of a tool's name that say it reads; what a name says is believed for the risk table only."""

BETWEEN: Final = "\x1f"
"""Stands between a tool and the hash of its definition, where both are one value."""
FIELDS: Final = (
    "tools",
    "targets",
    "peers",
    "delegates",
    "data_classes",
    "approved.versions",
    "approved.models",
    "approved.prompt_hashes",
    "approved.tool_hashes",
)
"""Fields of an entry that a use falls inside or outside of."""


def uses_of(event: Event) -> Iterator[tuple[str, str]]:
    """Yield (field of an entry, value) for everything an event uses."""
    if event.kind in TOOL_KINDS:
        yield "tools", event.name
    if target := target_of(event):
        yield "targets", target
    if model := model_of(event):
        yield "approved.models", model
    if event.peer_agent_id:
        yield "peers", event.peer_agent_id
    if event.parent_agent_id:
        yield "delegates", event.parent_agent_id
    if event.data_class:
        yield "data_classes", event.data_class
    if event.agent_version:
        yield "approved.versions", event.agent_version
    if event.prompt_hash:
        yield "approved.prompt_hashes", event.prompt_hash
    if event.tool_hash:
        yield "approved.tool_hashes", f"{event.name}{BETWEEN}{event.tool_hash}"


def is_write(event: Event) -> bool:
    """Tell whether an act can change something, by its kind and the first word of the tool's name."""
    return event.kind not in READ_KINDS and event.name.lower().split("_", 1)[0].split(".", 1)[0] not in READ_WORDS
