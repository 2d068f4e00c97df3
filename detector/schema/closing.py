"""A case that a SIEM closes, as OCSF Incident Finding (class 2005), and the verdict it amounts to.

What people closed a case as is a verdict on each finding of ours that the case names. A case that is still worked on
says nothing; one that is closed without saying what it was, or in nobody's name, is refused: a verdict has a name.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CLASS_UID: Final = 2_005
"""OCSF's number of an Incident Finding."""
MOST_FINDINGS: Final = 256
"""Findings of one case; as many closed ones as a verdict is still shown on."""
MOST_LETTERS: Final = 1_024
"""Letters of a reason that are kept, as of any other verdict."""
_OURS: Final = re.compile(r"[0-9a-f]{32}")
_ENDS_MS: Final = 253_402_300_799_000
"""Last millisecond of the year 9999 that a date can be shown of."""
_RESOLVED, _CLOSED, _CLOSES = 4, 5, 3
_NOT_SAID: Final = (0, 99)
MEANS: Final[dict[int, Literal["confirm", "dismiss"]]] = {
    1: "dismiss", 2: "confirm", 3: "dismiss", 5: "dismiss", 6: "dismiss", 8: "confirm",
}  # fmt: skip
"""What `verdict_id` amounts to: False Positive, True Positive, Disregard, Benign, Test, Security Risk.

A false positive is dismissed and not *safe*: that would teach its values and lift containment, and whoever closes a
case has the noise in mind. Suspicious, Insufficient Data, Managed Externally and Duplicate decide nothing.
"""
_CAPTIONS: Final = {
    0: "Unknown", 1: "False Positive", 2: "True Positive", 3: "Disregard", 4: "Suspicious", 5: "Benign", 6: "Test",
    7: "Insufficient Data", 8: "Security Risk", 9: "Managed Externally", 10: "Duplicate", 99: "Other",
}  # fmt: skip


class _CasePart(BaseModel):
    """What is read of an object; OCSF has more, which is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Assignee(_CasePart):
    """A person, or a group of them: the first of these that is there names it."""

    name: str | None = None
    email_addr: str | None = None
    uid: str | None = None

    def named(self) -> str:
        """Return its name, empty without one."""
        return next((text for one in (self.name, self.email_addr, self.uid) if (text := (one or "").strip())), "")


class ActingUser(_CasePart):
    """OCSF's `actor`, as far as it says which person acted."""

    user: Assignee | None = None


class CaseMetadata(_CasePart):
    """What is read of OCSF's `metadata`: the version, whose case it is, and its id."""

    version: str = ""
    uid: str | None = None
    tenant_uid: str | None = None


class FindingInfo(_CasePart):
    """One finding of the case; those of other products are passed over."""

    uid: str | None = None


class IncidentFinding(_CasePart):
    """One state of a case in a SIEM: OCSF 1.x Incident Finding.

    It is a verdict if the case is resolved or closed (`status_id` 4 or 5; `activity_id` 3 where no status is said).
    Then `verdict_id` must say what it was, `finding_info_list` name a finding of ours, by ``finding_info.uid`` of its
    alert, and `assignee`, `actor.user` or `assignee_group` who says so; the reason is `comment`, `desc`, `message`, or
    else the case's id. `time` is in milliseconds since the epoch, and dates the verdict.
    """

    class_uid: Literal[2005]
    activity_id: int = 0
    status_id: int = 0
    verdict_id: int = 0
    time: Annotated[float, Field(ge=0.0, le=_ENDS_MS)]
    metadata: CaseMetadata = CaseMetadata()
    finding_info_list: Annotated[list[FindingInfo], Field(max_length=MOST_FINDINGS)]
    assignee: Assignee | None = None
    assignee_group: Assignee | None = None
    actor: ActingUser | None = None
    comment: str | None = None
    desc: str | None = None
    message: str | None = None

    @model_validator(mode="after")
    def _says_what_it_was(self) -> IncidentFinding:
        if self.metadata.version.partition(".")[0] not in ("", "1"):
            raise ValueError(f"metadata.version must be one of OCSF 1, got {self.metadata.version[:32]!r}")
        if not self.is_closed:
            return self
        if self.verdict_id not in MEANS:
            caption = _CAPTIONS.get(self.verdict_id, "no verdict of OCSF")
            known = ", ".join(f"{number} ({_CAPTIONS[number]})" for number in MEANS)
            raise ValueError(
                f"verdict_id of a closed case must be one of {known}, got {self.verdict_id} ({caption}), which decides "
                "nothing"
            )
        if not self.findings:
            raise ValueError("finding_info_list of a closed case must name a finding of ours, 32 hexadecimal digits")
        if not 0 < len(self.by) <= MOST_LETTERS:
            raise ValueError("assignee of a closed case must have a short name: a verdict is a person's")
        if not self.reason:
            raise ValueError("comment of a closed case must say why, or metadata.uid which case it is")
        return self

    @property
    def is_closed(self) -> bool:
        """Whether the case is resolved or closed: before that nobody has said what it was."""
        is_said = self.status_id in (_RESOLVED, _CLOSED)
        return is_said or (self.activity_id == _CLOSES and self.status_id in _NOT_SAID)

    @property
    def verdict(self) -> Literal["confirm", "dismiss"]:
        """What the case was, of a closed one."""
        return MEANS[self.verdict_id]

    @property
    def findings(self) -> list[str]:
        """The findings of ours, each once."""
        uids = (one.uid or "" for one in self.finding_info_list)
        return list(dict.fromkeys(uid for uid in uids if _OURS.fullmatch(uid)))

    @property
    def by(self) -> str:
        """Who says so, empty if nobody does."""
        people = (self.assignee, None if self.actor is None else self.actor.user, self.assignee_group)
        return next((name for one in people if one is not None and (name := one.named())), "")

    @property
    def reason(self) -> str:
        """Why, cut where it is long; where nobody gave a reason, which case it is."""
        texts = (one.strip() for one in (self.comment, self.desc, self.message) if one)
        text = next((one for one in texts if one), "")
        if not text and self.metadata.uid:
            text = f"closed as {_CAPTIONS.get(self.verdict_id, '')} in case {self.metadata.uid}"
        return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"

    @property
    def at(self) -> float:
        """When it was said, seconds since the epoch."""
        return self.time / 1_000.0

    @property
    def tenant(self) -> str | None:
        """Whose case it is, None if that is not said."""
        return self.metadata.tenant_uid or None


def is_closing(record: Any) -> bool:  # noqa: ANN401 - any JSON
    """Tell whether a record of feedback is a SIEM's and not one of our own kinds."""
    return isinstance(record, dict) and "kind" not in record and "class_uid" in record
