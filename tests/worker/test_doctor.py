"""The doctor says what is wrong and what to do; secrets stay hidden, and the exit status says it in a digit."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from detector.schema.topics import TopicNames
from detector.worker import doctor
from detector.worker.checkpoint import key_of
from detector.worker.doctor import masked
from detector.worker.doctor_report import Patient, Remark, Report
from detector.worker.doctor_state import Probe, _stands, clocks
from detector.worker.doctor_topics import _kept, _summary, _width
from detector.worker.envelope import Place, seal
from detector.worker.ports import Bounds
from detector.worker.rights import Right
from detector.worker.settings import WorkerSettings
from detector.worker.topics import topic_specs
from tests.worker.fakes import FetchedRecord

NAMES = TopicNames()
NOW = 1_767_225_600.0
SPECS = {spec.name: spec for spec in topic_specs(NAMES)}
GOOD = {
    "cleanup.policy": "delete",
    "retention.ms": str(400 * 86_400_000),
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": "1048588",
}


def _patient(partitions: dict[str, int] | None = None, *missing: Right, **settings: Any) -> Patient:
    counts = {spec.name: spec.partitions for spec in SPECS.values()} | (partitions or {})
    nobody: Any = None
    return Patient(WorkerSettings(**settings), nobody, counts, frozenset(missing), lambda: NOW)


def test_secrets_are_masked_and_everything_else_is_shown() -> None:
    """A report is pasted into tickets."""
    settings = WorkerSettings(
        security_protocol="SASL_SSL",
        sasl_username="worker",
        sasl_password=SecretStr("hunter2"),
        state_key=SecretStr("k33p"),
    )
    shown = masked(settings)
    assert (shown["sasl_username"], shown["sasl_password"], shown["state_key"]) == ("worker", "********", "********")
    assert shown.keys() == WorkerSettings.model_fields.keys()
    assert masked(WorkerSettings())["state_key"] == "(not set)"
    assert "hunter2" not in str(shown)
    assert "k33p" not in str(shown)


@pytest.mark.parametrize(
    ("statuses", "is_reached", "status"),
    [(["good", "note"], True, 0), (["good", "wrong"], True, 1), (["wrong"], False, 2), ([], True, 0)],
)
def test_the_exit_status_says_good_wrong_or_unreachable(statuses: list[Any], is_reached: bool, status: int) -> None:
    """A script needs no more than this."""
    remarks = tuple(Remark("topics", "t", one, "says", "mend it") for one in statuses)
    report = Report({"group": "g"}, remarks, is_reached)
    assert report.status == report.body()["status"] == status
    lines = list(report.lines())
    assert lines[-1].startswith(f"\n{statuses.count('wrong')} wrong, ")
    assert sum(line.strip() == "do: mend it" for line in lines) == len(remarks)


@pytest.mark.parametrize(
    ("more", "statuses"),
    [
        ({}, ["note", "note"]),
        ({"state_key": SecretStr("k")}, ["note", "good"]),
        ({"security_protocol": "SSL"}, ["wrong"]),
        ({"security_protocol": "SSL", "allow_unkeyed_state": True}, ["note"]),
        ({"security_protocol": "SSL", "state_key": SecretStr("k")}, ["good"]),
    ],
)
def test_what_a_worker_would_refuse_is_wrong_and_what_it_warns_of_is_told(
    more: dict[str, Any], statuses: list[str]
) -> None:
    """The doctor and the worker's start are of one mind."""
    assert [one.status for one in doctor._about_settings(WorkerSettings(**more))] == statuses


def test_topics_kept_as_they_are_made_are_in_order() -> None:
    """Also when more is kept than asked for."""
    for spec in SPECS.values():
        config = {**GOOD, "cleanup.policy": spec.config["cleanup.policy"]}
        assert list(_kept(_patient(), spec, config)) == []
    assert _summary(4, GOOD) == "4 partitions, delete, 400 days, LogAppendTime, records up to 1,048,588 bytes"
    assert _summary(1, None) == "1 partition"


@pytest.mark.parametrize(
    ("topic", "config", "status", "command"),
    [
        ("agent.events", {"message.timestamp.type": "CreateTime"}, "wrong", "message.timestamp.type=LogAppendTime"),
        ("detector.state", {"message.timestamp.type": "CreateTime"}, "note", "message.timestamp.type=LogAppendTime"),
        ("agent.alerts", {"message.timestamp.type": "CreateTime"}, None, ""),
        ("agent.policy", {"cleanup.policy": "delete"}, "wrong", "cleanup.policy=compact"),
        ("agent.policy.log", {"cleanup.policy": "compact"}, "wrong", "cleanup.policy=delete"),
        ("agent.events", {"retention.ms": "3600000"}, "note", "retention.ms=604800000"),
        ("agent.events", {"retention.ms": "-1"}, None, ""),
        ("detector.state", {"max.message.bytes": "100000"}, "wrong", "max.message.bytes=1048588"),
    ],
)
def test_a_topic_kept_otherwise_is_told_with_the_command(
    topic: str, config: dict[str, str], status: str | None, command: str
) -> None:
    """What would lose something is wrong; what only costs certainty is told."""
    spec = SPECS[topic]
    found = list(_kept(_patient(), spec, {**GOOD, "cleanup.policy": spec.config["cleanup.policy"], **config}))
    assert [one.status for one in found] == ([status] if status else [])
    assert all(one.do.endswith(f"--entity-name {topic} --add-config {command}") for one in found)


