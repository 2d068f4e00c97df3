"""What a partition is told of a command: who it is about, and no more than is needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.schema.command import Answer, Reason, subject_of
from detector.schema.containment import Containment, containment_of, control_adapter, owner_of
from tests.edge.states import state

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(NAMES, NAMES)
def test_whose_command_it_is_stands_in_its_subject(tenant: str, agent: str) -> None:
    """Slashes, percent signs, and an agent that is called like a subject."""
    assert owner_of(subject_of(tenant, agent)) == (tenant, agent)


def test_it_is_read_back_from_the_feedback_topic_and_is_small() -> None:
    """Causes and answers stay on the policy topic: a journal keeps a thousand of these."""
    causes = tuple(f"{n:032x}" for n in range(64))
    answer = Answer(
        release_id="r", by="ada", reason="x" * 1_000, at=1.0, finding_uid="f", tier="limit", cause_at=1.0, causes=causes
    )
    one = state(reason=Reason(finding_uid="f" * 32, causes=causes), answer=answer)
    told = containment_of(one, 120.0, (121.0, "edge-1"))
    wire = told.model_dump_json(by_alias=True)
    assert control_adapter.validate_json(wire, extra="ignore") == told
    assert (told.agent_id, told.tenant, told.acknowledged_by) == ("claude-code/dev", "default", "edge-1")
    assert len(wire) < 2_000


def test_fields_of_a_newer_version_are_left_out() -> None:
    """A worker that is not updated yet goes on."""
    wire = containment_of(state(), 120.0).model_dump_json(by_alias=True)
    wire = wire.replace('"revision":1', '"revision":1,"zone":"eu"').replace('"told_at"', '"told_by":"w","told_at"')
    assert isinstance(control_adapter.validate_json(wire, extra="ignore"), Containment)
