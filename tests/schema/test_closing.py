"""What a SIEM closes a case as, read as a verdict: what is none is refused, with the reason."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from detector.schema.closing import MOST_FINDINGS, MOST_LETTERS, IncidentFinding
from detector.schema.feedback import fault_of, feedback_adapter
from tests.schema.cases import AT_MS, case

OURS, OTHER = "a" * 32, "b" * 32


def read(record: bytes) -> IncidentFinding:
    """Return a record of feedback, which must be a case."""
    act = feedback_adapter.validate_json(record)
    assert isinstance(act, IncidentFinding)
    return act


def fault(record: bytes) -> str:
    """Return why a record is refused."""
    with pytest.raises(ValidationError) as caught:
        feedback_adapter.validate_json(record)
    return fault_of(caught.value)


@pytest.mark.parametrize(
    ("verdict_id", "verdict"),
    [(1, "dismiss"), (2, "confirm"), (3, "dismiss"), (5, "dismiss"), (6, "dismiss"), (8, "confirm")],
)
def test_what_a_case_was_closed_as_is_a_verdict(verdict_id: int, verdict: str) -> None:
    """False and true positive, disregard, benign, test, security risk; no number of OCSF teaches."""
    act = read(case([OURS, "SPLUNK-9", OTHER, OURS], verdict_id))
    assert (act.is_closed, act.verdict, act.findings) == (True, verdict, [OURS, OTHER])
    assert (act.by, act.reason, act.at, act.tenant) == ("kim", "seen it", AT_MS / 1_000, None)


@pytest.mark.parametrize("verdict_id", [0, 4, 7, 9, 10, 11, -1, 99])
def test_what_decides_nothing_is_refused(verdict_id: int) -> None:
    """Unknown, suspicious, insufficient data, managed externally, duplicate, other, and what OCSF does not know."""
    assert f"got {verdict_id} (" in fault(case([OURS], verdict_id))


@pytest.mark.parametrize(
    ("status_id", "activity_id", "is_closed"),
    [(4, 2, True), (5, 3, True), (5, 1, True), (0, 3, True), (99, 3, True), (None, 3, True),
     (1, 1, False), (2, 2, False), (3, 2, False), (2, 3, False), (0, 2, False), (None, None, False)],
)  # fmt: skip
def test_a_case_is_closed_by_its_status(status_id: int | None, activity_id: int | None, is_closed: bool) -> None:
    """The activity counts where no status is said; a status that goes on outweighs it."""
    assert read(case([OURS], status_id=status_id, activity_id=activity_id)).is_closed is is_closed


def test_an_open_case_may_leave_everything_open() -> None:
    """A SIEM tells each step of a case; only its end is held to what a verdict needs."""
    act = read(case([], 0, status_id=2, activity_id=2, assignee=None, comment=None))
    assert not act.is_closed


@pytest.mark.parametrize(
    ("changes", "by"),
    [
        ({"assignee": {"name": " ", "email_addr": "ada@corp.example"}}, "ada@corp.example"),
        ({"assignee": {"uid": "u-7"}}, "u-7"),
        ({"assignee": None, "actor": {"user": {"name": "ben"}}}, "ben"),
        ({"assignee": None, "assignee_group": {"name": "soc-1"}}, "soc-1"),
    ],
)
def test_a_verdict_has_a_name(changes: dict[str, Any], by: str) -> None:
    """Of a person, or of the group that answers for the case."""
    assert read(case([OURS], **changes)).by == by


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"comment": " ", "desc": "planned move"}, "planned move"),
        ({"comment": None, "message": "planned move"}, "planned move"),
        ({"comment": None}, "closed as True Positive in case INC-17"),
        ({"comment": "x" * 5_000}, "x" * (MOST_LETTERS - 1) + "…"),
    ],
)
def test_a_verdict_has_a_reason(changes: dict[str, Any], reason: str) -> None:
    """Comment, description, message, or which case it was; a long one is cut."""
    assert read(case([OURS], **changes)).reason == reason


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (case([OURS], assignee=None), "assignee of a closed case must have a short name"),
        (case([OURS], assignee={"name": "k" * 1_025}), "assignee of a closed case must have a short name"),
        (case([OURS], comment=None, metadata={}), "comment of a closed case must say why"),
        (case(["SPLUNK-9", OURS.upper(), OURS[:31]]), "finding_info_list of a closed case must name a finding of ours"),
        (case([OURS], finding_info_list=None), "finding_info_list: Field required"),
        (case([OURS] * (MOST_FINDINGS + 1)), "finding_info_list: List should have at most"),
        (case([OURS], class_uid=2004), "class_uid: Input should be 2005"),
        (case([OURS], metadata={"version": "2.0.0"}), "metadata.version must be one of OCSF 1, got '2.0.0'"),
        (case([OURS], time=None), "time: Field required"),
        (case([OURS], time=1e300), "time: Input should be less than or equal to"),
        (case([OURS], verdict_id="True Positive"), "verdict_id: Input should be a valid integer"),
        (b'{"class_uid":2005,"kind":"pardon"}', "Input tag 'pardon' found"),
        (b'[{"class_uid":2005}]', "Unable to extract tag"),
    ],
)  # fmt: skip
def test_what_is_no_closed_case_is_refused_with_its_reason(record: bytes, says: str) -> None:
    """Where the fault lies stands in the dead letter."""
    assert says in fault(record)
