"""An incident that is too early to tell: only scores say so, and one that shows more ends it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from detector.alerts.early import is_early, is_lifted_by
from detector.alerts.explain import Known
from detector.alerts.leads import Lead
from detector.schema.alert import Alert
from tests.alerts.test_incidents import ODD, incident


@pytest.fixture(scope="module")
def alert() -> Alert:
    """The first alert of an odd session."""
    return incident(ODD)[0]


@pytest.mark.parametrize(
    ("before", "newer", "is_so"),
    [
        ({"learning": True, "score": 3.0}, {"learning": True}, True),
        ({"learning": True, "score": 3.0}, {"learning": False}, False),
        ({"learning": False, "score": 3.0}, {"learning": True}, False),
        ({"learning": False, "score": None}, {"learning": True}, True),
    ],
)
def test_what_a_rule_found_first_does_not_make_a_score_sure(
    alert: Alert, before: dict[str, Any], newer: dict[str, Any], is_so: bool
) -> None:
    """An incident by rule has no score: the first score says whether it is too early."""
    assert is_early(alert.model_copy(update=before), alert.model_copy(update=newer)) is is_so


def _lead(cause: str, *, is_learning: bool, is_of_newcomer: bool) -> Lead:
    found: Any = SimpleNamespace(is_of_newcomer=is_of_newcomer)
    spot: Any = None
    known = Known(0, 0, 1, 0, is_established=False, is_learning=is_learning)
    return Lead(cause, 6.0, "critical", spot, known, 1, lambda: found)


SCORED = "behaviour.session/quarantine/send"


def test_a_novel_value_at_the_same_tool_and_place_ends_a_newcomers_leniency(alert: Alert) -> None:
    """A first act that its peers do all day must not cover the one that follows."""
    early, sure = (alert.model_copy(update={"learning": one}) for one in (True, False))
    assert is_lifted_by(early, _lead(SCORED, is_learning=False, is_of_newcomer=False))
    assert not is_lifted_by(early, _lead(SCORED, is_learning=False, is_of_newcomer=True))
    assert not is_lifted_by(early, _lead(SCORED, is_learning=True, is_of_newcomer=False))
    assert not is_lifted_by(early, _lead("rule.escape/x", is_learning=False, is_of_newcomer=False))
    assert not is_lifted_by(sure, _lead(SCORED, is_learning=False, is_of_newcomer=False))
