"""An alert to vary, for every test of this room."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detector.schema.alert import Alert
from tests.sinks.alerts import make


@pytest.fixture(scope="session")
def make_alert() -> Callable[..., Alert]:
    """Return a factory of alerts: agent, score and event time first, anything else by name."""
    return make
