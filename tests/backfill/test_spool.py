"""Events in, events out by time; ids once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.backfill import spool as spooling
from detector.backfill.spool import Spool
from detector.errors import SetupError
from detector.schema.event import Event

# hypothesis adds the zone to bounds that have none
FIRST, LAST = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001
moments = st.datetimes(timezones=st.just(UTC), min_value=FIRST, max_value=LAST)


def _event(key: str, ts: datetime) -> Event:
    return Event(event_id=key, ts=ts, agent_id="a", kind="tool_call", name="x")


@given(st.lists(moments, max_size=30))
def test_events_come_back_by_time_and_those_of_one_time_as_they_came(times: list[datetime]) -> None:
    """To the microsecond, over all the years that an event may have."""
    events = [_event(str(n), ts) for n, ts in enumerate(times)]
    spool = Spool()
    assert all(spool.add(event) for event in events)
    found = [msgspec.json.decode(raw, type=Event) for raw in spool.in_order()]
    spool.close()
    assert found == sorted(events, key=lambda event: event.ts)


def test_an_id_is_taken_once() -> None:
    """The first one stays, whatever the second says."""
    spool, now = Spool(), datetime(2026, 3, 2, tzinfo=UTC)
    assert spool.add(_event("a", now))
    assert not spool.add(_event("a", now - timedelta(days=1)))
    assert (spool.has("a"), spool.has("b"), len(spool)) == (True, False, 1)
    spool.close()


def test_too_many_events_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    monkeypatch.setattr(spooling, "MAX_EVENTS", 1)
    spool, now = Spool(), datetime(2026, 3, 2, tzinfo=UTC)
    spool.add(_event("a", now))
    with pytest.raises(SetupError, match="add --since"):
        spool.add(_event("b", now))
    spool.close()
