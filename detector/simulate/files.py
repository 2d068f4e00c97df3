"""Labels of a simulated stream, in the form labelled streams are kept in: CSV and JSON, gzipped by their name."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import IO

from detector.simulate.render import Simulated, timestamp

EVENT_COLUMNS = ("event_id", "session_id", "label", "attack_type")
SESSION_COLUMNS = ("session_id", "agent_id", "agent_type", "phase", "label", "attack_type", "stratum", "n_events",
                   "n_attack_events")  # fmt: skip


def open_text(path: Path) -> IO[str]:
    """Return a text file open for writing; gzipped, without a time stamp inside, if its name ends in ``.gz``."""
    if path.suffix == ".gz":
        packed = gzip.GzipFile(path, "wb", mtime=0)
        return io.TextIOWrapper(packed, encoding="ascii", newline="")
    return path.open("w", encoding="ascii", newline="")


class Labels:
    """What is true of a simulated stream, gathered as it passes.

    Memory grows with the sessions of the stream: it is for files, not for endless runs.

    Parameters
    ----------
    live_start : float
        Epoch seconds; sessions that start before it are history.
    events : text file, optional
        Where event labels are written, as they come.
    """

    def __init__(self, live_start: float, events: IO[str] | None = None) -> None:
        self._live_ms = int(live_start * 1000.0)
        self._sessions: dict[str, list[str | int]] = {}
        self._events = None if events is None else csv.writer(events, lineterminator="\n")
        if self._events is not None:
            self._events.writerow(EVENT_COLUMNS)
        self._count = 0
        self._bad = 0

    def add(self, event: Simulated) -> None:
        """Take note of one event."""
        row = self._sessions.get(event.session_id)
        if row is None:
            phase = "history" if event.ts_ms < self._live_ms else "live"
            role = event.agent_id.rsplit("-", 1)[0]
            kind = event.attack
            row = [event.session_id, event.agent_id, role, phase, int(bool(kind)), kind, kind or "benign", 0, 0]
            self._sessions[event.session_id] = row
        row[7] = int(row[7]) + 1
        row[8] = int(row[8]) + event.is_attack
        self._count += 1
        self._bad += event.is_attack
        if self._events is not None:
            kind = event.attack if event.is_attack else ""
            self._events.writerow((event.event_id, event.session_id, int(event.is_attack), kind))

    def write_sessions(self, path: Path) -> None:
        """Write one line per session, in order of appearance."""
        with open_text(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(SESSION_COLUMNS)
            writer.writerows(self._sessions.values())

    def write_meta(self, path: Path, name: str = "simulated") -> None:
        """Write the stream's counts and its ``live_start``."""
        rows = list(self._sessions.values())
        live = [row for row in rows if row[3] == "live"]
        meta = {
            "name": name,
            "live_start": timestamp(self._live_ms),
            "events": self._count,
            "sessions": len(rows),
            "agents": len({row[1] for row in rows}),
            "agent_types": len({row[2] for row in rows}),
            "history_sessions": len(rows) - len(live),
            "live_sessions": len(live),
            "attack_sessions": sum(int(row[4]) for row in live),
            "attack_events": self._bad,
        }
        with open_text(path) as file:
            file.write(json.dumps(meta, indent=1) + "\n")
