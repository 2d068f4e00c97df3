"""`detector status`: what is there is shown, what is degraded and what cannot be read is said."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from detector.errors import SetupError
from detector.schema.command import PolicyLogEntry
from detector.schema.topics import TopicNames
from detector.views.containment import contained_lines, held_lines, held_of, policy_of
from detector.views.lag import Members, PartitionLag, lag_lines
from detector.views.reading import StoredRecord
from detector.views.status import StatusReader
from detector.views.watch import json_line
from detector.views.workers import WorkerSays, ask, degraded_of, worker_lines
from detector.worker.health import Health
from detector.worker.metrics import WorkerMetrics
from detector.worker.probes import ProbeServer, serve
from tests.sinks.alerts import make
from tests.views.deployment import names_of, put, stand, state_of, tell

NOW = 1_772_442_847.0


def _stored(value: str) -> StoredRecord:
    return StoredRecord(0, 0, NOW, b"", value.encode(), {})


def _entry(decision: str, agent: str, sequence: int = 1, **changes: object) -> StoredRecord:
    command = state_of(agent, NOW, **changes)
    entry = PolicyLogEntry.model_validate(
        {"tenant": "acme", "sequence": sequence, "time": NOW, "subject": command.subject, "decision": decision,
         "cause": "f" * 32, "detail": "1 of 39 agents are contained", "command": command}
    )  # fmt: skip
    return _stored(entry.sealed().model_dump_json(by_alias=True))


def test_who_is_contained_is_what_an_enforcement_point_would_say() -> None:
    """The highest revision by the present time: what is released, over, or not ours is nobody."""
    states = [
        state_of("a-1", NOW),
        state_of("a-2", NOW, revision=2, state="released", tier="observe"),
        state_of("a-2", NOW),
        state_of("a-3", NOW, mode="shadow", tier="limit", on_expiry="release"),
        state_of("a-4", NOW, expires_at=NOW - 1.0),
        state_of("a-5", NOW, expires_at=NOW - 9.0, steps_down_until=NOW - 1.0),
    ]
    records = [_stored(one.model_dump_json(by_alias=True)) for one in states]
    policy = policy_of([*records, _stored("not ours"), _stored("")], NOW)
    tiers = {subject: one.tier for subject, one in policy.contained.items()}
    assert tiers == {"acme/agent/a-1": "isolate", "acme/agent/a-3": "limit", "acme/agent/a-4": "limit"}
    assert policy.counts == {"no_state": 1}
    lines = list(contained_lines(policy))
    assert lines[0] == "contained  3 agents: 1 isolate enforce, 1 limit enforce, 1 limit shadow"
    assert lines[1].endswith("isolate (enforced) since 2026-03-02 09:13:07Z until 2026-03-02 13:14:07Z, then limit")
    assert lines[2] == f"    cause  finding {'f' * 32}: behaviour.session, risk 80"
    assert "limit (shadow: constrains nobody)" in lines[5] + lines[3]


def test_who_waits_is_what_the_log_says_last() -> None:
    """Held and not let through since, not released, not over; the strongest first."""
    weak = state_of("b", NOW).reason.model_copy(update={"score": 2.1})
    log = [
        _entry("held", "a"), _entry("held", "b", 2, reason=weak), _entry("held", "c", 3), _entry("held", "d", 4),
        _entry("held", "e", 5, expires_at=NOW - 9.0, steps_down_until=NOW - 1.0), _stored("not ours"),
        _entry("issued", "c", 6), _entry("released", "d", 7),
    ]  # fmt: skip
    held = held_of(log, NOW)
    assert [one.subject for one in held] == ["acme/agent/a", "acme/agent/b"]
    assert list(held_lines(held))[1] == (
        "  a (tenant acme)  isolate until 2026-03-02 13:14:07Z, held 2026-03-02 09:14:07Z: 1 of 39 agents are contained"
    )


def test_lag_is_shown_with_who_holds_what() -> None:
    """Nobody, somebody, and not known are three things."""
    lags = [PartitionLag(0, 0, 10, 4, "w at host"), PartitionLag(1, 5, 10, None, None), PartitionLag(2, 8, 9, 6, None)]
    lines = lag_lines("g", lags, Members({0: "w at host"}))
    assert lines == [
        "events     3 partitions, 12 records wait for group g",
        "  partition 0    at 4 of 10, lag 6  w at host",
        "  partition 1    nothing committed of 10, lag 5  nobody holds it",
        "  partition 2    at 6 of 9, lag 1, 2 gone unread  nobody holds it",
    ]
    told = lag_lines("g", lags, Members({}, "Group authorization failed"))
    assert told[-1] == "  who holds them is not known: Group authorization failed"
    assert told[2].endswith("not known who")


@pytest.fixture
def worker() -> Iterator[tuple[ProbeServer, WorkerMetrics, Health]]:
    """Return a worker's own port with its metrics and health."""
    metrics, health = WorkerMetrics(), Health(5.0)
    server = serve(("127.0.0.1", 0), health, metrics)
    yield server, metrics, health
    server.shutdown()


