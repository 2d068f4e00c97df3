"""A risk class has its own ladder: what it may ask for, from which score, for how long."""

from __future__ import annotations

import pytest

from detector.errors import SetupError
from detector.response.ladder import ClassLadder, Levels
from detector.response.settings import ResponseSettings
from detector.response.stage import ResponseStage
from detector.schema.alert import Alert
from detector.schema.command import Tier
from detector.sinks.body import to_bytes
from detector.sinks.ocsf import render
from detector.sinks.ocsf_read import decode
from tests.offline.stand_in import alert

CLASSES = {
    "lab": ClassLadder(2.0, 2.7, "observe"),
    "crown": ClassLadder(1.0, 1.0, isolate_s=86_400.0),
    "desk": ClassLadder(2.0, 2.7, "limit"),
}


def _stage() -> ResponseStage:
    return ResponseStage(ResponseSettings(mode="enforce"), "default/v1", Levels(2.0, 2.7, CLASSES))


def _alert(risk_class: str, score: float) -> Alert:
    return alert({"agent_id": "a-1", "session_id": "s", "event_id": "e"}, 1e9, score).model_copy(
        update={"risk_class": risk_class}
    )


@pytest.mark.parametrize(
    ("risk_class", "score", "tier"),
    [
        ("", 1.5, None),
        ("", 2.3, "limit"),
        ("", 9.0, "isolate"),
        ("crown", 0.9, None),
        ("crown", 1.0, "isolate"),
        ("desk", 9.0, "limit"),
        ("lab", 9.0, None),
        ("unknown", 9.0, "isolate"),
    ],
)
def test_a_class_is_answered_by_its_own_ladder(risk_class: str, score: float, tier: Tier | None) -> None:
    """One is only observed, one is isolated at its first alert; a name that is not known has the profile's ladder."""
    command = _stage().on_alert(_alert(risk_class, score)).command
    assert (None if command is None else command.tier) == tier


def test_a_class_reaches_the_stage_as_alerts_cross_kafka() -> None:
    """Rendered as OCSF and read back it is the class it was; an alert of none says nothing of classes."""
    sent, plain = (to_bytes(render(_alert(name, 1.5))) for name in ("crown", ""))
    command = _stage().on_alert(decode(sent)).command
    assert command is not None
    assert command.tier == "isolate"
    assert _stage().on_alert(decode(plain)).command is None
    assert b"risk_class" not in plain


def test_the_log_says_that_a_class_is_only_observed() -> None:
    """Not that the score was too low."""
    assert "only observed" in _stage().on_alert(_alert("lab", 9.0)).entry.detail
    assert "below the ladder (2.000)" in _stage().on_alert(_alert("", 1.0)).entry.detail


def test_terms_of_a_class_are_its_own_where_it_has_some() -> None:
    """A day instead of four hours; the limit that follows lasts as the profile says."""
    own, other = (_stage().on_alert(_alert(name, 9.0)).command for name in ("crown", ""))
    assert own is not None
    assert other is not None
    assert own.expires_at == 1e9 + 86_400.0
    assert other.expires_at == 1e9 + ResponseSettings().isolate_s


def test_a_score_that_is_no_number_asks_for_the_strongest_a_class_may() -> None:
    """It never means "no alert", and never more than the class allows."""
    assert [CLASSES[name].tier(float("nan")) for name in ("crown", "desk", "lab")] == ["isolate", "limit", "observe"]


def test_a_ladder_upside_down_is_refused() -> None:
    """Also that of a class."""
    with pytest.raises(SetupError, match="at least limit_score"):
        ClassLadder(3.0, 2.0)
