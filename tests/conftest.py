"""What every test shares: the chance of property tests, and one real Kafka with topics of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import hypothesis
import pytest

from detector.local.ladder import Broker, open_broker

# a busy machine is no failure, and what fails in CI fails the same way on a desk
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.load_profile("house")


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
