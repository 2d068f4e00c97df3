"""Profiles are refused with every fault named, or loaded whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.channels.catalogue import WEIGHTS
from detector.errors import ProfileError
from detector.profile import catalog
from detector.profile.load import list_profiles, load_profile, models_folder, parse_profile, read_profile, with_mode
from detector.profile.model import Identity, Profile
from detector.profile.section import Section

IDENTITY = {"name": "mine", "version": 1, "status": "experimental", "owner": "me", "description": "for a test"}


def table(**sections: dict[str, Any]) -> dict[str, Any]:
    """Return a minimal profile with some sections changed."""
    return {"profile": {**IDENTITY, **sections.pop("profile", {})}, **sections}


def write(root: Path, name: str, text: str) -> Path:
    """Write a profile's file below a models folder."""
    path = root / "profiles" / name / "profile.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_profile_is_stable_and_in_shadow_mode() -> None:
    """It may command, and does so only when the operator says so."""
    profile = load_profile()
    assert (profile.id, profile.profile.status, profile.response.mode) == ("default/v1", "stable", "shadow")


def test_the_shipped_profile_writes_out_the_defaults_of_the_code() -> None:
    """Whoever reads the file reads what an empty profile would do."""
    shipped = load_profile()
    assert shipped == Profile(profile=shipped.profile)


def test_the_shipped_profile_states_every_value() -> None:
    """A later change of a default in the code must not change what is locked."""
    import tomllib

    stated = tomllib.loads((models_folder() / "profiles/default/v1/profile.toml").read_text(encoding="utf-8"))
    profile = load_profile()
    for section, values in profile.model_dump(exclude={"classes"}).items():
        # the two levels follow from the budget where nothing is stated, and TOML has no null; no rule is on in v1
        given = {name for name, value in values.items() if value is not None and (section, value) != ("rules", ())}
        # a channel that is entered with weight 0 counts for nothing until a profile says so
        if section == "weights":
            given -= {name for name in values if WEIGHTS[name] == 0.0 and name not in stated[section]}
        # settings of the breaker and of the graph that came after v1 was locked; they move no score
        if section == "response":
            given -= {"newcomer_most", "newcomer_per_hour", "skew_s", "critical", "graph"}
        # ceilings on incidents came after it too
        if section == "budget":
            given -= {"hourly_incidents", "newcomer_incidents", "agent_incidents", "reserve_incidents"}
        # as is the cap of agents; before there was none
        if section == "memory":
            given -= {"agents"}
        # no window moves a score before a registry declares something
        if section == "learning":
            given -= {"expected_s"}
        assert given == set(stated.get(section, ()))


def test_levels_of_the_ladder_follow_from_the_budget() -> None:
    """A share of sessions and the score that it reaches are one statement."""
    profile = load_profile()
    assert (profile.limit_score, round(profile.isolate_score, 3)) == (2.0, 2.699)


def test_stated_levels_of_the_ladder_come_before_the_budget() -> None:
    """The analyst may set them by hand."""
    profile = parse_profile(table(response={"limit_score": 1.5, "isolate_score": 3.0}))
    assert (profile.limit_score, profile.isolate_score) == (1.5, 3.0)


def test_every_fault_of_a_file_is_named_at_once() -> None:
    """With the dotted field, the rule and what was found."""
    with pytest.raises(ProfileError) as error:
        parse_profile(table(budget={"alerts": 2.0, "allerts": 0.1}, sessions={"idle_s": True}, profile={"name": "No!"}))
    faults = "\n".join(error.value.faults)
    assert len(error.value.faults) == 4
    assert "budget.alerts of profile must be less than or equal to 1, got 2.0" in faults
    assert "budget.allerts of profile must be a known field" in faults
    assert "sessions.idle_s of profile must be" in faults
    assert "profile.name of profile must" in faults


def test_a_profile_without_identity_is_refused() -> None:
    """An alert must be able to say which policy raised it."""
    with pytest.raises(ProfileError, match="profile of profile must be given"):
        parse_profile({})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "0.1", True])
def test_a_budget_that_is_no_share_is_refused(value: object) -> None:
    """NaN compares with nothing and would silence the detector."""
    with pytest.raises(ProfileError, match=r"budget\.alerts"):
        parse_profile(table(budget={"alerts": value}))


