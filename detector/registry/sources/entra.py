"""Entra: agent identities as Graph lists them (``/servicePrincipals/microsoft.graph.agentIdentity``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from detector.registry.sources.found import Imported, items_in, said, text_in

DEFAULT_ID: Final = "$id"
ODATA_TYPE: Final = "#microsoft.graph.agentIdentity"


def fits(found: Any) -> bool:  # noqa: ANN401 - other people's JSON
    """Tell whether a document has agent identities."""
    return any(map(_is_agent, items_in(found, "value") or [found]))


def read(found: Any) -> Iterator[Imported]:  # noqa: ANN401 - other people's JSON
    """Yield the agent identities; other service principals are left out."""
    for one in items_in(found, "value") or [found]:
        if _is_agent(one):
            yield _read(one)


def _is_agent(one: Any) -> bool:  # noqa: ANN401 - other people's JSON
    named = text_in(one, "@odata.type") or ""
    return named.lower() == ODATA_TYPE.lower() or text_in(one, "agentIdentityBlueprintId") is not None


def _read(one: Mapping[str, Any]) -> Imported:
    blueprint = text_in(one, "agentIdentityBlueprintId")
    names = said(id=text_in(one, "id"), name=text_in(one, "displayName"), app_id=text_in(one, "appId"))
    people = [*_people(one, "owners"), *_people(one, "sponsors")]
    body = said(owner=next(iter(people), None), purpose=text_in(one, "displayName"), agent_type=blueprint)
    off = text_in(one, "disabledByMicrosoftStatus")
    if one.get("accountEnabled") is False or off:
        body["lifecycle"] = "suspended"
    notes = [f"Entra {text_in(one, 'servicePrincipalType') or 'service principal'} {names.get('id', '')}"]
    if off:
        notes.append(f"disabled by Microsoft: {off}")
    if ends := text_in(one, "lifecycle", "expirationDateTime"):
        notes.append(f"the identity ends at {ends}")
    notes += [f"{who} answers for it as well" for who in people[1:6]]
    return Imported(names, body, notes)


def _people(one: Mapping[str, Any], name: str) -> list[str]:
    """Return who an expanded list names."""
    told = [
        text_in(who, "userPrincipalName") or text_in(who, "displayName") or text_in(who, "id")
        for who in items_in(one, name)
    ]
    return [who for who in told if who]
