"""An embedded broker for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from detector.local.embedded import EmbeddedBroker


@pytest.fixture(scope="module")
def kafka() -> Iterator[dict[str, Any]]:
    """Return client settings of an embedded broker."""
    with EmbeddedBroker() as broker:
        yield {"bootstrap.servers": broker.bootstrap, "log_level": 0}
