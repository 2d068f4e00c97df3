"""Exceptions that end: granted, renewed, refused; as logic and as typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from detector.errors import SetupError
from detector.registry.commands import app
from detector.registry.granting import WantedGrant, granted
from detector.rules.declared import DeclaredAgent, Used, facts_of
from detector.schema.registry import RegistryEntry
from tests.registry.inventory import entry, write_yaml

NOW, DAY = 1_000_000.0, 86_400.0
WHO = ["--by", "ada", "--reason", "release week", "--file", "i.yaml"]


def _granted(stands: RegistryEntry, **wanted: Any) -> RegistryEntry:
    given = {"tools": (), "targets": (), "id": None, "term": (NOW, NOW + DAY), "approver": "ada", **wanted}
    return granted(stands, WantedGrant(**given))


def test_a_grant_is_temporary_approved_and_lends_its_tool_for_its_term() -> None:
    """And nothing else, and not a day longer."""
    found = _granted(entry(tools=["read"]), tools=("pay",))
    (one,) = found.grants
    assert (one.id, one.temporary, one.approver, one.expires_at) == ("exception-1", True, "ada", NOW + DAY)
    agent = DeclaredAgent(facts_of(found, b""))
    assert agent.lends(Used("tool", "pay"), NOW + 1)
    assert not agent.lends(Used("tool", "pay"), NOW + 2 * DAY)
    assert not agent.lends(Used("tool", "wipe"), NOW + 1)


def test_each_grant_has_an_id_of_its_own() -> None:
    """The first that is free; a name that stands is refused with other tools."""
    once = _granted(entry(tools=[]), tools=("a",))
    assert [one.id for one in _granted(once, tools=("b",)).grants] == ["exception-1", "exception-2"]
    with pytest.raises(SetupError, match="that one stands; leave --id out"):
        _granted(once, id="exception-1", tools=("b",))


def test_a_renewal_is_counted_and_never_ends_earlier() -> None:
    """Who renews answers for it; what was granted for good is not renewed."""
    once = _granted(entry(targets=[]), targets=("x",), term=(NOW, NOW + 9 * DAY))
    (again,) = _granted(once, id="exception-1", approver="bo").grants
    assert (again.renewals, again.approver, again.expires_at, again.granted_at) == (1, "bo", NOW + 9 * DAY, NOW)
    (longer,) = _granted(once, id="exception-1", term=(NOW, NOW + 20 * DAY)).grants
    assert longer.expires_at == NOW + 20 * DAY
    for_good = entry(tools=[], grants=[{"id": "g", "granted_at": 1.0, "approver": "bo", "tools": ["a"]}])
    with pytest.raises(SetupError, match="must be temporary"):
        _granted(for_good, id="g")


def test_what_grants_nothing_is_refused() -> None:
    """No name; a list that says nothing; a pattern that is none; a term that is over as it begins."""
    for body, wanted, message in (
        ({"tools": []}, {}, "must name a tool, a target"),
        ({}, {"tools": ("a",)}, "so may use any"),
        ({"tools": []}, {"tools": ("re:(",)}, "must be whole"),
        ({"tools": []}, {"tools": ("a",), "term": (NOW, NOW)}, "must end after it begins"),
    ):
        with pytest.raises(SetupError, match=message):
            _granted(RegistryEntry.model_validate({**entry().model_dump(), **body}), **wanted)


def test_an_exception_is_granted_listed_and_renewed_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a person's name, logged; of nobody's entry it is refused, and so is a term that is none."""
    monkeypatch.chdir(tmp_path)
    run = CliRunner()
    path = write_yaml(tmp_path / "p.yaml", [{"agent_id": "a-1", "tools": ["read"], "owner": "bo"}])
    assert run.invoke(app, ["apply", str(path), "--activate", *WHO]).exit_code == 0
    found = run.invoke(app, ["grant", "a-1", "--tool", "pay", "--for", "9d", *WHO])
    assert found.exit_code == 0
    assert "+ grants: id exception-1" in found.stdout
    assert run.invoke(app, ["grant", "a-1", "--id", "exception-1", "--for", "10d", *WHO]).exit_code == 0
    listed = run.invoke(app, ["expiring", "--file", "i.yaml"])
    assert listed.exit_code == 1
    assert "10.0" in listed.stdout
    assert "3 changes of 1 entries: 0 faults" in run.invoke(app, ["verify", "--file", "i.yaml"]).stdout
    assert run.invoke(app, ["grant", "nobody", "--tool", "x", "--for", "1d", *WHO]).exit_code == 1
    with pytest.raises(SetupError, match="for of the command must be a span of time like 90m, 24h or 7d, got 'ever'"):
        run.invoke(app, ["grant", "a-1", "--tool", "x", "--for", "ever", *WHO], catch_exceptions=False)
