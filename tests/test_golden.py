"""Golden vectors: a change of scores, alerts or state is a decision, not an accident."""

from __future__ import annotations

import json

import pytest

from tests.golden.freeze import FILE, frozen

HOW = "if the change is meant: python -m tests.golden.freeze, and a line in the CHANGELOG under Changed scores"


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    """What the pipeline makes of the stream today."""
    return frozen()


@pytest.mark.parametrize("what", ["scores", "alerts", "said", "state"])
def test_the_pipeline_gives_what_was_frozen(found: dict[str, object], what: str) -> None:
    """Scores to a millionth, alerts to the last word, state by digest: same lock file, same processor family."""
    kept = json.loads(FILE.read_text(encoding="ascii"))
    assert found[what] == kept[what], HOW


def test_what_was_frozen_is_worth_freezing() -> None:
    """Alerts among it, and scores of which many differ."""
    kept = json.loads(FILE.read_text(encoding="ascii"))
    assert len(kept["scores"]) > 1_000
    assert len(set(kept["scores"])) > 500
    assert len(kept["alerts"]) >= 10
