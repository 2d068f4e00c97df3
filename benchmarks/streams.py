"""The streams that are measured: a made-up fleet of 100,000 agents, and a recorded stream cycled."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

FLEET_COMMAND = ("simulate", "--agents", "100000", "--seed", "1", "--days", "2", "--sessions-per-day", "0.3")


def fleet() -> list[bytes]:
    """Return the events of ``detector simulate`` with :data:`FLEET_COMMAND`: about 670,000 of about 455 bytes."""
    done = subprocess.run([sys.executable, "-m", "detector", *FLEET_COMMAND], stdout=subprocess.PIPE, check=True)
    return done.stdout.splitlines()


def cycled(path: Path, cycles: int) -> Iterator[list[bytes]]:
    """Yield a recorded stream again and again, each time later, under new event and session ids."""
    with gzip.open(path) as file:
        events = [json.loads(line) for line in file]
    first, last = (datetime.fromisoformat(events[place]["ts"]) for place in (0, -1))
    length = timedelta(days=(last - first).days + 1)
    for cycle in range(cycles):
        yield [_moved(event, cycle, cycle * length) for event in events]


def _moved(event: dict[str, object], cycle: int, by: timedelta) -> bytes:
    ts = datetime.fromisoformat(str(event["ts"])) + by
    moved = {**event, "event_id": f"{cycle}-{event['event_id']}", "ts": ts.isoformat()}
    moved["session_id"] = f"{cycle}-{event['session_id']}"
    return json.dumps(moved, separators=(",", ":")).encode()