@pytest.mark.parametrize(
    ("topic", "has", "says"), [("detector.state", 2, 1), ("agent.feedback", 1, 1), ("agent.alerts", 1, 0)]
)
def test_a_topic_of_another_width_is_told_where_it_matters(topic: str, has: int, says: int) -> None:
    """State and feedback lie beside the events; the others may be as wide as they like."""
    found = list(_width(_patient({topic: has}), SPECS[topic]))
    assert [one.do for one in found] == [
        f"kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --alter --topic {topic} --partitions 4"
    ] * says


def test_a_missing_right_comes_with_its_command() -> None:
    """Principal, operation and resource, ready to be run by an administrator."""
    settings = {"security_protocol": "SASL_SSL", "sasl_username": "ada", "sasl_password": SecretStr("x")}
    lacks = [
        Right("topic", "agent.alerts", "Write"),
        Right("group", "detector", "Read"),
        Right("topic", "gone", "Read"),
    ]
    patient = _patient(None, *lacks, **settings)
    add = "kafka-acls.sh --bootstrap-server 127.0.0.1:9092 --command-config admin.properties --add"
    assert [one.do for one in doctor.rights(patient)] == [
        f"{add} --allow-principal User:ada --operation Read --group detector",
        f"{add} --allow-principal User:ada --operation Write --topic agent.alerts",
    ]
    assert [one.status for one in doctor.rights(_patient())] == ["good"]


@pytest.mark.parametrize(
    ("told", "is_brokers", "status"),
    [(0.4, True, "good"), (4.0, True, "wrong"), (-4.0, True, "wrong"), (4.0, False, "note")],
)
def test_a_clock_that_is_off_is_wrong(
    monkeypatch: pytest.MonkeyPatch, told: float, is_brokers: bool, status: str
) -> None:
    """By more than a second beyond what the answer took; the quickest answer counts."""
    probes = [Probe(NOW, NOW + 3, NOW + 9, is_brokers), Probe(NOW, NOW + 0.2, NOW + 0.1 + told, is_brokers)]
    monkeypatch.setattr("detector.worker.doctor_state._probes", lambda _: probes)
    (found,) = clocks(_patient())
    assert found.status == status
    assert bool(found.do) == (status != "good")
    assert not is_brokers or f"{told:+.3f} s" in found.says


def test_a_clock_is_not_asked_without_the_right_to() -> None:
    """It is said, not tried."""
    (found,) = clocks(_patient(None, Right("topic", NAMES.state, "Write")))
    assert found.status == "note"


def _record(offset: int, age_s: float, secret: str | None = None) -> FetchedRecord:
    payload = b'{"epoch":3,"offset":%d}' % offset
    blob = seal(key_of(secret, "detector"), Place("detector", 0, "manifest"), 3, payload)
    return FetchedRecord(NAMES.state, 0, 9, int((NOW - age_s) * 1_000), b"manifest", blob, 1)


@pytest.mark.parametrize(
    ("record", "bounds", "status", "says"),
    [
        (_record(90, 4.0), Bounds(0, 90, 90), "good", "checkpoint 3 at 90, 4 s old"),
        (_record(90, 4_000.0), Bounds(0, 90, 90), "good", "4,000 s old"),
        (_record(90, 4_000.0), Bounds(0, 95, 90), "wrong", "5 events wait"),
        (_record(90, 4.0), Bounds(0, 95, 90), "good", "group at 90"),
        (_record(90, 4.0), Bounds(0, 80, 80), "wrong", "beyond the end"),
        (_record(90, 4.0), Bounds(97, 99, 90), "wrong", "7 events are gone"),
        (_record(90, 4.0), Bounds(0, 95, 60), "note", "ahead of the group by 30"),
        (_record(90, 4.0, "another"), Bounds(0, 95, 60), "wrong", "another key"),
        (None, Bounds(0, 95, 60), "wrong", "no checkpoint although"),
        (None, Bounds(0, 95, None), "note", "no checkpoint yet"),
        (None, Bounds(0, 0, None), "good", "no checkpoint yet"),
    ],
)
def test_where_a_partition_stands_is_judged(
    record: FetchedRecord | None, bounds: Bounds, status: str, says: str
) -> None:
    """Its manifest against its events and its group; an idle partition is not stale."""
    found = _stands(_patient(), key_of(None, "detector"), 0, record, bounds)
    assert (found.status, says in found.says) == (status, True), found
    assert bool(found.do) == (status == "wrong" or "ahead" in says)
