"""Inventories of others in their real shape become proposals; nothing of them allows anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.registry.drafts import read_drafts
from detector.registry.importing import read_inventory
from detector.registry.pages import ReviewItem, page_of
from tests.registry.inventory import FIXTURES


def _read(name: str, id_from: str | None = None) -> dict[str, ReviewItem]:
    items = read_inventory(FIXTURES / name, None, id_from, "acme")
    return {item.draft.entry.agent_id: item for item in items}


@pytest.mark.parametrize(
    "name", ["service_accounts.json", "spire_entries.json", "entra_agents.json", "scim_agents.json"]
)
def test_what_is_imported_is_a_page_that_reads_back(name: str, tmp_path: Path) -> None:
    """Proposed or suspended, of the tenant that was named, and allowed nothing in particular."""
    items = _read(name)
    path = tmp_path / "page.yaml"
    path.write_text("\n".join(page_of(items.values(), ["x"])), encoding="utf-8")
    drafts = {draft.entry.agent_id: draft.entry for draft in read_drafts(path)}
    assert drafts == {agent: item.draft.entry for agent, item in items.items()}
    for entry in drafts.values():
        assert entry.lifecycle in {"proposed", "suspended"}
        assert entry.tenant == "acme"
        assert entry.tools is entry.targets is entry.peers is None


def test_service_accounts_are_named_by_namespace() -> None:
    """The one that every namespace has is nobody; a mounted token and a lasting secret are said."""
    items = _read("service_accounts.json")
    assert set(items) == {"agents/invoice-agent", "research/crawler"}
    invoice = items["agents/invoice-agent"].draft.entry
    assert (invoice.owner, invoice.agent_type, invoice.zone) == ("billing@example.com", "invoice-assistant", "agents")
    notes = " ".join(items["research/crawler"].notes)
    assert "mounted into every pod" in notes
    assert "1 long-lived token secrets" in notes


def test_entries_of_one_spiffe_id_are_one_agent() -> None:
    """Its credentials may live as long as the longest; who may sign for others is critical."""
    items = _read("spire_entries.json")
    invoice = items["spiffe://example.org/ns/agents/sa/invoice-agent"]
    assert invoice.draft.entry.max_age_h == 2.0
    assert any("2 entries give this id" in note for note in invoice.notes)
    assert any("partner.example" in note for note in invoice.notes)
    assert items["spiffe://example.org/ops/registrar"].draft.entry.criticality == "critical"


def test_agent_identities_are_told_from_applications() -> None:
    """One that is switched off is suspended; the first who answers for it is its owner."""
    items = _read("entra_agents.json")
    assert len(items) == 2
    invoice = items["0f6b1c52-9a0a-4d6c-9f2d-0d6e8b1a4c10"]
    assert (invoice.draft.entry.owner, invoice.draft.entry.purpose) == ("ada@example.com", "Invoice agent")
    assert any("ends at 2026-12-31" in note for note in invoice.notes)
    assert items["3b8a2f61-4d8e-4e31-8a5c-5f7f0a2b9e33"].draft.entry.lifecycle == "suspended"


def test_agents_and_users_of_scim_are_taken_and_groups_are_not() -> None:
    """Each by the name it has there."""
    items = _read("scim_agents.json")
    assert set(items) == {"invoice-agent", "svc-crawler"}
    assert items["invoice-agent"].draft.entry.owner == "ada@example.com"
    assert items["invoice-agent"].draft.entry.agent_type == "Assistant"
    crawler = items["svc-crawler"]
    assert (crawler.draft.entry.lifecycle, crawler.draft.entry.owner) == ("suspended", "Bob")


def test_ids_can_be_made_of_other_names() -> None:
    """What events say as agent_id is the operator's choice."""
    assert "ns/agents/sa/invoice-agent" in _read("spire_entries.json", "$path")
    assert "agt-17" in {
        item.draft.entry.agent_id for item in read_inventory(_one_agent_only(), None, "$external_id", "acme")
    }
    with pytest.raises(SetupError, match=r"\$spiffe_id"):
        _read("spire_entries.json", "$uid")
    with pytest.raises(SetupError, match="agent_id must stand once"):
        _read("spire_entries.json", "$trust_domain")


def _one_agent_only() -> Path:
    return FIXTURES / "scim_agent.json"


def test_a_form_that_does_not_fit_is_refused() -> None:
    """Rather than giving an empty inventory."""
    with pytest.raises(SetupError, match="agents as spire writes them, got none"):
        read_inventory(FIXTURES / "entra_agents.json", "spire", None, "acme")


@pytest.mark.parametrize(
    "name", ["service_accounts.json", "spire_entries.json", "entra_agents.json", "scim_agents.json"]
)
def test_a_damaged_file_of_others_raises_nothing_but_a_refusal(name: str, tmp_path: Path) -> None:
    """Every value in turn becomes something else."""
    found = json.loads((FIXTURES / name).read_text(encoding="utf-8"))
    for odd in (None, 7, [], {}, "x", [None], {"value": 1}):
        for place in _places(found):
            path = tmp_path / "odd.json"
            path.write_text(json.dumps(_with(found, place, odd)), encoding="utf-8")
            try:
                read_inventory(path, None, None, "acme")
            except SetupError:
                continue


def _places(found: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    pairs = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [at, *(place for key, value in pairs for place in _places(value, (*at, key)))]


def _with(found: object, place: tuple[str | int, ...], odd: object) -> object:
    if not place:
        return odd
    copy: object = json.loads(json.dumps(found))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]  # type: ignore[index] # a place of this very document
    inner[place[-1]] = odd  # type: ignore[index] # the same
    return copy