@pytest.mark.parametrize("name", ["../../etc", "default", "default/v0", "default/v1/", "Default/v1", "a/b/v1", ""])
def test_a_name_that_is_no_name_and_version_is_refused(name: str, tmp_path: Path) -> None:
    """And reaches no path."""
    with pytest.raises(ProfileError, match="name of profile must be"):
        load_profile(name, tmp_path)


def test_a_missing_profile_says_which_ones_exist() -> None:
    """The error says what to do."""
    with pytest.raises(ProfileError, match=r"here: .*default/v1"):
        load_profile("default/v999")


def test_a_profile_in_the_folder_of_another_is_refused(tmp_path: Path) -> None:
    """A copied folder whose version was not raised is no new version."""
    text = (models_folder() / "profiles/default/v1/profile.toml").read_text(encoding="utf-8")
    write(tmp_path, "default/v2", text)
    with pytest.raises(ProfileError, match="must be those of its folder"):
        load_profile("default/v2", tmp_path)


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    """With the place where it breaks."""
    with pytest.raises(ProfileError, match="file must be TOML"):
        read_profile(write(tmp_path, "mine/v1", "[profile\n"))


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    """Bytes from disk are bounded before they are parsed."""
    path = write(tmp_path, "mine/v1", "")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="file must be TOML"):
        read_profile(path)
    path.write_bytes(b"#" * 1_048_577)
    with pytest.raises(ProfileError, match="size of file must be at most"):
        read_profile(path)


def test_a_locked_profile_that_was_changed_is_refused_and_as_locked_is_loaded(tmp_path: Path) -> None:
    """The digest is asked before the content."""
    text = (models_folder() / "profiles/default/v1/profile.toml").read_text(encoding="utf-8")
    path = write(tmp_path, "default/v1", text)
    catalog.lock(tmp_path)
    assert load_profile("default/v1", tmp_path).id == "default/v1"
    path.write_text(text.replace("alerts = 0.01 ", "alerts = 0.02 ").replace("alerts = 0.01\n", "alerts = 0.02\n"))
    with pytest.raises(ProfileError, match="make a new version"):
        load_profile("default/v1", tmp_path)


def test_a_stable_profile_outside_the_lock_is_refused_and_an_experimental_one_is_loaded(tmp_path: Path) -> None:
    """An analyst tries freely; what may command is locked."""
    text = (models_folder() / "profiles/default/v1/profile.toml").read_text(encoding="utf-8")
    catalog.lock(tmp_path)
    write(tmp_path, "default/v1", text)
    with pytest.raises(ProfileError, match="must stand in catalog"):
        load_profile("default/v1", tmp_path)
    write(tmp_path, "default/v2", text.replace("version = 1", "version = 2").replace('"stable"', '"experimental"'))
    assert load_profile("default/v2", tmp_path).profile.status == "experimental"


def test_only_a_stable_profile_may_enforce() -> None:
    """Experimental ones shadow; the shipped one may."""
    assert with_mode(load_profile(), "enforce").response.mode == "enforce"
    with pytest.raises(ProfileError, match=r"response\.mode: must be shadow while status is experimental"):
        with_mode(parse_profile(table()), "enforce")


def test_versions_are_listed_by_number(tmp_path: Path) -> None:
    """Ten comes after nine."""
    for version in (10, 9, 1):
        write(tmp_path, f"mine/v{version}", "")
    write(tmp_path, "also/v1", "")
    assert list_profiles(tmp_path) == ["also/v1", "mine/v1", "mine/v9", "mine/v10"]


def test_a_profile_cannot_be_changed_in_place() -> None:
    """What was loaded is what runs."""
    with pytest.raises(ValueError, match="frozen"):
        load_profile().budget.alerts = 0.5  # type: ignore[misc]


SECTIONS = [
    (section, name)
    for section, field in Profile.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section) and field.annotation is not Identity
    for name in field.annotation.model_fields
]


@given(
    st.sampled_from(SECTIONS),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=5)),
)
def test_any_value_of_any_field_is_taken_or_refused_with_its_name(field: tuple[str, str], value: object) -> None:
    """Nothing an analyst writes raises anything but a refusal that names a field of that section."""
    section, name = field
    try:
        profile = parse_profile(table(**{section: {name: value}}))
    except ProfileError:
        return
    assert Profile.model_validate(profile.model_dump()) == profile
