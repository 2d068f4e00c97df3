"""What arrives of a source: native fields, how often, what they feed, and what is missing with what to switch on. Pure.

Fields are those of the native event behind the mapping, so that what is said of a source is what the detector gets.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from detector.channels.catalogue import CHANNELS
from detector.otlp.events import TAKEN_FROM
from detector.otlp.mapper import RecordVerdict
from detector.rules.rule import ENTRIES
from detector.schema.event import BRIDGED, Event

FIELDS: Final = (
    *(
        "session_id",
        "target",
        "attributes",
        "outcome",
        "duration_ms",
        "tokens_in",
        "tokens_out",
        "bytes_in",
        "bytes_out",
    ),
    *("cost_usd", "model", "agent_version", "tenant", "on_behalf_of", "instance_id", "parent_agent_id", "trace_id"),
    *(
        "seq",
        "tool_hash",
        "prompt_hash",
        "peer_agent_id",
        "zone",
        "peer_zone",
        "arg_origin",
        "credential.issued_at",
        "credential.expires_at",
        "grant.id",
        "grant.expires_at",
    ),
)
"""Native fields that are looked for, but for those that no event is without."""
OF_ATTRIBUTE: Final = "attributes."
"""Before the name of an attribute that a rule needs."""
ALWAYS: Final = frozenset(("name", "kind", "agent_id", "ts"))
"""Fields that no event is without."""
OURS: Final = "otlp."
"""Before the names of attributes that the mapping itself writes: they say nothing of an act."""
MAPPED_AS: Final = {
    "claude-code": "claude-code",
    "codex": "codex",
    "copilot": "github-copilot",
    "gemini-cli": "gemini-cli",
    "litellm": "litellm",
    "agentgateway": "agentgateway",
    "envoy": "envoy-ai-gateway",
    "collector": "*",
}
"""Source of `detector connect` -> source of the mapping; the Collector's is every one."""
ADVICE: Final[dict[str, dict[str, str]]] = tomllib.loads(
    Path(__file__).with_name("advice.toml").read_text(encoding="utf-8")
)
MOST_NAMED: Final = 1_000
"""Agents and names of records that are told apart; what comes beyond is counted under `others`."""
OTHERS: Final = "(others)"
ACTING: Final = ("tool_call", "data_access", "message", "network", "memory")
"""Kinds that a target and attributes are looked for in."""
OF_ACTS: Final = frozenset(("target", "attributes", "arg_origin"))


class FedDetection(NamedTuple):
    """A channel or rule, and of how many events it gets what it needs.

    Attributes
    ----------
    name, kind : str
        As in its catalogue; ``channel`` or ``rule``.
    finds : str
        What it measures or finds.
    events : int
        Events that have all it needs.
    lacks : tuple of str
        Needed fields that no event has; of alternatives all.
    """

    name: str
    kind: str
    finds: str
    events: int
    lacks: tuple[str, ...]


class Missing(NamedTuple):
    """A field that does not arrive, what stays blind for it, and what to do."""

    name: str
    blinds: tuple[str, ...]
    advice: str


