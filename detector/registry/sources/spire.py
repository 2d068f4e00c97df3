"""SPIRE: registration entries as ``spire-server entry show -output json`` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from detector.registry.documents import time_text
from detector.registry.sources.found import Imported, items_in, said, text_in

DEFAULT_ID: Final = "$spiffe_id"
_HOUR_S: Final = 3_600


def fits(found: Any) -> bool:  # noqa: ANN401 - other people's JSON
    """Tell whether a document has registration entries."""
    return any(_spiffe_id(one, "spiffe_id") for one in items_in(found, "entries"))


def read(found: Any) -> Iterator[Imported]:  # noqa: ANN401 - other people's JSON
    """Yield one agent for each SPIFFE id; several entries of one id (other selectors, other parents) are one agent."""
    entries: dict[str, list[Mapping[str, Any]]] = {}
    for one in items_in(found, "entries"):
        if id_ := _spiffe_id(one, "spiffe_id"):
            entries.setdefault(id_, []).append(one)
    for id_, several in entries.items():
        yield _read(id_, several)


def _spiffe_id(one: Any, name: str) -> str | None:  # noqa: ANN401 - other people's JSON
    domain, path = text_in(one, name, "trust_domain"), text_in(one, name, "path")
    return f"spiffe://{domain}{path or ''}" if domain else text_in(one, name)


def _read(id_: str, several: list[Mapping[str, Any]]) -> Imported:
    domain, _, path = id_.removeprefix("spiffe://").partition("/")
    names = {
        "spiffe_id": id_,
        "path": path or domain,
        "trust_domain": domain,
        "name": path.rsplit("/", 1)[-1] or domain,
    }
    body: dict[str, Any] = {"zone": domain, "credential": {"kind": "x509-svid"}}
    lives = [_number(one, "x509_svid_ttl") for one in several]
    if lives and min(lives) > 0:
        body["credential"]["max_age_h"] = max(lives) / _HOUR_S
    notes = [f"SPIRE entry {text_in(one, 'id')}, parent {_spiffe_id(one, 'parent_id')}" for one in several[:5]]
    if len(several) > 1:
        notes.append(f"{len(several)} entries give this id: more than one workload can be this agent")
    for one in several[:5]:
        told = [f"{text_in(it, 'type')}:{text_in(it, 'value')}" for it in items_in(one, "selectors")]
        notes.append(f"selectors {', '.join(told)}")
        if ends := _number(one, "expires_at"):
            notes.append(f"the entry ends at {time_text(ends)}")
        if away := [it for it in items_in(one, "federates_with") if isinstance(it, str)]:
            notes.append(f"it is trusted by {', '.join(away[:10])}")
    if any(one.get("admin") is True or one.get("downstream") is True for one in several):
        body["criticality"] = "critical"
        notes.append("it may administer the SPIRE server, or sign for others")
    return Imported(said(**names), body, notes)


def _number(one: Mapping[str, Any], name: str) -> float:
    """Return a number; 64-bit ones are texts in the JSON of protobuf."""
    value = one.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return float(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0.0
