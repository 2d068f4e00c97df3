"""The least rights stand in one table: the worker checks by it, the documents show it."""

from __future__ import annotations

from detector.schema.topics import TopicNames
from detector.worker.rights import COMPONENTS, Right, chapter, grants
from detector.worker.topics import registry_log_specs, topic_specs
from tests.project.sources import ROOT


def test_the_page_of_rights_has_every_command() -> None:
    """An administrator pastes what the page shows; it is made from the table."""
    assert chapter(TopicNames()) in (ROOT / "docs" / "rights.md").read_text(encoding="utf-8")


def test_rights_name_only_topics_of_the_deployment() -> None:
    """Every topic is there and somebody uses it."""
    names = TopicNames("p.", "g")
    named = {right.name for one in COMPONENTS for right in one.rights(names) if right.kind == "topic"}
    assert named == {spec.name for spec in [*topic_specs(names), *registry_log_specs(names)]}


def test_operations_on_one_resource_are_one_command() -> None:
    """As few commands as resources; none of them carries credentials on a broker that asks for none."""
    rights = [Right("topic", "t", "Read"), Right("group", "g", "Read"), Right("topic", "t", "Write")]
    add = "kafka-acls.sh --bootstrap-server b:1 --add --allow-principal User:u"
    assert grants("b:1", "User:u", rights, None) == [
        f"{add} --operation Read --operation Write --topic t",
        f"{add} --operation Read --group g",
    ]
