"""Risk classes of a profile: what they take over, what they refuse, and when a class's hours hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from detector.errors import ProfileError
from detector.profile.hours import Hours, zone_of
from detector.profile.lint import lint
from detector.profile.load import parse_profile
from detector.profile.model import Profile
from detector.profile.strict import is_stricter

IDENTITY = {"name": "mine", "version": 1, "status": "stable", "owner": "me", "description": "for a test"}
CRITICAL = {"name": "crown", "match": {"criticality": ["critical"]}}


def _profile(*classes: dict[str, Any], **sections: Any) -> Profile:
    return parse_profile({"profile": IDENTITY, "class": list(classes), **sections})


def _at(text: str, zone: str = "Europe/Berlin") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def test_what_a_class_leaves_out_is_the_profiles() -> None:
    """A class that only says whom it takes promises, and asks for, what the profile does."""
    profile = _profile(CRITICAL)
    (one,) = profile.classes
    assert profile.shares_of(one) == (0.01, 0.002)
    assert profile.scores_of(one) == (profile.limit_score, profile.isolate_score)
    assert is_stricter(profile, one)
    assert lint(profile) == lint(_profile())


def test_the_ladder_of_a_class_follows_its_own_share() -> None:
    """Who may alert more often is limited from a lower score; a share below the profile's quarantine narrows that."""
    profile = _profile({**CRITICAL, "alerts": 0.1}, {"name": "quiet", "match": {"profile": ["x"]}, "alerts": 0.001})
    wide, narrow = profile.classes
    assert profile.scores_of(wide)[0] == pytest.approx(1.0)
    assert profile.shares_of(narrow) == (0.001, 0.001)
    assert list(profile.scores_of(narrow)) == pytest.approx([3.0, 3.0])


@pytest.mark.parametrize(
    "change",
    [
        {"alerts": 0.005},
        {"quarantine": 0.001},
        {"response": {"most": "limit"}},
        {"response": {"most": "observe"}},
        {"response": {"limit_score": 2.5}},
        {"response": {"isolate_s": 60.0}},
    ],
)
def test_a_class_that_is_milder_in_one_thing_is_not_stricter(change: dict[str, Any]) -> None:
    """Then no event may claim it; its twin without the change may be claimed."""
    profile = _profile({**CRITICAL, **change})
    assert not is_stricter(profile, profile.classes[0])


@pytest.mark.parametrize(
    "change",
    [{"alerts": 0.05}, {"severity": "high"}, {"response": {"isolate_score": 2.0}}, {"hours": {"zone": "UTC"}}],
)
def test_a_class_that_is_harder_in_one_thing_is_stricter(change: dict[str, Any]) -> None:
    """More alerts, a severity, an earlier isolation and hours only ever add."""
    profile = _profile({**CRITICAL, **change})
    assert is_stricter(profile, profile.classes[0])


@pytest.mark.parametrize(
    ("change", "of_both"),
    [
        ({"alerts": 0.05}, {}),
        ({"severity": "high"}, {}),
        ({"response": {"isolate_score": 2.1}}, {}),
        ({"hours": {"zone": "UTC"}}, {}),
        ({"hours": {"zone": "UTC"}}, {"hours": {"zone": "Europe/Berlin"}}),
    ],
)
def test_of_two_classes_the_one_that_is_nowhere_milder_is_stricter(
    change: dict[str, Any], of_both: dict[str, Any]
) -> None:
    """What one adds makes it stricter than its twin, and the twin milder; of two that differ in hours neither is."""
    profile = _profile({**CRITICAL, **of_both, **change}, {"name": "twin", "match": {"tenant": ["t"]}, **of_both})
    hard, twin = profile.classes
    assert is_stricter(profile, hard, twin) is not bool(of_both)
    assert not is_stricter(profile, twin, hard)
    assert is_stricter(profile, hard, hard)


@pytest.mark.parametrize(
    ("field", "classes"),
    [
        (
            "class.other.response.isolate_score",
            [
                {"name": "crown", "match": {"agent_type": ["payer"]}},
                {"name": "other", "match": {"tenant": ["t"]}, "response": {"limit_score": 3.0, "isolate_score": 2.0}},
            ],
        ),
        ("class.crown.name", [CRITICAL, {**CRITICAL, "match": {"tenant": ["t"]}}]),
        ("class.crown.match", [{"name": "crown", "match": {}}]),
        ("class.other.match", [CRITICAL, {**CRITICAL, "name": "other"}]),
        ("class.crown.alerts", [{**CRITICAL, "alerts": 0.0004}]),
        ("class.crown.alerts", [{**CRITICAL, "alerts": 0.21}]),
        ("class.crown.alerts", [{**CRITICAL, "alerts": 0.25}]),
        ("class.crown.quarantine", [{**CRITICAL, "alerts": 0.01, "quarantine": 0.02}]),
        ("class.crown.response.isolate_score", [{**CRITICAL, "response": {"limit_score": 3.0, "isolate_score": 2.0}}]),
        ("class.0.name", [{**CRITICAL, "name": "Not a label"}]),
        ("class.0.hours.zone", [{**CRITICAL, "hours": {"zone": "Mars/Olympus"}}]),
        ("class.0.match.criticality", [{"name": "crown", "match": {"criticality": ["vital"]}}]),
        ("class.0.unknown", [{**CRITICAL, "unknown": 1}]),
        ("class", [{"name": f"c{k}", "match": {"tenant": [str(k)]}} for k in range(16)]),
    ],
)
def test_a_class_that_cannot_be_kept_is_refused_with_its_field(field: str, classes: list[dict[str, Any]]) -> None:
    """A promise of less than one reference, a class nobody or everybody is of, a name that is no label."""
    with pytest.raises(ProfileError) as caught:
        _profile(*classes)
    assert any(fault.startswith(field) for fault in caught.value.faults)


