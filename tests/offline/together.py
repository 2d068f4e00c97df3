"""A small scene of agents that call each other: what the tests of the picture and the picture in docs/ are made of."""

from __future__ import annotations

from detector.response.joined import JoinedStage
from detector.response.ladder import Levels
from detector.response.settings import ResponseSettings
from detector.schema.alert import Alert
from detector.schema.tiding import Tiding
from detector.simulate.fleet import MONDAY
from tests.response.hearings import tiding
from tests.sinks.alerts import make

CALLS = (
    ("desk", "mail-reader", 0.0, False), ("desk", "planner", 60.0, False), ("planner", "billing", 120.0, False),
    ("planner", "search", 180.0, False), ("mail-reader", "planner", 3_600.0, True), ("planner", "vault", 4_500.0, True),
    ("auditor", "vault", 200.0, False), ("mail-reader", "archive", 3_700.0, True),
)  # fmt: skip


def scene() -> tuple[list[Alert | Tiding], Alert]:
    """Return what is heard of a path to the vault, with a finding on the way, and the path's finding."""
    news = [tiding(one, other, MONDAY + at, is_new=is_new) for one, other, at, is_new in CALLS]
    known = make("mail-reader", 1.5, MONDAY + 3_500.0, event_id="f-1")
    stage = JoinedStage(ResponseSettings(critical=("vault",)), "default/v1", Levels(2.0, 2.7))
    (path,) = [found for one in news for found in stage.on_tiding(one)]
    return [known, *news, path], path
