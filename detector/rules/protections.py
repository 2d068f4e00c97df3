"""An agent's own protections switched off: its permission mode, its sandbox, the hook that may refuse a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from detector.rules.rule import Hit, RuleScene, short
from detector.schema.marks import OF_FIELD, OF_KIND, WATCHED

BYPASSED: Final = frozenset({"bypasspermissions", "yolo"})
"""Modes in which no call is asked about, as Claude Code and Gemini CLI call them; letters only, in lower case."""
OPEN_POLICIES: Final = frozenset({"dangerfullaccess"})
"""Sandbox policies that hold nothing back: Codex."""
REFUSING: Final = frozenset({"pretooluse", "permissionrequest", "userpromptsubmit"})
"""Hooks that may refuse; of others, which tidy up behind a call, a failure is an everyday thing."""
UNBOXED: Final = "arg.dangerouslyDisableSandbox"
"""Argument by which Claude Code's shell asks to run outside of the sandbox."""

NO: Final = frozenset({"false", "no", "off", "0"})
"""How a text says no: another case, or another release's word for it, must not pass for a sandbox."""
OUTCOME: Final = "sandbox_outcome"
"""Attribute by which GitHub Copilot's shell says, call by call, what its sandbox did."""


def _word(value: object) -> str:
    """Return the letters of a word in lower case: sources write one mode in several ways; of no text nothing."""
    return "".join(filter(str.isalpha, value)).lower() if isinstance(value, str) else ""


def permission_bypass(scene: RuleScene) -> Iterator[Hit]:
    """Yield the switches, within a session, to a mode in which nobody is asked; one cause a mode."""
    for i in scene.places.where(OF_KIND["policy"], OF_FIELD["attributes"]):
        event = scene.events[i]
        if "to_mode" in event.attributes:
            mode, before = event.attributes["to_mode"], event.attributes.get("from_mode")
            if _word(mode) in BYPASSED and _word(before) not in BYPASSED:
                yield Hit(i, _word(mode), {"mode": mode, "before": before or "another mode"})


def sandbox_off(scene: RuleScene) -> Iterator[Hit]:
    """Yield the sessions that begin without a sandbox, and the calls that ask to run outside of it."""
    for i in scene.places.where(OF_KIND["lifecycle"] | WATCHED, OF_FIELD["attributes"]):
        event = scene.events[i]
        if (how := _opened(event.kind, event.attributes)) is not None:
            yield Hit(i, how, {"how": how})


def _opened(kind: str, attributes: Mapping[str, Any]) -> str | None:
    """Return how a sandbox is off, None if nothing says that it is."""
    if kind == "tool_call":
        if attributes.get(OUTCOME) == "inactive":
            return "inactive at a call"
        return "asked for by a call" if attributes.get(UNBOXED) in (True, "true") else None
    if kind != "lifecycle":
        return None
    if _word(attributes.get("sandbox_policy")) in OPEN_POLICIES:
        return "policy danger-full-access"
    is_off = _is_no(attributes.get("sandbox_enabled"))
    return "no sandbox, and nobody asked" if is_off and _word(attributes.get("approval_mode")) in BYPASSED else None


def _is_no(value: object) -> bool:
    """Return whether a value says no, as a truth, a number or a text; what is not there says nothing."""
    return value.strip().lower() in NO if isinstance(value, str) else value is not None and value == 0


def hook_failed(scene: RuleScene) -> Iterator[Hit]:
    """Yield the hooks that may refuse and did not answer: the call they were asked about went on; one cause a hook."""
    for i in scene.places.where(OF_KIND["policy"], OF_FIELD["attributes"]):
        event = scene.events[i]
        if event.outcome == "error" and event.attributes:
            name = event.attributes.get("hook_name")
            moment = event.attributes.get("hook_event") or (name.split(":")[0] if isinstance(name, str) else None)
            if isinstance(moment, str) and _word(moment) in REFUSING:
                yield Hit(i, short(moment), {"hook": name if isinstance(name, str) else moment})
