"""The recorded samples of OpenTelemetry that tests and benchmarks of this room read in place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.otlp.mapper import RecordVerdict
from detector.schema.event import Event


def samples(folder: str) -> Path:
    """Return a folder of recorded samples; the test is skipped, aloud, where there is none."""
    root = os.environ.get("DETECTOR_DATA")
    path = Path(root or ".") / folder
    if root is None or not path.is_dir():
        assert os.environ.get("REQUIRE_DATA") != "1", f"DETECTOR_DATA must name a folder with {folder}"
        pytest.skip(f"DETECTOR_DATA names no folder with {folder}")
    return path


def files_of(folder: Path, stem: str) -> list[Path]:
    """Return the files of a sample, one an encoding."""
    found = [folder / f"{stem}.otlp.{ending}" for ending in ("json", "json.gz", "pb", "pb.gz")]
    return [path for path in found if path.exists()]


def events_of(verdicts: list[RecordVerdict]) -> list[Event]:
    """Return the events among verdicts."""
    return [verdict.event for verdict in verdicts if verdict.event is not None]
