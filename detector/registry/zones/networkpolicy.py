"""Zones as NetworkPolicy (networking.k8s.io/v1): who may connect to whom, by namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from detector.registry.zones.edges import limits_unsaid, neighbours
from detector.registry.zones.places import Isolated, Manifest, metadata, namespaces_of, object_name
from detector.schema.zones import ZoneDeclaration

NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""Label with a namespace's name, which Kubernetes itself sets on each."""
DNS_NAMESPACE: Final = "kube-system"
DNS_PORTS: Final = ({"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53})
NOTES: Final = (
    "A NetworkPolicy allows and never denies: any other policy that selects the same pods adds to what is allowed.",
    "It needs a network plugin that enforces it. Pods outside of the namespaces below are not restrained.",
)


def network_policies(
    declared: ZoneDeclaration, isolated: Isolated | None = None, *, closes_egress: bool = False
) -> Iterator[Manifest]:
    """Yield a policy a namespace of each zone: it is reached from its own zone and from those that may cross into it.

    The pods of an isolated agent are taken out of the policy of their zone, and get one of their own that allows
    nothing but the namespaces to keep: else the two would add up.

    Parameters
    ----------
    declared : ZoneDeclaration
        Zones of a tenant.
    isolated : Isolated or None
        An agent that is to be cut off.
    closes_egress : bool, default=False
        Whether pods of a zone may reach nothing but zones and names (DNS): models and services outside of the zones are
        then to be allowed by policies of your own.
    """
    places = namespaces_of(declared)
    for zone in declared.zones:
        sources, targets = neighbours(declared, zone.name)
        spec = {
            "podSelector": _others(isolated) if isolated and isolated.zone.name == zone.name else {},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": _peers(places, [zone.name, *sources])}],
        }
        if closes_egress:
            names = {"to": [_peer(DNS_NAMESPACE)], "ports": [*DNS_PORTS]}
            spec["policyTypes"] = ["Ingress", "Egress"]
            spec["egress"] = [{"to": _peers(places, [zone.name, *targets])}, names]
        for namespace in places[zone.name]:
            yield _policy(object_name("zone", zone.name), namespace, spec)
    if isolated is not None:
        for namespace in places[isolated.zone.name]:
            yield _policy(object_name("isolate", isolated.agent), namespace, _isolation(isolated))


def network_notes(declared: ZoneDeclaration) -> Iterator[str]:
    """Yield what the policies of zones do not say, for people who apply them."""
    yield from NOTES
    yield from limits_unsaid(declared)


def _policy(name: str, namespace: str, spec: Mapping[str, Any]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name, namespace),
        "spec": spec,
    }


def _others(isolated: Isolated) -> Mapping[str, Any]:
    return {"matchExpressions": [{"key": isolated.pod.key, "operator": "NotIn", "values": [isolated.pod.value]}]}


def _isolation(isolated: Isolated) -> Mapping[str, Any]:
    return {
        "podSelector": {"matchLabels": {isolated.pod.key: isolated.pod.value}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [{"to": [_peer(namespace) for namespace in isolated.keep]}] if isolated.keep else [],
    }


def _peers(places: Mapping[str, tuple[str, ...]], zones: Iterable[str]) -> list[Mapping[str, Any]]:
    return [_peer(namespace) for zone in zones for namespace in places[zone]]


def _peer(namespace: str) -> Mapping[str, Any]:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}}}
