"""Cases of a profile are read strictly, stand in pairs, and hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from detector.checks.cases import Case, Days, cases_folder, checked_profile, live_through, read_case, run_case
from detector.errors import ProfileError
from detector.profile.load import load_profile
from detector.schema.decode import decode
from detector.schema.record import Record

CASES = sorted(cases_folder().glob("*.jsonl"))
HEADER = {
    "case": "one",
    "expect": "alert",
    "sessions": ["live"],
    "why": "it must",
    "twin": "two",
    "history": "fleet.json",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of cases with the shipped quiet days and no case."""
    shutil.copy(cases_folder() / "fleet.json", tmp_path)
    return tmp_path


def write(folder: Path, *lines: dict[str, Any] | str, **header: Any) -> Path:
    """Write a case and return its path."""
    path = folder / "one.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in ({**HEADER, **header}, *lines)]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def days_by_history() -> dict[str, Days]:
    """The shipped quiet days, each lived through once, by the file that describes them."""
    first = {(case := read_case(path)).header.history: case for path in CASES}
    return {name: live_through(load_profile(), case) for name, case in first.items()}


@pytest.fixture(scope="module")
def days(days_by_history: dict[str, Days]) -> Days:
    """The quiet days that most cases begin with."""
    return days_by_history["fleet.json"]


@pytest.mark.slow
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_shipped_case_holds(path: Path, days_by_history: dict[str, Days]) -> None:
    """The attack alerts, its twin stays quiet."""
    case = read_case(path)
    assert run_case(load_profile(), case, days_by_history[case.header.history]).faults == []


def test_every_rule_that_is_on_has_a_pair_of_cases() -> None:
    """One that it leads, and that one's twin."""
    led = {lead for path in CASES for lead in read_case(path).header.leads}
    assert set(load_profile().rules.enabled) <= led


@pytest.mark.slow
def test_the_shipped_cases_stand_in_pairs() -> None:
    """Each names a twin that names it and expects the other thing; at least three pairs."""
    headers = {path.stem: read_case(path).header for path in CASES}
    assert len(headers) >= 6
    for name, header in headers.items():
        twin = headers[header.twin]
        assert twin.twin == name
        assert {header.expect, twin.expect} == {"alert", "quiet"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_shipped_case_holds_valid_events_in_order(path: Path) -> None:
    """Nothing of it is refused or unknown, and the sessions under test occur in it."""
    case = read_case(path)
    decoded = decode([Record(value) for value in case.before + case.events])
    assert (decoded.refusals, dict(decoded.unknown)) == ([], {})
    times = [event.ts for event in decoded.events]
    assert times == sorted(times)
    assert set(case.header.sessions) <= {event.session_id for event in decoded.events[len(case.before) :]}


def test_a_repeat_stands_for_many_growing_events(folder: Path) -> None:
    """Numbers grow by their factor, braces count, time goes on."""
    event = {"agent_id": "a", "kind": "network", "name": "connect", "target": "10.0.0.{}", "bytes_out": 100}
    path = write(folder, {"repeat": 3, "every_s": 0.5, "event": event, "grow": {"bytes_out": 2}})
    decoded = decode([Record(value) for value in read_case(path).events])
    assert [(one.target, one.bytes_out) for one in decoded.events] == [
        ("10.0.0.1", 100),
        ("10.0.0.2", 200),
        ("10.0.0.3", 400),
    ]
    assert [(one.ts - decoded.events[0].ts).total_seconds() for one in decoded.events] == [0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("header", "line", "match"),
    [
        ({"expect": "maybe"}, {}, "line 1"),
        ({"case": "other"}, {}, "file's name"),
        ({"sessions": []}, {}, "line 1"),
        ({"history": "../fleet.json"}, {}, "line 1"),
        ({"history": "nowhere.json"}, {}, "history of header"),
        ({}, "not json", "line 2"),
        ({}, "[]", "line 2"),
        ({}, {"repeat": 0, "every_s": 1, "event": {}}, "line 2"),
        ({}, {"repeat": 2, "every_s": 1, "event": {}, "grow": {"bytes_out": 2}}, "line 2"),
    ],
)
def test_a_malformed_case_is_refused_with_its_line(folder: Path, header: dict[str, Any], line: Any, match: str) -> None:
    """A case nobody can read proves nothing."""
    with pytest.raises(ProfileError, match=match):
        read_case(write(folder, line, **header))


def quiet_line() -> dict[str, Any]:
    """Return an ordinary event of a known agent."""
    return {
        "agent_id": "support-1",
        "agent_type": "support",
        "session_id": "live",
        "kind": "llm_call",
        "name": "chat",
        "target": "model-a",
        "duration_ms": 1_200,
        "tokens_in": 1_500,
        "tokens_out": 120,
    }


def test_a_case_that_does_not_hold_says_why(folder: Path, days: Days) -> None:
    """An ordinary event that must alert, and a refused one."""
    case = read_case(write(folder, quiet_line(), {**quiet_line(), "session_id": "other", "tokens_in": True}))
    faults = run_case(load_profile(), case, days).faults
    assert any("bool_as_number" in fault for fault in faults)
    assert any("session live must raise an alert, got none: it must" in fault for fault in faults)


def test_a_case_does_not_depend_on_how_its_events_are_cut(days: Days) -> None:
    """The same alerts, bit for bit, at any batch size."""
    case: Case = read_case(cases_folder() / "one_agent_reaches_for_many_hosts.jsonl")
    whole = run_case(load_profile(), case, days)
    assert whole.alerts
    assert all(run_case(load_profile(), case, days, batch=size).alerts == whole.alerts for size in (1, 7))


@pytest.mark.slow
def test_a_profile_is_checked_by_its_own_cases(tmp_path: Path) -> None:
    """One that alerts on nothing is refused with the names of the cases that do not hold."""
    root = tmp_path / "profiles" / "default" / "v1"
    shutil.copytree(cases_folder().parent, root)
    text = (root / "profile.toml").read_text(encoding="utf-8")
    assert checked_profile("default/v1", tmp_path).id == "default/v1"
    (root / "profile.toml").write_text(text.replace("warm_sessions = 50", "warm_sessions = 5000"), encoding="utf-8")
    with pytest.raises(ProfileError, match="hijack_without_origins: session live must raise an alert") as error:
        checked_profile("default/v1", tmp_path)
    headers = [read_case(path).header for path in CASES]
    by_rule = set(load_profile().rules.enabled)
    expected = sum(one.expect == "alert" and not by_rule & set(one.leads) for one in headers)
    assert len(error.value.faults) == expected
