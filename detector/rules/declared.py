"""What an entry of the registry says, as rules need it: a few bytes an agent, made ready when the agent acts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import msgspec

from detector.rules.patterns import Patterns
from detector.rules.places import ACTING
from detector.schema.event import Event
from detector.schema.registry import Criticality, Declared, Lifecycle, RegistryEntry

MOST_FINE: Final = 32
MOST_LETTERS: Final = 128
"""Acts of an agent that are remembered as fine, and how long a text of theirs may be."""
TOOL_KINDS: Final = frozenset(ACTING)
"""Kinds of events whose name is a tool's and is held against `tools`: all that a gateway sees called."""
Use = Literal["tool", "target", "peer", "delegate", "data_class"]
_LISTS: Final[dict[Use, str]] = {
    "tool": "tools", "target": "targets", "peer": "peers", "delegate": "delegates", "data_class": "data_classes",
}  # fmt: skip
"""Which list of an entry a use is held against."""


class Term(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A grant as rules need it; the fields are those of the entry."""

    id: str
    granted_at: float
    expires_at: float | None
    temporary: bool
    renewals: int
    tools: Declared
    targets: Declared


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """An entry as rules need it: who answers for it and why is left out; `digest` is that of the record's bytes."""

    digest: bytes
    revision: int
    tenant: str
    lifecycle: Lifecycle
    criticality: Criticality
    max_age_s: float
    zone: str | None
    tools: Declared
    targets: Declared
    peers: Declared
    delegates: Declared
    data_classes: Declared
    versions: Declared
    models: Declared
    prompt_hashes: Declared
    tool_hashes: dict[str, tuple[str, ...]] | None
    grants: tuple[Term, ...]
    agent_type: str | None = None
    profile: str | None = None


class Used(NamedTuple):
    """A use that an event makes, and of what."""

    use: Use
    name: str


def uses_of(event: Event) -> Iterator[Used]:
    """Yield what an event uses, as it is held against an entry's lists, and as discovery has to propose it.

    A tool: the name of an act, any of :data:`TOOL_KINDS`. A target, a peer, a data class: as the field says, whatever
    kind the event is; a model is no target. A delegate: the agent that had this one act (``parent_agent_id``).
    """
    if event.kind in TOOL_KINDS:
        yield Used("tool", event.name)
    if target := target_of(event):
        yield Used("target", target)
    if event.peer_agent_id:
        yield Used("peer", event.peer_agent_id)
    if event.parent_agent_id:
        yield Used("delegate", event.parent_agent_id)
    if event.data_class:
        yield Used("data_class", event.data_class)


def target_of(event: Event) -> str | None:
    """Return what an event acts on; None where that is the model it calls: models are approved, not granted.

    Whoever calls an act a call of a model takes it out of `targets` no more than by leaving the target out, and has it
    held against the approved models instead. A host that serves the model it names apart is a target.
    """
    if event.kind == "llm_call" and event.model in {None, event.target}:
        return None
    return event.target


def model_of(event: Event) -> str | None:
    """Return the model an event ran on: as it says, or the target of a call of a model."""
    return event.model or (event.target if event.kind == "llm_call" else None)


def digest_of_entry(value: bytes) -> bytes:
    """Return what tells two records of one revision apart."""
    return hashlib.blake2b(value, digest_size=8).digest()


def facts_of(entry: RegistryEntry, value: bytes) -> Facts:
    """Return an entry as rules need it.

    Raises
    ------
    ValueError
        One of its patterns is none.
    """
    approved = entry.approved
    facts = Facts(
        digest=digest_of_entry(value),
        revision=entry.revision,
        tenant=entry.tenant,
        lifecycle=entry.lifecycle,
        criticality=entry.criticality,
        max_age_s=entry.max_age_h * 3_600.0,
        zone=entry.zone,
        tools=entry.tools,
        targets=entry.targets,
        peers=entry.peers,
        delegates=entry.delegates,
        data_classes=entry.data_classes,
        versions=approved.versions,
        models=approved.models,
        prompt_hashes=approved.prompt_hashes,
        tool_hashes=approved.tool_hashes,
        grants=tuple(
            Term(one.id, one.granted_at, one.expires_at, one.temporary, one.renewals, one.tools, one.targets)
            for one in entry.grants
        ),
        agent_type=entry.agent_type,
        profile=entry.profile,
    )
    DeclaredAgent(facts).check()
    return facts


class DeclaredAgent:
    """An entry, ready to be asked; its lists are compiled when they are first needed."""

    __slots__ = ("_compiled", "facts", "fine")

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.fine: set[tuple[object, ...]] = set()
        self._compiled: dict[tuple[str, ...], Patterns] = {}

    def check(self) -> None:
        """Return if every list can be compiled, or raise ValueError."""
        facts = self.facts
        named = facts.tool_hashes or {}
        lists: list[Declared] = [getattr(facts, name) for name in (*_LISTS.values(), "versions", "models")]
        lists += [facts.prompt_hashes, tuple(named), *named.values()]
        lists += [one for term in facts.grants for one in (term.tools, term.targets)]
        for declared in lists:
            if declared is not None:
                self._of(declared)

    def _of(self, declared: tuple[str, ...]) -> Patterns:
        found = self._compiled.get(declared)
        if found is None:
            found = self._compiled[declared] = Patterns(declared)
        return found

    def matches(self, declared: Declared, name: str) -> bool:
        """Tell whether a list of this entry has a name; None says nothing, and so has every name."""
        return declared is None or self._of(declared).allows(name)

    def note(self, act: tuple[str | bool | None, ...]) -> None:
        """Remember an act that is fine whenever it is, to be found in `fine`: a few, short ones; no part of state."""
        if len(self.fine) < MOST_FINE and all(len(one) <= MOST_LETTERS for one in act if isinstance(one, str)):
            self.fine.add(act)

    def declares(self, used: Used) -> bool:
        """Tell whether a use is declared, or nothing is said of its kind."""
        declared: Declared = getattr(self.facts, _LISTS[used.use])
        return declared is None or self._allows(declared, used)

    def _allows(self, declared: tuple[str, ...], used: Used) -> bool:
        """Tell whether a list has a use: of several targets each."""
        names = self._of(declared)
        return names.allows_each(used.name) if used.use == "target" else names.allows(used.name)

    def lists(self, event: Event) -> bool:
        """Tell whether an entry names all that an act uses: where it says nothing, nothing is named.

        What says that it is no act has a name that no list is about, so it is never named whole.
        """
        if event.kind not in TOOL_KINDS:
            return False
        return all(getattr(self.facts, _LISTS[used.use]) is not None and self.declares(used) for used in uses_of(event))

    def lends(self, used: Used, now: float) -> bool:
        """Tell whether a grant whose term runs allows a use."""
        for term in self.facts.grants:
            lent = term.tools if used.use == "tool" else term.targets if used.use == "target" else None
            if lent is not None and is_running(term, now) and self._allows(lent, used):
                return True
        return False

    def approves_tool(self, tool: str, definition: str) -> bool:
        """Tell whether a tool may have a definition: those of each name that matches the tool; none says nothing."""
        named = [hashes for name, hashes in (self.facts.tool_hashes or {}).items() if self._of((name,)).allows(tool)]
        return not named or any(self._of(hashes).allows(definition) for hashes in named)


def is_running(term: Term, now: float) -> bool:
    """Tell whether a grant's term runs: the clocks of who granted and who acts may differ by the customary bound."""
    return term.granted_at - SKEW_S <= now and (term.expires_at is None or now <= term.expires_at + SKEW_S)


SKEW_S: Final = 300.0
"""Seconds: as for the terms that events tell of themselves (``rules/terms.py``)."""
