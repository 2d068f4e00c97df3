"""SCIM 2.0: resources of the type Agent (draft-abbey-scim-agent-extension-00) and User (RFC 7643), as a list or one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from detector.registry.sources.found import Imported, items_in, said, text_in

SCHEMAS: Final = ("urn:ietf:params:scim:schemas:core:2.0:Agent", "urn:ietf:params:scim:schemas:core:2.0:User")
MESSAGE: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
DEFAULT_ID: Final = "$name"


def fits(found: Any) -> bool:  # noqa: ANN401 - other people's JSON
    """Tell whether a document is a SCIM answer, or one resource."""
    schemas = items_in(found, "schemas")
    return MESSAGE in schemas or any(one in schemas for one in SCHEMAS)


def read(found: Any) -> Iterator[Imported]:  # noqa: ANN401 - other people's JSON
    """Yield the agents and users of a document; resources of other types are left out."""
    for one in items_in(found, "Resources") if MESSAGE in items_in(found, "schemas") else [found]:
        if isinstance(one, Mapping) and any(schema in items_in(one, "schemas") for schema in SCHEMAS):
            yield _read(one)


def _read(one: Mapping[str, Any]) -> Imported:
    id_ = text_in(one, "id")
    # a User's name is a mapping, an Agent's a text
    name = text_in(one, "userName") or text_in(one, "name") or text_in(one, "displayName") or id_
    names = said(name=name, id=id_, external_id=text_in(one, "externalId"))
    owners = [text_in(who, "display") or text_in(who, "value") for who in items_in(one, "owners")]
    manager = text_in(one, ENTERPRISE, "manager", "displayName") or text_in(one, ENTERPRISE, "manager", "value")
    body = said(
        owner=next((who for who in owners if who), manager),
        purpose=text_in(one, "description") or text_in(one, "title"),
        agent_type=text_in(one, "agentType") or text_in(one, "userType"),
    )
    if one.get("active") is False:
        body["lifecycle"] = "suspended"
    notes = [f"SCIM id {id_}"] if id_ else []
    notes += [f"owner {who} as well" for who in owners[1:] if who]
    if parent := text_in(one, "parent", "display") or text_in(one, "parent", "value"):
        notes.append(f"its parent is {parent}")
    for kind in ("entitlements", "roles", "protocols"):
        values = [text_in(it, "display") or text_in(it, "value") or text_in(it, "type") for it in items_in(one, kind)]
        if held := [value for value in values if value]:
            notes.append(f"{kind}: {', '.join(held[:10])}")
    return Imported(names, body, notes)
