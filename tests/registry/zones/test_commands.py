"""The commands of zones as people type them, on a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from detector.errors import SetupError
from detector.registry.commands import app
from tests.registry.inventory import daily, write_events, write_yaml
from tests.registry.zones.declared import table, write_zones

RUN = CliRunner()
WHO = ["--by", "ada", "--reason", "test"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the one worked in, with a file of zones that stand."""
    monkeypatch.chdir(tmp_path)
    write_zones(tmp_path / "draft.yaml", table())
    _run("apply", "draft.yaml", *WHO)
    return tmp_path


def _run(*words: str, status: int = 0, file: str | None = "zones.yaml") -> Result:
    found = RUN.invoke(app, ["zones", *words, *(["--file", file] if file else [])], catch_exceptions=False)
    assert found.exit_code == status, found.output
    return found


def test_from_events_to_zones_that_stand(place: Path) -> None:
    """Discover, review, apply, look, change, verify."""
    write_events(place / "e.jsonl", daily(range(4), zone="a", peer_agent_id="b-1", peer_zone="b"))
    _run("discover", "e.jsonl", "--out", "seen.yaml", "-q", file=None)
    assert "new: zones of default, 2 zones" in _run("apply", "seen.yaml", "--dry-run", *WHO, file="other.yaml").stdout
    assert not (place / "other.yaml").exists()
    _run("apply", "seen.yaml", *WHO, file="other.yaml")
    assert "2 zones of 1 tenants" in _run("list", file="other.yaml").stdout
    _run("show", "--out", "copy.yaml", file="other.yaml")
    copy = (place / "copy.yaml").read_text(encoding="utf-8")
    assert "# revision 1" in copy
    (place / "copy.yaml").write_text(copy.replace("to: b", "to: a"), encoding="utf-8")
    told = _run("apply", "copy.yaml", *WHO, file="other.yaml").stdout
    assert "- crossings: from a, to b" in told
    assert json.loads(_run("list", "--json", file="other.yaml").stdout)["revision"] == 2
    assert "2 changes of the zones of 1 tenants: 0 faults" in _run("verify", file="other.yaml").stdout


def test_a_file_made_from_something_else_is_refused(place: Path) -> None:
    """A dry run says so by its status, too."""
    write_zones(place / "old.yaml", table(crossings=[]))
    assert "refused: they were made" in _run("apply", "old.yaml", "--dry-run", *WHO, status=2).stdout
    with pytest.raises(SetupError, match="must be made from what stands"):
        _run("apply", "old.yaml", *WHO)
    (place / "zones.yaml.log.ndjson").write_text("", encoding="utf-8")
    assert "written past this command" in _run("verify", status=1).stdout


def test_edges_to_cut_are_named(place: Path) -> None:
    """Within the zone, out of it, into it; an active entry's zone wins."""
    assert _run("cut", "shop-1").stdout.splitlines() == [
        "front -> front  within the zone",
        "front -> back  tools pay; kinds tool_call",
        "front -> lab  everything",
    ]
    write_yaml(place / "i.yaml", [{"agent_id": "shop-1", "lifecycle": "active", "owner": "ada", "zone": "back"}])
    found = [json.loads(line) for line in _run("cut", "shop-1", "--json", "--inventory", "i.yaml").stdout.splitlines()]
    assert [(one["from"], one["to"]) for one in found] == [("back", "back"), ("back", "lab"), ("front", "back")]
    assert found[2] == {"agent_id": "shop-1", "from": "front", "to": "back", "tools": ["pay"], "kinds": ["tool_call"]}
    with pytest.raises(SetupError, match="it is no zone's member and its entry names none"):
        _run("cut", "stranger")


def test_zones_are_proposed_of_what_there_is(place: Path) -> None:
    """Of an inventory, and of policies that were rendered."""
    write_yaml(place / "i.yaml", [{"agent_id": "a", "lifecycle": "active", "owner": "ada", "zone": "front"}])
    _run("import", "--inventory", "i.yaml", "--out", "of-entries.yaml", file=None)
    assert "new: zones of default, 1 zones" in _run("apply", "of-entries.yaml", "--dry-run", *WHO, file="n.yaml").stdout
    policies = list(yaml.safe_load_all(_run("render", "--format", "networkpolicy").stdout))
    (place / "p.json").write_text(json.dumps({"kind": "List", "items": policies}), encoding="utf-8")
    assert "  - from: back\n    to: lab\n" in _run("import", "p.json", file=None).stdout


def test_rules_of_a_cluster_are_written(place: Path) -> None:
    """Of either form, to a file too, with an agent cut off."""
    found = list(yaml.safe_load_all(_run("render", "--format", "networkpolicy", "--egress").stdout))
    assert [one["kind"] for one in found] == ["NetworkPolicy"] * 4
    cut = ["--isolate", "shop-1", "--pod", "app=shop-1", "--service-account", "agents-front/shop", "--keep", "lab"]
    _run("render", "--format", "istio", *cut, "--out", "policies.yaml")
    found = list(yaml.safe_load_all((place / "policies.yaml").read_text(encoding="utf-8")))
    assert [one["spec"]["action"] for one in found] == ["ALLOW"] * 4 + ["DENY"] * 5
    with pytest.raises(SetupError, match="pod of an isolated agent must be said"):
        _run("render", "--format", "istio", "--isolate", "shop-1")


def test_where_no_zones_stand_that_is_said(place: Path) -> None:
    """By its status, for scripts; and two places at once are refused."""
    assert "no zones of tenant t stand on zones.yaml" in _run("cut", "a", "--tenant", "t", status=1).stderr
    _run("show", "t", status=1)
    with pytest.raises(SetupError, match="must be in --file or on Kafka"):
        _run("list", "--bootstrap", "127.0.0.1:1")
