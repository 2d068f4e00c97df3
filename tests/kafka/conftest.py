"""What every test on the real broker stands on: a deployment of its own, and pipelines to replay it with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.local.ladder import Broker
from detector.profile.load import load_profile
from detector.worker.factory import ProfilePipelines
from detector.worker.settings import WorkerSettings
from tests.kafka.harness import Deployment, deployment


@pytest.fixture
def deployed(kafka: Broker, group: str, tmp_path: Path) -> Iterator[Deployment]:
    """Topics, group and workers of this test alone."""
    with deployment(kafka, group, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def pipelines() -> ProfilePipelines:
    """Return the shipped profile's pipelines, as a worker makes them."""
    return ProfilePipelines(load_profile(), WorkerSettings())
