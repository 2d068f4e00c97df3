"""Killed at each step of a checkpoint and of a control, by name: afterwards alerts and state are those of a replay."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from detector.response.chain import verify
from detector.worker.factory import ProfilePipelines
from tests.kafka.crash import CHECKPOINT, CONTROL
from tests.kafka.harness import PATIENCE_S, Deployment, published, stream
from tests.kafka.test_controls import assert_equal_to_journaled_replay, judge, with_verdict
from tests.kafka.test_worker import _assert_equal_to_replay, _assert_state_equal_to_replay, _log

pytestmark = [pytest.mark.kafka, pytest.mark.data, pytest.mark.timeout(150)]

EVENTS, FIRST = 8_000, 5_000
"""Events of the stream: all, and those of the first checkpoint; the others alert."""
ALERTED = 7_000
"""Events before the crash; some of them have alerted."""


@pytest.fixture(scope="module")
def events() -> list[tuple[bytes, bytes]]:
    return stream(EVENTS)


def _doomed(deployed: Deployment, step: str) -> subprocess.Popen[bytes]:
    return deployed.start(sys.executable, "-m", "tests.kafka.crash", step)


@pytest.mark.chaos("kill -9 at a step of a checkpoint")
@pytest.mark.parametrize("step", CHECKPOINT)
def test_a_worker_killed_at_a_step_of_its_checkpoint_loses_and_doubles_nothing(
    deployed: Deployment, events: list[tuple[bytes, bytes]], pipelines: ProfilePipelines, step: str
) -> None:
    """The partition has an earlier checkpoint, and outputs and shards of the next one are under way."""
    worker = _doomed(deployed, step)
    deployed.produce(events[:FIRST])
    deployed.until(lambda: worker.poll() is not None or sum(deployed.committed()) > 0, "a first checkpoint")
    deployed.produce(events[FIRST:ALERTED])
    assert worker.wait(PATIENCE_S) == -signal.SIGKILL, deployed.logs()
    deployed.produce(events[ALERTED:])  # so that there is something to do even if all was committed
    heir = deployed.start()
    deployed.until_done()
    deployed.until_by_tenant_done()
    assert deployed.stop(heir) == 0, deployed.logs()
    _assert_equal_to_replay(deployed, pipelines)
    _assert_state_equal_to_replay(deployed, pipelines)
    assert verify(_log(deployed)) == []


@pytest.mark.chaos("kill -9 at a step of a control")
@pytest.mark.parametrize("step", CONTROL)
def test_a_worker_killed_at_a_step_of_a_control_lets_it_take_effect_once(
    deployed: Deployment,
    events: list[tuple[bytes, bytes]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    step: str,
) -> None:
    """Journaled or not, applied or not: in the end the verdict stands in one place, and a replay finds it there."""
    worker = _doomed(deployed, step)
    deployed.produce(events[:ALERTED])
    deployed.until_done()
    judge(deployed, published(deployed)[-1])
    assert worker.wait(PATIENCE_S) == -signal.SIGKILL, deployed.logs()
    deployed.produce(events[ALERTED:])
    heir = deployed.start()
    deployed.until(lambda: bool(with_verdict(deployed)), "the incident with its verdict")
    deployed.until_done()
    assert deployed.stop(heir) == 0, deployed.logs()
    assert_equal_to_journaled_replay(deployed, events, monkeypatch, tmp_path, verdicts=1)
