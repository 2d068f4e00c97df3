"""Agents together on a real Kafka: a path through three partitions is one finding, also after kill -9."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detector.offline.controls import read_plan
from detector.offline.partition import partition_of
from detector.offline.replay import Replay, ReplaySettings
from detector.profile.load import load_profile
from detector.schema.alert import Alert
from detector.simulate.fleet import DAY_S, MONDAY
from detector.simulate.render import timestamp
from detector.sinks.ocsf_read import decode
from tests.kafka.harness import Deployment
from tests.kafka.test_registry import declare, entry

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

AGENTS = ("mail-2", "planner-2", "vault-1")
LIVE = MONDAY + DAY_S
Keyed = tuple[bytes, bytes]


def event(agent: str, number: int, at: float, **more: object) -> Keyed:
    """Return an event as it stands on the topic."""
    body = {"event_id": f"{agent}-{number}", "ts": timestamp(round(at * 1_000)), "agent_id": agent, "kind": "tool_call"}
    return agent.encode(), json.dumps({**body, "name": "read", "session_id": f"{agent}-{number}", **more}).encode()


def history() -> list[Keyed]:
    """Return a few sessions of each agent, each with its end: then they are established."""
    found = []
    for number in range(0, 12, 2):
        for place, agent in enumerate(AGENTS):
            at, session = MONDAY + 3_600.0 * number + place, {"session_id": f"{agent}-{number}"}
            found.append(event(agent, number, at))
            found.append(event(agent, number + 1, at + 60.0, kind="lifecycle", name="session_end", **session))
    return found


def call(agent: str, other: str, at: float) -> Keyed:
    """Return a call of another agent."""
    return event(agent, 100, at, kind="message", name="ask_agent", peer_agent_id=other)


FIRST, LAST = call(AGENTS[0], AGENTS[1], LIVE + 60.0), call(AGENTS[1], AGENTS[2], LIVE + 600.0)


def paths(deployed: Deployment) -> list[Alert]:
    """Return the paths that reached the SOC."""
    alerts = [decode(one.value or b"") for one in deployed.read(deployed.names.alerts)]
    return [one for one in alerts if one.detection == "response.lateral_path"]


def replayed(events: Iterable[Keyed], registry: Path) -> list[Alert]:
    """Return the paths that `detector replay` finds in the same events with the same registry."""
    settings = ReplaySettings(partitions=4, trusted_until=LIVE)
    run = Replay(load_profile(), settings, plan=read_plan(None, None, 4, registry))
    alerts = [alert for keyed in events for alert in run.feed([keyed[1]]).alerts]
    return [one for one in alerts if one.detection == "response.lateral_path"]


def without_places(alert: Alert) -> Alert:
    """Return an alert whose evidence does not say where its acts stand: a file has one topic."""
    moved = tuple(one.model_copy(update={"topic": "", "offset": 0}) for one in alert.evidence)
    return alert.model_copy(update={"evidence": moved})


def test_a_path_through_partitions_is_one_finding_also_after_kill_9(deployed: Deployment, tmp_path: Path) -> None:
    """Its first call was told to the killed worker: the next one hears it again, and finds what a replay finds."""
    assert len({partition_of(agent, 4) for agent in AGENTS}) == len(AGENTS), "the path must cross partitions"
    until = datetime.fromtimestamp(LIVE, UTC).isoformat()
    declared = entry(AGENTS[2], criticality="critical", tools=None)
    worker = deployed.start(trusted_until=until)
    declare(deployed, [declared])
    deployed.until(lambda: deployed.behind(deployed.names.registry) == 0, "the registry")
    deployed.produce([*history(), event(AGENTS[2], 50, LIVE + 1.0), FIRST])
    deployed.until_done()
    deployed.until_by_tenant_done()
    worker.kill()
    worker.wait()
    assert paths(deployed) == []
    again = deployed.start(trusted_until=until)
    deployed.produce([LAST])
    deployed.until(lambda: len(paths(deployed)) > 0, "the path")
    deployed.until_done()
    deployed.until_by_tenant_done()
    assert deployed.stop(again) == 0, deployed.logs()
    (found,) = paths(deployed)
    assert (found.agent_id, [act.event_id for act in found.evidence]) == (AGENTS[1], ["mail-2-100", "planner-2-100"])
    drawn = tmp_path / "path.svg"
    done = deployed.run("graph", found.finding_uid, "--out", str(drawn))
    assert done.returncode == 0, done.stderr
    assert all(agent in drawn.read_text(encoding="utf-8") for agent in AGENTS)
    registry = tmp_path / "registry.jsonl"
    registry.write_bytes(declared[1] + b"\n")
    expected = replayed([*history(), event(AGENTS[2], 50, LIVE + 1.0), FIRST, LAST], registry)
    assert [without_places(one) for one in expected] == [without_places(found)]