def test_a_ladder_of_the_profile_that_is_upside_down_is_refused_with_its_field_beside_classes() -> None:
    """The fault is named as without classes, and nothing else is said in its place."""
    upside_down = {"limit_score": 3.0, "isolate_score": 2.0}
    classes = [{"name": "clerks", "match": {"agent_type": ["clerk"]}, "response": {"limit_score": 1.0}}]
    for with_classes in ([], classes):
        with pytest.raises(ProfileError) as caught:
            _profile(*with_classes, response=upside_down)
        assert [fault.split(":")[0] for fault in caught.value.faults] == ["response.limit_score"]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("class.crown.quarantine", {"quarantine": 1e-5}),
        ("class.crown.response.isolate_score", {"response": {"isolate_score": 5.0}}),
        ("class.crown.response.limit_score", {"response": {"limit_score": 4.0, "isolate_score": 4.0}}),
    ],
)
def test_what_no_window_reaches_without_a_tail_model_is_refused(field: str, change: dict[str, Any]) -> None:
    """An agent of the class could never be isolated; with the tail model, and within the window's reach, it may."""
    with pytest.raises(ProfileError) as caught:
        _profile({**CRITICAL, **change}, budget={"tail": 0.0})
    assert caught.value.faults[0].startswith(f"{field}:")
    assert _profile({**CRITICAL, **change}).classes
    assert _profile({**CRITICAL, "response": {"isolate_score": 3.0}}, budget={"tail": 0.0}).classes


def test_a_milder_class_by_type_is_told_to_need_entries() -> None:
    """The lint warns of it; of the same class by criticality, which no event can claim, it says nothing."""
    mild = {"name": "mild", "response": {"most": "observe"}}
    told = lint(_profile({**mild, "match": {"agent_type": ["clerk"]}}))
    assert [(issue.field, issue.severity) for issue in told] == [("class.mild.match", "warning")]
    assert lint(_profile({**mild, "match": {"criticality": ["low"]}})) == []


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-07-01T08:00", True),
        ("2026-07-01T07:59", False),
        ("2026-07-01T17:59", True),
        ("2026-07-01T18:00", False),
        ("2026-07-04T12:00", False),
        ("2026-12-01T08:00", True),
    ],
)
def test_hours_are_those_of_their_zone(at: str, holds: bool) -> None:
    """Summer and winter, to the minute; Saturday is no working day."""
    assert Hours(zone="Europe/Berlin").holds(_at(at)) is holds


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-07-03T22:00", True),
        ("2026-07-04T05:59", True),
        ("2026-07-04T06:00", False),
        ("2026-07-04T22:00", False),
        ("2026-07-06T05:00", False),
        ("2026-07-07T05:00", True),
    ],
)
def test_a_night_shift_belongs_to_the_day_it_begins_on(at: str, holds: bool) -> None:
    """Friday's shift ends on Saturday morning; Sunday night has none, so Monday's small hours are outside."""
    assert Hours(zone="Europe/Berlin", begin="22:00", end="06:00").holds(_at(at)) is holds


@pytest.mark.parametrize(
    "name", ["", ".", "../UTC", "Europe", "Europe/", "/etc/localtime", "Europe/Nowhere", "leapseconds"]
)
def test_a_zone_is_a_name_of_the_table_and_no_path(name: str) -> None:
    """Whatever leads out of the table, or is none of its zones, is refused."""
    with pytest.raises(ValueError, match="zone must be a name"):
        zone_of(name)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_a_moment_at_the_ends_of_the_calendar_lies_outside(zone: str, at: str) -> None:
    """Senders may write the first and the last moment that there is; the place may have no date for it."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    hours = Hours(zone=zone, days=days, begin="00:00", end="24:00")
    moment = datetime.fromisoformat(at).timestamp()
    assert not hours.holds(moment)
    assert hours.holds(moment + (5 * 86_400.0 if moment < 0.0 else -5 * 86_400.0))


def test_a_day_may_be_whole_and_may_not_be_empty() -> None:
    """`00:00` to `24:00` is all day; a beginning that is the end is a mistake."""
    assert Hours(zone="UTC", begin="00:00", end="24:00", days=("sat",)).holds(_at("2026-07-04T23:59", "UTC"))
    with pytest.raises(ValueError, match="begin must be earlier"):
        Hours(zone="UTC", begin="08:00", end="08:00")