@dataclass(slots=True)
class SourceCheck:
    """Counts what comes of one source.

    Parameters
    ----------
    source : str
        As `detector connect` names it.

    Attributes
    ----------
    records, mapped : int
        Records of the source, and those of them that are events.
    events : Counter
        Events by kind.
    filled : dict of str to Counter
        By kind: in how many events each of :data:`FIELDS` has a value.
    named_from, agents, attributes : Counter
        Events by what their agent was named from, and by agent; acts by the attributes they have.
    for_rules : Counter
        Events of whatever kind by the attributes that a rule needs.
    left_out : Counter
        Records that are no event, by name and reason.
    elsewhere : Counter
        Records of other sources.
    on_events : int
        Events of the source that stand on ``agent.events`` already.
    is_live : bool
        Whether Kafka was looked at, and not a file.
    """

    source: str
    records: int = 0
    mapped: int = 0
    events: Counter[str] = field(default_factory=Counter)
    filled: dict[str, Counter[str]] = field(default_factory=dict)
    named_from: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    for_rules: Counter[str] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    fed: Counter[str] = field(default_factory=Counter)
    on_events: int = 0
    is_live: bool = False

    def is_of(self, source: str) -> bool:
        """Tell whether a source of the mapping is the one that is checked."""
        return fnmatch.fnmatchcase(source, MAPPED_AS[self.source])

    def take(self, verdicts: Iterable[RecordVerdict]) -> None:
        """Count records of telemetry as the mapping judged them."""
        for one in verdicts:
            if not self.is_of(one.source):
                _count(self.elsewhere, one.source)
                continue
            self.records += 1
            if one.event is None:
                _count(self.left_out, (one.name, one.reason), (OTHERS, OTHERS))
            else:
                self.mapped += 1
                self.take_event(one.event)

    def take_event(self, event: Event) -> None:
        """Count a native event of the source."""
        self.events[event.kind] += 1
        needed = {f"{OF_ATTRIBUTE}{name}" for name in event.attributes} & NEEDED
        self.for_rules.update(needed)
        there = {name for name in FIELDS if is_filled(event, name)} | ALWAYS | needed
        self.filled.setdefault(event.kind, Counter()).update(there)
        _count(self.named_from, str(event.attributes.get(TAKEN_FROM, "the event")))
        _count(self.agents, event.agent_id)
        if event.kind in ACTING:
            for name in event.attributes:
                if not name.startswith(OURS):
                    _count(self.attributes, name)
        self.fed.update(name for name, needs in NEEDS.items() if all(_any_of(need) & there for need in needs))

    def note_on_events(self, event: Event) -> None:
        """Count an event of ``agent.events``; one of another source, or of none, is passed over."""
        if self.is_of(str(event.attributes.get(BRIDGED, ""))):
            self.on_events += 1

    def share(self, name: str) -> tuple[int, int]:
        """Return in how many events a field has a value, and of how many it is looked for in."""
        kinds = [kind for kind in self.events if name not in OF_ACTS or kind in ACTING]
        return sum(self.filled[kind][name] for kind in kinds), sum(self.events[kind] for kind in kinds)

    def detections(self) -> list[FedDetection]:
        """Return every channel and rule, with how often it gets what it needs."""
        found = []
        for name, needs in NEEDS.items():
            lacks = tuple(need for need in needs if not any(map(self._arrives, _any_of(need))))
            kind, finds = ABOUT[name]
            found.append(FedDetection(name, kind, finds, self.fed[name], lacks))
        return found

    def _arrives(self, need: str) -> bool:
        return need in ALWAYS or bool(self.for_rules[need] if need.startswith(OF_ATTRIBUTE) else self.share(need)[0])

    def missing(self) -> list[Missing]:
        """Return the fields that never arrive though something needs them, and what to do about each.

        Not the attributes of rules: they stand on an event only where what the rule waits for happened.
        """
        blinds: dict[str, list[str]] = {}
        for one in self.detections():
            if not one.events:
                for need in one.lacks:
                    for name in sorted(one for one in _any_of(need) if not one.startswith(OF_ATTRIBUTE)):
                        blinds.setdefault(name, []).append(one.name)
        return [Missing(name, tuple(of), self.advice(name)) for name, of in blinds.items()]

    def advice(self, name: str) -> str:
        """Return what to do about a field that does not arrive."""
        return ADVICE.get(self.source, {}).get(name) or ADVICE["any"].get(name, "the source was not seen to send it")

    def names(self) -> list[tuple[str, int, str]]:
        """Return what agents are named from, in how many events, and what is wrong with that, if anything is."""
        return [(name, count, ADVICE["names"].get(name, "")) for name, count in self.named_from.most_common()]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "source": self.source,
            "records": self.records,
            "events": dict(self.events),
            "on_agent_events": self.on_events,
            "agents": len(self.agents),
            "fields": {name: {"events": n, "of": of} for name in FIELDS for n, of in [self.share(name)]},
            "attributes": dict(self.attributes.most_common()),
            "named_from": [{"name": name, "events": n, "advice": said} for name, n, said in self.names()],
            "detections": [one._asdict() for one in self.detections()],
            "missing": [one._asdict() for one in self.missing()],
            "left_out": [{"record": k[0], "reason": k[1], "records": n} for k, n in self.left_out.most_common()],
            "elsewhere": dict(self.elsewhere),
        }


def is_filled(event: Event, name: str) -> bool:
    """Tell whether an event has a value in one of :data:`FIELDS`."""
    if name == "attributes":
        return any(not one.startswith(OURS) for one in event.attributes)
    if name == "outcome":
        return event.outcome != "ok"
    if name == "arg_origin":
        return bool(event.arg_origin)
    value: Any = event
    for part in name.split("."):
        value = getattr(value, part, None)
    return value is not None


NEEDS: Final = {one.name: one.needs for one in CHANNELS} | {one.name: one.needs for one in ENTRIES.values()}
"""Channel or rule -> what it needs, all of it; ``a|b`` is one of the two."""
NEEDED: Final = frozenset(one for needs in NEEDS.values() for need in needs for one in need.split("|"))
"""Each of them alone."""
ABOUT: Final = {one.name: ("channel", one.measures) for one in CHANNELS} | {
    one.name: ("rule", one.finds) for one in ENTRIES.values()
}


def _any_of(need: str) -> set[str]:
    return set(need.split("|"))


def _count(counter: Counter[Any], key: Any, beyond: Any = OTHERS) -> None:  # noqa: ANN401 - a key of any kind
    """Count a key; beyond :data:`MOST_NAMED` keys under another, for names are a sender's."""
    counter[key if key in counter or len(counter) < MOST_NAMED else beyond] += 1
