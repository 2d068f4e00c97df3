"""What an agent does and runs, held against its entry: uses outside of it, versions nobody approved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.criticality import DeclaredAct, declared_acts
from detector.rules.declared import TOOL_KINDS, Use, model_of, target_of, uses_of
from detector.rules.rule import Hit, RuleScene, short

SAID: Final[dict[Use, str]] = {
    "tool": "tool", "target": "target", "peer": "peer", "delegate": "caller", "data_class": "data class",
}  # fmt: skip
"""What a use is called."""


def outside_grant(scene: RuleScene) -> Iterator[Hit]:
    """Yield the uses outside of what is declared of an agent and of what its running grants add; one cause a kind."""
    for act in declared_acts(scene):
        event, agent = act.event, act.agent
        tool = event.kind in TOOL_KINDS and event.name
        target = target_of(event) if agent.facts.targets is not None else None  # of which there are many
        key = (tool, target, event.peer_agent_id, event.parent_agent_id, event.data_class)
        if key in agent.fine:
            continue
        outside = [used for used in uses_of(event) if not agent.declares(used)]
        if not outside:
            agent.note(key)
        for used in outside:
            if not agent.lends(used, act.now):
                words = {"use": SAID[used.use], "what": short(used.name)}
                yield Hit(act.place, used.use, words, act.severity("medium"))


def unapproved(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events of an agent that runs what nobody approved; one cause for each thing."""
    for act in declared_acts(scene):
        event = act.event
        tool = event.tool_hash and event.name
        key = (event.agent_version, model_of(event), event.prompt_hash, tool, event.tool_hash, "runs")
        if key in act.agent.fine:
            continue
        things = list(_unapproved(act))
        if not things:
            act.agent.note(key)
        for cause, what, found in things:
            yield Hit(act.place, cause, {"what": what, "found": short(found)}, act.severity("high"))


def _unapproved(act: DeclaredAct) -> Iterator[tuple[str, str, str]]:
    """Yield cause, name and value of each of an event's versions that is not approved."""
    event, agent, facts = act.event, act.agent, act.agent.facts
    for what, found, approved in (
        ("version", event.agent_version, facts.versions),
        ("model", model_of(event), facts.models),
        ("prompt", event.prompt_hash, facts.prompt_hashes),
    ):
        if found and not agent.matches(approved, found):
            yield what, what, found
    if event.tool_hash and facts.tool_hashes and not agent.approves_tool(event.name, event.tool_hash):
        tool = short(event.name)
        yield f"tool/{tool}", f"definition of tool {tool}", event.tool_hash
