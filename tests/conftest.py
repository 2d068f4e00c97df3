"""What every test shares: the chance of property tests, one real Kafka, and a watch over what calls itself a unit."""

from __future__ import annotations

import gc
import os
import sys
import uuid
from collections.abc import Iterator

import hypothesis
import pytest

from detector.local.ladder import Broker, open_broker

# a busy machine is no failure, and what fails in CI fails the same way on a desk
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("house"), max_examples=20)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))  # quick: `make unit` on a desk


_MAY_START_PROCESSES = {"integration", "kafka", "slow"}
_unit: list[str] = []


def _watch(event: str, _: object) -> None:
    """Refuse a process to the unit test that is running."""
    if _unit and event in {"subprocess.Popen", "os.fork", "os.posix_spawn"}:
        pytest.fail(f"{_unit[0]} starts a process: mark it `integration`", pytrace=False)


sys.addaudithook(_watch)
gc.disable()  # until everything is imported and collected


def pytest_collection_finish() -> None:
    """Spare the garbage collector what lives to the end: modules and tests are not searched over and over."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Remember which unit test runs, its fixtures included."""
    _unit[:] = [] if any(item.get_closest_marker(name) for name in _MAY_START_PROCESSES) else [item.nodeid]
    try:
        return (yield)
    finally:
        _unit.clear()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """One real Kafka for the whole run; tests are skipped aloud where none can be had (REQUIRE_KAFKA=1: fail)."""
    said: list[str] = []
    with open_broker(said.append) as broker:
        if broker.rung == "embedded":
            pytest.skip(f"needs a real Kafka; {said[-1]}")
        yield broker


@pytest.fixture
def group() -> str:
    """Return a consumer group, and topic prefix, that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"
