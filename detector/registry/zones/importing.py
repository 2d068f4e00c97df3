"""Zones out of what there is: of the inventory's entries, and of a cluster's NetworkPolicies; proposals to review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from detector.errors import SetupError
from detector.registry.documents import comment, lines_of_mapping
from detector.registry.sources.found import items_in, text_in
from detector.registry.study.coarse import literal
from detector.registry.zones.networkpolicy import NAMESPACE_LABEL
from detector.schema.registry import RegistryEntry
from detector.schema.zones import MOST_MEMBERS, ZONE_NAME
from detector.views.shown import shown

MOST_NOTES: Final = 200
"""Comments of a page; further ones are counted."""


class ImportedZones(NamedTuple):
    """Zones with their members and namespaces, pairs that may cross, and what could not be taken over."""

    zones: dict[str, dict[str, Any]]
    crossings: list[tuple[str, str]]
    notes: list[str]

    def page(self, tenant: str) -> Iterator[str]:
        """Yield a file to review."""
        yield comment(f"{len(self.zones)} zones. Review, then: detector registry zones apply THIS FILE")
        yield from (comment(note) for note in self.notes[:MOST_NOTES])
        if len(self.notes) > MOST_NOTES:
            yield comment(f"and {len(self.notes) - MOST_NOTES} more")
        zones = [{"name": name, **said} for name, said in sorted(self.zones.items())]
        crossings = [{"from": begin, "to": end} for begin, end in sorted(set(self.crossings))]
        yield from lines_of_mapping({"tenant": tenant, "revision": 0, "zones": zones, "crossings": crossings}, 0)


def zones_of_entries(entries: Iterable[RegistryEntry], tenant: str) -> ImportedZones:
    """Return the zones that active entries of a tenant name, with their agents as members, and no crossing.

    So the agents of a zone are known as peers too, in every partition, and not only where their own entry lies. An
    agent that calls itself a pattern is a member by its id alone.
    """
    zones: dict[str, dict[str, Any]] = {}
    without, unnamed, unsaid = 0, set[str](), list[str]()
    for entry in sorted(entries, key=lambda one: one.agent_id):
        if entry.tenant != tenant or entry.lifecycle != "active":
            continue
        if entry.zone is None:
            without += 1
        elif ZONE_NAME.fullmatch(entry.zone) is None:
            unnamed.add(entry.zone)
        elif (member := literal(entry.agent_id)) is None:
            unsaid.append(entry.agent_id)
        else:
            zones.setdefault(entry.zone, {"members": []})["members"].append(member)
    notes = [f"{without} active agents have no zone"] if without else []
    notes += [f"{shown(zone, 80)} is no name a zone may have" for zone in sorted(unnamed)]
    notes += [f"decide: no member can say {shown(agent, 80)}" for agent in unsaid]
    for name, said in zones.items():
        if (count := len(said["members"])) > MOST_MEMBERS:
            notes.append(f"{name} has {count} agents: write patterns of their ids as its members")
            said["members"] = []
    return ImportedZones(zones, [], notes)


def zones_of_policies(found: Any) -> ImportedZones:  # noqa: ANN401 - other people's JSON
    """Return a zone a namespace of NetworkPolicies, and a crossing where one lets another namespace connect to it.

    Members are agents whose ids are made as the import of service accounts makes them, ``NAMESPACE/NAME``.

    Raises
    ------
    SetupError
        It holds no NetworkPolicy.
    """
    zones: dict[str, dict[str, Any]] = {}
    crossings: list[tuple[str, str]] = []
    notes: list[str] = []
    policies = items_in(found, "items") if text_in(found, "kind") in {"List", "NetworkPolicyList"} else [found]
    for policy in policies:
        if text_in(policy, "kind") != "NetworkPolicy":
            continue
        own = text_in(policy, "metadata", "namespace") or "default"
        name = f"{own}/{text_in(policy, 'metadata', 'name')}"
        _namespace(zones, own)
        if not isinstance(policy.get("spec"), dict):
            continue
        if policy["spec"].get("podSelector"):
            notes.append(f"{shown(name, 120)} is about some pods only: what it allows is proposed for its namespace")
        for source in _sources(policy["spec"], name, notes):
            _namespace(zones, source)
            if source != own:
                crossings.append((source, own))
    if not zones:
        raise SetupError("content of the file must be NetworkPolicies as kubectl get -o json writes them, got none")
    return ImportedZones(zones, crossings, notes)


def _namespace(zones: dict[str, dict[str, Any]], namespace: str) -> None:
    zones.setdefault(namespace, {"members": [f"{namespace}/*"], "namespaces": [namespace]})


def _sources(spec: Mapping[str, Any], name: str, notes: list[str]) -> Iterator[str]:
    """Yield the namespaces that may connect; what is none, or cannot be said, is noted."""
    for rule in items_in(spec, "ingress"):
        peers = items_in(rule, "from")
        if not peers:
            notes.append(f"decide: {shown(name, 120)} takes connections from anywhere")
        for peer in peers:
            namespace = text_in(peer, "namespaceSelector", "matchLabels", NAMESPACE_LABEL)
            if namespace is None or peer != _by_name(namespace):
                notes.append(f"decide: {shown(name, 120)} takes connections from {shown(str(peer), 200)}")
            else:
                yield namespace


def _by_name(namespace: str) -> Mapping[str, Any]:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}}}
