"""Zones as AuthorizationPolicy (security.istio.io/v1): whose requests a namespace takes, by mutual TLS identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from detector.errors import SetupError
from detector.registry.zones.edges import limits_unsaid, neighbours
from detector.registry.zones.places import Isolated, Manifest, metadata, namespaces_of, object_name
from detector.schema.zones import ZoneDeclaration
from detector.views.shown import shown

NOTES: Final = (
    "An AuthorizationPolicy holds for requests that a workload of the mesh takes, with mutual TLS (PeerAuthentication",
    "STRICT): what leaves the mesh, or comes past its proxies, is for a NetworkPolicy.",
)


def authorization_policies(declared: ZoneDeclaration, isolated: Isolated | None = None) -> Iterator[Manifest]:
    """Yield a policy a namespace of each zone: it takes requests of its own zone and of those that may cross into it.

    For an isolated agent two kinds more, of which each denies before anything is allowed: no namespace of a zone takes
    its requests, but for those to keep, and its own pods take none.

    Raises
    ------
    SetupError
        The agent's service account is not known, or lies in no namespace of its zone: then nothing would be cut.
    """
    places = namespaces_of(declared)
    for zone in declared.zones:
        sources, _ = neighbours(declared, zone.name)
        allowed = [namespace for name in (zone.name, *sources) for namespace in places[name]]
        for namespace in places[zone.name]:
            spec = {"action": "ALLOW", "rules": [_from("namespaces", allowed)]}
            yield _policy(object_name("zone", zone.name), namespace, spec)
    if isolated is not None:
        yield from _isolation(places, isolated)


def istio_notes(declared: ZoneDeclaration) -> Iterator[str]:
    """Yield what the policies of zones do not say, for people who apply them."""
    yield from NOTES
    yield from limits_unsaid(declared)


def _isolation(places: Mapping[str, Sequence[str]], isolated: Isolated) -> Iterator[Manifest]:
    if isolated.account is None:
        raise SetupError(
            f"service-account of {shown(isolated.agent)} must be said as NAMESPACE/NAME: Istio knows it by nothing else"
        )
    namespace, name = isolated.account
    if namespace not in (own := places[isolated.zone.name]):
        # an id such as product/person looks like an account too
        raise SetupError(
            f"service-account of {shown(isolated.agent)} must lie in a namespace of its zone, {', '.join(own)}, got "
            f"{namespace}/{name}: say it as NAMESPACE/NAME"
        )
    # whatever the trust domain: a principal that begins with * is matched from its end
    requests = {"action": "DENY", "rules": [_from("principals", [f"*/ns/{namespace}/sa/{name}"])]}
    for taking in dict.fromkeys(one for each in places.values() for one in each):
        if taking not in isolated.keep:
            yield _policy(object_name("isolate-from", isolated.agent), taking, requests)
    selector = {"matchLabels": {isolated.pod.key: isolated.pod.value}}
    for each in own:
        spec = {"selector": selector, "action": "DENY", "rules": [{}]}
        yield _policy(object_name("isolate-to", isolated.agent), each, spec)


def _policy(name: str, namespace: str, spec: Mapping[str, Any]) -> Manifest:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": metadata(name, namespace),
        "spec": spec,
    }


def _from(field: str, values: list[str]) -> Mapping[str, Any]:
    return {"from": [{"source": {field: values}}]}