Worker = tuple[ProbeServer, WorkerMetrics, Health]


def _gauges(metrics: WorkerMetrics, **changes: float) -> None:
    gauges = {"agents": 60.0, "agents_established": 40.0, "sessions_open": 3.0, "sessions_closed": 900.0,
              "incidents_open": 1.0, "promised": 0.01, "spent": 0.008, "balance": 0.1, "threshold": 2.0,
              "threshold_evidence": 7.25}  # fmt: skip
    metrics.show(2, {**gauges, **changes})


def test_a_worker_that_is_well_is_shown_with_its_budget(worker: Worker) -> None:
    """Read from the very port that workers open."""
    server, metrics, health = worker
    _gauges(metrics)
    metrics.hold(1, NOW)
    health.started()
    health.hold(1)
    health.is_policy_restored = True
    says = ask(f"http://127.0.0.1:{server.port}")
    assert list(degraded_of(says, NOW + 1.0)) == []
    budget = "budget promised 1.00%, spent 0.80%, balance +0.10; threshold 2.00 (1 in 100, now evidence 7.25)"
    assert list(worker_lines([says])) == [
        f"worker     http://127.0.0.1:{server.port}  ready, 1 partition, 60 agents, 40 established",
        f"  partition 2    sessions 3 open, 900 closed; incidents 1 open; {budget}",
    ]


def test_the_budget_of_each_class_is_shown_below_that_of_all(worker: Worker) -> None:
    """By name, in order; a worker without classes shows none."""
    server, metrics, _ = worker
    url = f"http://127.0.0.1:{server.port}/metrics"
    _gauges(metrics)
    assert not [line for line in worker_lines([ask(url)]) if "class " in line]
    for name, spent in (("lab", 0.004), ("crown", 0.03)):
        of_class = {"promised": 0.02, "spent": spent, "sessions": 1_200.0, "balance": -0.5, "threshold": 2.0}
        _gauges(metrics, **{f"class_{what}_{name}": value for what, value in of_class.items()})
    assert [line.strip() for line in worker_lines([ask(url)]) if "class " in line] == [
        "class crown: 1,200 sessions closed; promised 2.00%, spent 3.00%, balance -0.50; threshold 2.00 (1 in 100)",
        "class lab: 1,200 sessions closed; promised 2.00%, spent 0.40%, balance -0.50; threshold 2.00 (1 in 100)",
    ]


def test_the_budget_of_each_named_peer_group_is_shown_in_its_own_partition(worker: Worker) -> None:
    """What the others come to as well; a partition that has none of a name shows none of it."""
    server, metrics, _ = worker
    for name, spent in (("clerk", 0.004), ("other", 0.03)):
        of_group = {"promised": 0.01, "spent": spent, "sessions": 700.0}
        _gauges(metrics, **{f"group_{what}_{name}": value for what, value in of_group.items()})
    says = ask(f"http://127.0.0.1:{server.port}/metrics")
    assert [line.strip() for line in worker_lines([says]) if "group " in line] == [
        "group clerk: 700 sessions closed; promised 1.00%, spent 0.40%",
        "group other: 700 sessions closed; promised 1.00%, spent 3.00%",
    ]


