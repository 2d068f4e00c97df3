"""An evaluation with a registry: entries from their own time on, classes by what they declare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.errors import SetupError
from detector.offline.controls import read_plan
from detector.offline.core import Core
from detector.offline.declared import DeclaredCore
from detector.offline.evaluate import Inputs
from detector.offline.seeds import Asked, measure_seeds
from detector.profile.model import Profile
from detector.simulate.fleet import MONDAY
from tests.rules.registry import entry
from tests.streams import Script, ordinary, quick

CROWN = {"name": "crown", "match": {"criticality": ["critical"]}, "alerts": 0.15}
PROFILE = Profile.model_validate({**quick().model_dump(), "classes": [CROWN]})
VALUES = ordinary(Script(), 40)


def _written(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "entries.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in entries))
    return path


def _core(folder: Path, *entries: dict[str, Any]) -> DeclaredCore:
    plan = read_plan(None, None, 1, _written(folder, *entries))
    assert plan is not None
    return DeclaredCore(plan, PROFILE)


def test_an_entry_counts_from_its_own_time_on(tmp_path: Path) -> None:
    """Sessions before it are of no class, those after it are, however the stream is cut; scores do not change."""
    middle = MONDAY + 12_000.0
    entries = entry("a-1", criticality="critical", at=middle), entry("a-2", criticality="low", at=middle)
    found = []
    for size in (len(VALUES), 7):
        core = _core(tmp_path, *entries)
        scores = [core.process(VALUES[at : at + size]) for at in range(0, len(VALUES), size)]
        found.append((np.concatenate(scores).tolist(), core.classes))
    assert found[0] == found[1]
    plain = Core(quick())
    assert found[0][0] == plain.process(VALUES).tolist()
    classes = found[0][1]
    assert set(classes.values()) == {"crown"}
    assert all(int(name.removeprefix("s-")) % 3 == 1 for name in classes)
    assert {"s-1", "s-4"}.isdisjoint(classes)
    assert {"s-34", "s-37"} <= set(classes)


def test_counts_of_a_call_hold_what_came_before_an_entry_too(tmp_path: Path) -> None:
    """An analyst who waits for closed sessions misses none where the stream was cut for an entry."""
    core = _core(tmp_path, entry("a-1", at=MONDAY + 12_000.0))
    core.process(VALUES)
    plain = Core(PROFILE)
    plain.process(VALUES)
    assert core.outcomes.counts["sessions_closed"] == plain.outcomes.counts["sessions_closed"] > 0


def test_an_entry_that_cannot_take_effect_ends_the_evaluation(tmp_path: Path) -> None:
    """Figures of another registry than the one that was given would be told otherwise."""
    core = _core(tmp_path, entry("a-1", revision=2), entry("a-1", revision=1))
    with pytest.raises(SetupError, match="registry_outdated"):
        core.process(VALUES[:5])


def test_a_report_with_a_registry_has_its_classes(tmp_path: Path) -> None:
    """Each class with its own promise; without the registry nobody is of one."""
    (tmp_path / "events").write_bytes(b"\n".join(VALUES))
    rows = [f"s-{number},a-{number % 3},live,0," for number in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["session_id,agent_id,phase,label,attack_type", *rows]))
    inputs = Inputs(tmp_path / "events", tmp_path / "labels.csv")
    registry = _written(tmp_path, entry("a-1", criticality="critical", at=0.0))
    found = measure_seeds(Asked(PROFILE, draws=0, registry=registry), inputs)["by_class"]
    assert {name: (part["n"], round(part["promised_rate"], 6)) for name, part in found.items()} == {
        "crown": (13, 0.15), "profile": (27, 0.1),
    }  # fmt: skip
    assert set(measure_seeds(Asked(PROFILE, draws=0), inputs)["by_class"]) == {"profile"}
