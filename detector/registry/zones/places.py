"""Where zones lie in a cluster: namespaces, labels and names as Kubernetes takes them, or a refusal that says why."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from detector.errors import SetupError
from detector.registry.documents import comment, lines_of_mapping
from detector.schema.zones import Zone, ZoneDeclaration
from detector.views.shown import shown

_DNS_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY: Final = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
MANAGED: Final = {"app.kubernetes.io/managed-by": "detector"}
"""Label of every policy that is rendered, to list and prune them by."""
Manifest = dict[str, Any]


class Pod(NamedTuple):
    """The label by which the pods of one agent are told from others."""

    key: str
    value: str


class Isolated(NamedTuple):
    """An agent that is to be cut off: its zone, its pods, its service account, and namespaces it must still reach."""

    agent: str
    zone: Zone
    pod: Pod
    account: tuple[str, str] | None
    keep: tuple[str, ...]


def namespaces_of(declared: ZoneDeclaration) -> dict[str, tuple[str, ...]]:
    """Return the namespaces of each zone; one that names none has one of its own name.

    Raises
    ------
    SetupError
        The zone's name is no namespace, or two zones share one: a policy by namespace cannot tell them apart.
    """
    found: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    for zone in declared.zones:
        if not zone.namespaces and _DNS_LABEL.fullmatch(zone.name) is None:
            raise SetupError(f"namespaces of zone {zone.name} must be said: its name is none that Kubernetes takes")
        found[zone.name] = zone.namespaces or (zone.name,)
        for namespace in found[zone.name]:
            if owner.setdefault(namespace, zone.name) != zone.name:
                raise SetupError(
                    f"namespaces of a zone must be its own, got {namespace} in {owner[namespace]} and {zone.name}"
                )
    return found


def pod_of(text: str) -> Pod:
    """Return a label, written ``KEY=VALUE``.

    Raises
    ------
    SetupError
        Kubernetes would not take it.
    """
    key, _, value = text.partition("=")
    if _LABEL_KEY.fullmatch(key) is None or _LABEL_VALUE.fullmatch(value) is None:
        raise SetupError(f"pod of the agent must be a label as KEY=VALUE, got {shown(text, 100)}")
    return Pod(key, value)


def account_of(text: str | None, agent: str) -> tuple[str, str] | None:
    """Return namespace and name of a service account, written ``NAMESPACE/NAME``; without it from such an agent's id.

    Raises
    ------
    SetupError
        It is none.
    """
    namespace, _, name = (agent if text is None else text).partition("/")
    if _DNS_LABEL.fullmatch(namespace) and name and all(map(_DNS_LABEL.fullmatch, name.split("."))):
        return namespace, name
    if text is None:
        return None
    raise SetupError(f"service-account of the agent must be NAMESPACE/NAME, got {shown(text, 100)}")


def kept_of(namespaces: Iterable[str]) -> tuple[str, ...]:
    """Return namespaces that an isolated agent must still reach.

    Raises
    ------
    SetupError
        One is none.
    """
    kept = tuple(dict.fromkeys(namespaces))
    for one in kept:
        if _DNS_LABEL.fullmatch(one) is None:
            raise SetupError(f"keep of an isolated agent must be a namespace, got {shown(one, 100)}")
    return kept


def object_name(kind: str, text: str) -> str:
    """Return a name for an object of Kubernetes; of a text that is no such name a digest tells it from others.

    >>> object_name("zone", "front"), object_name("zone", "Front_2")
    ('zone-front', 'zone-front-2-3f02c85e')
    """
    if _DNS_LABEL.fullmatch(text) and len(text) <= 40:
        return f"{kind}-{text}"
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower())[:40].strip("-")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return "-".join(part for part in (kind, plain, digest) if part)


def pages_of(manifests: Iterable[Manifest], notes: Iterable[str]) -> Iterator[str]:
    """Yield manifests as YAML documents; notes are comments above the first one."""
    yield from (comment(note) for note in notes)
    for manifest in manifests:
        yield "---"
        yield from lines_of_mapping(manifest, 0)


def metadata(name: str, namespace: str) -> Mapping[str, Any]:
    """Return the metadata of a policy."""
    return {"name": name, "namespace": namespace, "labels": MANAGED}