def test_what_is_degraded_at_a_worker_is_said_with_since_when(worker: Worker) -> None:
    """Not ready, stale, cold, on another's clock, at the end of its balance, and still learning."""
    server, metrics, _ = worker
    _gauges(metrics, threshold=float("inf"), learning=1.0, balance=-2.0, agents_evicted_established=4.0)
    metrics.hold(1, NOW)
    metrics.cold.inc()
    metrics.senders_clock.set(1.0)
    metrics.pending.labels(2).set(3)
    url = f"http://127.0.0.1:{server.port}/metrics"
    says = ask(url)
    told = "\n".join(degraded_of(says, NOW + 100.0))
    for part in (
        "not ready: no place in the consumer group yet",
        "nothing was made durable since 2026-03-02 09:14:07Z",
        "1 partitions started without their state since it started 20",
        "senders own the clock",
        "4 established agents made room",
        "3 verdicts wait",
        "partition 2: balance -2.00 is at its end",
    ):
        assert f"{url}: {part}" in told
    assert "no threshold before enough sessions have closed; learning" in list(worker_lines([says]))[1]


def test_a_worker_that_does_not_answer_is_said() -> None:
    """Nobody listens, and what is no address is refused."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    says = ask(f"http://127.0.0.1:{port}/metrics")
    assert says.unknown
    assert next(iter(worker_lines([says]))).startswith(f"worker     http://127.0.0.1:{port}/metrics  no answer: ")
    with pytest.raises(SetupError, match="metrics of status must be an address like"):
        ask("file:///etc/passwd")


def test_names_of_a_worker_that_lies_are_escaped() -> None:
    """A port may be anybody's."""
    says = WorkerSays("http://h", {}, "\x1b[2J\u202e")
    assert all(line.isprintable() for line in [*degraded_of(says, NOW), *worker_lines([says])])


def test_a_page_is_made_of_what_can_be_read(kafka: dict[str, Any]) -> None:
    """The embedded broker keeps no groups: that is said, and everything else is shown."""
    names = names_of(kafka, "page.")
    now = time.time()
    tell(kafka, names, make("a-1"), make("a-2", activity="close", severity="low"))
    stand(kafka, names, state_of("a-1", now))
    put(kafka, names.deadletter, "a-1", b"{}", headers=[("reason", b"bad_time")])
    page = StatusReader(kafka, names, now + 10.0).page([])
    text = "\n".join(page.lines())
    assert "  acme" not in text
    for part in (
        "4 partitions, 0 records wait for group g",
        "who holds them is not known",
        "contained  1 agent: 1 isolate enforce\n  a-1 (tenant acme)  isolate (enforced)",
        "acknowledged  0 of 1 enforced command in force\n  a-1 (tenant acme)  isolate: no enforcement point",
        "degraded   nobody has acknowledged 1 command since",
        "held       0 agents",
        "incidents  2 in 24 h: 1 high, 1 low\n  open 1, judged by a person 0",
        "refused    1 dead letter in 24 h",
        "workers    not asked",
    ):
        assert part in text
    body = json.loads(json_line(page.body()))
    assert (body["alerts"]["incidents"], body["deadletters"]["reasons"]) == (2, {"bad_time": 1})
    assert body["contained"][0]["agent"] == "a-1"


def test_what_cannot_be_read_is_said_and_the_status_shows_it(kafka: dict[str, Any]) -> None:
    """Topics that are not there; the page is made all the same."""
    page = StatusReader(kafka, TopicNames("nowhere.", "g"), time.time()).page([])
    assert [one.split(":")[0] for one in page.unread] == [
        "events", "contained", "acknowledged", "held", "alerts", "deadletters"
    ]  # fmt: skip
    assert all("must be there and readable" in one for one in page.unread)
    assert page.status == 1


def test_a_broker_that_does_not_answer_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there."""
    monkeypatch.setattr("detector.views.status.ASK_S", 0.3)
    with pytest.raises(SetupError, match="Kafka must answer, got"):
        StatusReader({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, TopicNames(), 0.0).page([])
