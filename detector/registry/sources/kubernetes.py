"""Kubernetes: service accounts as ``kubectl get sa -o json`` writes them, a list or one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from detector.registry.sources.found import Imported, items_in, said, text_in

DEFAULT_ID: Final = "$namespace/$name"
OWNERS: Final = ("owner", "team", "app.kubernetes.io/managed-by")
"""Labels and annotations that name who answers for it, the first that is there."""
_MADE_BY_KUBERNETES: Final = "default"


def fits(found: Any) -> bool:  # noqa: ANN401 - other people's JSON
    """Tell whether a document has service accounts."""
    return any(text_in(one, "kind") == "ServiceAccount" for one in _accounts(found))


def read(found: Any) -> Iterator[Imported]:  # noqa: ANN401 - other people's JSON
    """Yield the service accounts, apart from the ones called ``default`` that every namespace has."""
    for one in _accounts(found):
        name = text_in(one, "metadata", "name")
        if text_in(one, "kind") == "ServiceAccount" and name not in {None, _MADE_BY_KUBERNETES}:
            yield _read(one)


def _accounts(found: Any) -> list[Any]:  # noqa: ANN401 - other people's JSON
    return items_in(found, "items") if text_in(found, "kind") in {"List", "ServiceAccountList"} else [found]


def _read(one: Mapping[str, Any]) -> Imported:
    meta = one["metadata"]
    namespace = text_in(meta, "namespace") or "default"
    named = {**_texts(meta, "labels"), **_texts(meta, "annotations")}
    names = said(name=text_in(meta, "name"), namespace=namespace, uid=text_in(meta, "uid"))
    body = said(
        owner=next((named[name] for name in OWNERS if name in named), None),
        agent_type=named.get("app.kubernetes.io/name"),
        purpose=named.get("description"),
        zone=namespace,
    )
    notes = [f"service account system:serviceaccount:{namespace}:{names.get('name', '')}"]
    if one.get("automountServiceAccountToken") is not False:
        notes.append("its token is mounted into every pod that runs as it: automountServiceAccountToken is not false")
    if secrets := [text_in(secret, "name") for secret in items_in(one, "secrets")]:
        notes.append(f"it has {len(secrets)} long-lived token secrets, which never expire")
    return Imported(names, body, notes)


def _texts(meta: Any, name: str) -> dict[str, str]:  # noqa: ANN401 - other people's JSON
    value = meta.get(name)
    return {key: one for key, one in value.items() if isinstance(one, str) and one} if isinstance(value, dict) else {}
