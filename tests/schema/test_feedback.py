"""Human acts are read by kind; an act sent twice has one id."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from detector.schema.feedback import Release, Verdict, feedback_adapter, feedback_id


def test_a_release_and_a_verdict_come_back_by_their_kind() -> None:
    """One topic carries both."""
    release = Release(agent_id="a1", by="ana", reason="checked with the owner", at=5.0, id="r1")
    verdict = Verdict(
        agent_id="a1", by="ana", reason="planned migration", at=6.0, id="v1", finding_uid="f" * 32, verdict="dismiss"
    )
    for act in (release, verdict):
        assert feedback_adapter.validate_json(act.model_dump_json()) == act


@pytest.mark.parametrize(
    "text",
    [
        b'{"kind":"release","agent_id":"a1","by":"","reason":"x","at":1,"id":"r"}',
        b'{"kind":"release","agent_id":"a1","by":"ana","reason":"","at":1,"id":"r"}',
        b'{"kind":"purge","agent_id":"a1","by":"ana","reason":"x","at":1,"id":"r"}',
        b'{"kind":"verdict","agent_id":"a1","by":"ana","reason":"x","at":1,"id":"r"}',
    ],
)
def test_an_act_without_a_name_a_reason_or_a_known_kind_is_refused(text: bytes) -> None:
    """Lowering a containment needs somebody who answers for it."""
    with pytest.raises(ValidationError):
        feedback_adapter.validate_json(text)


def test_a_field_of_a_newer_version_is_left_out() -> None:
    """A desk that was upgraded first does not send its verdicts to the dead letters."""
    text = b'{"kind":"release","agent_id":"a1","by":"ana","reason":"x","at":1,"id":"r","ticket":"T-7"}'
    assert feedback_adapter.validate_json(text) == Release(agent_id="a1", by="ana", reason="x", at=1.0, id="r")


def test_an_act_sent_twice_has_one_id_and_another_act_another() -> None:
    """A retried command line does not release twice."""
    assert feedback_id("a1", "ana", "checked", 5.0) == feedback_id("a1", "ana", "checked", 5.0)
    acts = [("a1", "ana", "checked", 5.0), ("a1", "ana", "checked", 5.5), ("a1", "ana", "seen", 5.0),
            ("a1", "ben", "checked", 5.0), ("a2", "ana", "checked", 5.0), ("a1a", "na", "checked", 5.0)]  # fmt: skip
    assert len({feedback_id(*act) for act in acts}) == len(acts)
