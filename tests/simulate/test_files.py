"""Labels of a simulated stream, in files."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path

from detector.simulate.files import Labels, open_text
from detector.simulate.fleet import DAY_S, MONDAY, Fleet
from detector.simulate.scenario import plan_attacks


def _stream() -> Fleet:
    fleet = Fleet(agents=30, seed=8, days=3.0)
    return replace(fleet, injections=plan_attacks(fleet, 1, MONDAY + DAY_S))


def test_labels_tell_history_from_live_and_attacks_from_work(tmp_path: Path) -> None:
    """Counts in the files agree with the stream."""
    path = tmp_path / "labels.csv.gz"
    with open_text(path) as file:
        labels = Labels(MONDAY + DAY_S, file)
        events = list(_stream().stream())
        for event in events:
            labels.add(event)
    labels.write_sessions(tmp_path / "sessions.csv")
    labels.write_meta(tmp_path / "meta.json", "small")
    rows = list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()))
    assert [row["event_id"] for row in rows] == [event.event_id for event in events]
    assert sum(int(row["label"]) for row in rows) == sum(event.is_attack for event in events)
    sessions = list(csv.DictReader((tmp_path / "sessions.csv").read_text().splitlines()))
    assert {row["phase"] for row in sessions if row["label"] == "1"} == {"live"}
    assert {row["session_id"] for row in sessions if row["label"] == "1"} == {e.session_id for e in events if e.attack}
    assert sum(int(row["n_events"]) for row in sessions) == len(events)
    meta = json.loads((tmp_path / "meta.json").read_text())
    assert meta["live_start"] == "2026-03-03T07:00:00.000Z"
    assert meta["sessions"] == len(sessions)


def test_a_gzipped_file_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    """No time stamp inside the archive."""
    for name in ("one.csv.gz", "two.csv.gz"):
        with open_text(tmp_path / name) as file:
            file.write("a,b\n")
    one, two = (gzip.decompress((tmp_path / name).read_bytes()) for name in ("one.csv.gz", "two.csv.gz"))
    assert one == two == b"a,b\n"
    assert (tmp_path / "one.csv.gz").read_bytes()[4:8] == b"\0\0\0\0"
