"""Credentials older than their agent may use, grants past the term on record."""

from __future__ import annotations

from typing import Any

import pytest

from detector.simulate.fleet import MONDAY
from detector.simulate.render import timestamp
from tests.rules.registry import entry, registered, told_of
from tests.rules.told import causes, found_in
from tests.streams import Script


def _credential(hours: float) -> dict[str, Any]:
    return {"credential": {"id": "key-1", "issued_at": timestamp(round((MONDAY - hours * 3_600.0) * 1_000.0))}}


@pytest.mark.parametrize(
    ("more", "most"),
    [
        ({}, 12.0),
        ({"criticality": "high"}, 8.0),
        ({"criticality": "critical"}, 4.0),
        ({"criticality": "critical", "credential": {"max_age_h": 30.0}}, 30.0),
    ],
)
def test_a_credential_older_than_its_agent_may_use_is_told(more: dict[str, Any], most: float) -> None:
    """By criticality where the entry says nothing else; five minutes more are clocks."""
    alerts = told_of(entry(**more), _credential(most + 0.1))
    assert causes(alerts) == ["rule.credential_age/key-1"]
    assert alerts[0].contributions[0].observed.startswith("credential key-1 was ")
    assert told_of(entry(**more), _credential(most + 0.08), {"credential": {"id": "key-2"}}) == []
    assert told_of(entry(lifecycle="proposed", **more), _credential(100.0)) == []


def _under(name: str, **more: Any) -> dict[str, Any]:
    """Return an event under a grant, of which it says that it runs for years."""
    return {"grant": {"id": name, "expires_at": "2030-01-01T00:00:00Z", **more}}


def _grants(**more: Any) -> dict[str, Any]:
    grant = {"id": "g", "granted_at": MONDAY - 9e4, "expires_at": MONDAY + 3_600.0, "approver": "ann", **more}
    return entry(grants=[grant])


def test_a_grant_past_its_term_on_record_is_told_whatever_the_event_says() -> None:
    """The rule of expired grants believes the event; this one does not."""
    script, pipeline = Script(), registered(_grants())
    assert found_in(pipeline, script.event(**_under("g"))) == []
    script.now = MONDAY + 3_850.0
    assert found_in(pipeline, script.event(**_under("g"))) == []
    script.now = MONDAY + 3_950.0
    (alert,) = found_in(pipeline, script.event(**_under("g")))
    assert alert.causes == ("rule.grant_overdue/over/g",)
    assert alert.contributions[0].observed == "grant g ended 0:05:51 before"


def test_a_grant_that_nobody_recorded_is_told() -> None:
    """Also where the entry has none at all; an agent without an active entry is held against none."""
    assert causes(told_of(_grants(), _under("h"))) == ["rule.grant_overdue/unknown/h"]
    assert causes(told_of(entry(), _under("g"))) == ["rule.grant_overdue/unknown/g"]
    assert told_of(entry(lifecycle="proposed"), _under("g")) == []


def test_a_temporary_grant_that_is_renewed_again_and_again_is_told() -> None:
    """It has no end in all but name; one that is meant to last may be renewed."""
    assert causes(told_of(_grants(temporary=True, renewals=4), _under("g"))) == ["rule.grant_overdue/renewed/g"]
    assert told_of(_grants(temporary=True, renewals=3), _under("g")) == []
    assert told_of(_grants(renewals=9), _under("g")) == []
