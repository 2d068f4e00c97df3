"""What is true of a recorded stream: session labels, event labels, and the facts about the stream. For scoring only."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple, cast

from detector.errors import SetupError
from detector.schema.alert import Alert

LEAST_MATCH = 0.5
"""Share of the labels, or of the stream, that must be found in the other; chosen: a file that belongs gives 1."""
_MAGIC = b"\x1f\x8b"


class SessionLabel(NamedTuple):
    """Label of one session.

    Parameters
    ----------
    agent_id, agent_type : str
        Whose session; empty if the file does not say.
    is_live : bool
        Whether results count it: its phase is ``live``, or the file has no phases.
    is_attack : bool
        The label.
    attack_type : str
        Kind of attack, or empty.
    """

    agent_id: str
    agent_type: str
    is_live: bool
    is_attack: bool
    attack_type: str


class EventLabel(NamedTuple):
    """Label of one event: whether it is part of an attack, and of which kind."""

    is_attack: bool
    attack_type: str


class Meta(NamedTuple):
    """Facts about a stream: its name and the event time, epoch seconds, from which attacks may appear."""

    name: str
    live_start: float | None


def open_binary(path: Path) -> IO[bytes]:
    """Return a file open for reading, unpacked if its content is gzip.

    Raises
    ------
    SetupError
        The file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            is_packed = file.read(len(_MAGIC)) == _MAGIC
        return cast("IO[bytes]", gzip.open(path, "rb") if is_packed else path.open("rb"))
    except OSError as error:
        message = f"path of the input must be a readable file, got {path}: {error.strerror}; check the name"
        raise SetupError(message) from error


def seconds_of(text: str, what: str) -> float:
    """Return epoch seconds of an RFC 3339 time with a zone, or of a number.

    Raises
    ------
    SetupError
        It is neither; `what` names the parameter.
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        message = f"{what} must be a time like 2026-03-02T08:00:00Z or epoch seconds, got {text!r}; add the zone"
        raise SetupError(message)
    return parsed.timestamp()


def read_meta(path: Path) -> Meta:
    """Return the facts of a stream's JSON file.

    Raises
    ------
    SetupError
        It is no JSON object, or ``live_start`` is no time.
    """
    with open_binary(path) as file:
        try:
            table = json.loads(file.read())
        except ValueError as error:
            raise _bad(path, "a JSON object", str(error)) from error
    if not isinstance(table, dict):
        raise _bad(path, "a JSON object", type(table).__name__)
    start = table.get("live_start")
    live_start = None if start is None else seconds_of(str(start), f"live_start of {path}")
    return Meta(str(table.get("name", path.name)), live_start)


def read_sessions(path: Path) -> dict[str, SessionLabel]:
    """Return session id -> label, from a CSV with at least ``session_id`` and ``label``.

    Raises
    ------
    SetupError
        A column is missing, or a label is not 0 or 1.
    """
    out: dict[str, SessionLabel] = {}
    for row in _rows(path):
        out[row["session_id"]] = SessionLabel(
            row.get("agent_id") or "",
            row.get("agent_type") or "",
            (row.get("phase") or "live") == "live",
            _is_attack(path, row),
            row.get("attack_type") or "",
        )
    return out


def read_events(path: Path) -> dict[str, EventLabel]:
    """Return event id -> label, from a CSV with at least ``event_id`` and ``label``.

    Raises
    ------
    SetupError
        A column is missing, or a label is not 0 or 1.
    """
    return {
        row["event_id"]: EventLabel(_is_attack(path, row), row.get("attack_type") or "")
        for row in _rows(path, "event_id")
    }


def truth_of(sessions: Mapping[str, SessionLabel]) -> Callable[[str], bool]:
    """Return who can say whether a session is an attack; what has no label is none."""
    return lambda name: name in sessions and sessions[name].is_attack


def session_of(alert: Alert) -> str:
    """Return the session that a record of an incident speaks of, as labels name it: the agent where it has none.

    Of an incident that many sessions joined each record speaks of the one it was made for.
    """
    return alert.session_id or alert.agent_id


def incident_of(alert: Alert) -> str:
    """Return the incident that a record belongs to: the finding that opened it, as a person's queue has it."""
    return alert.incident_uid or alert.finding_uid


def check_labels(path: Path, labels: Iterable[str], stream: Iterable[str]) -> None:
    """Return if labels belong to a stream; a part of a stream, or labels of a part of it, do.

    Parameters
    ----------
    path : Path
        File of the labels.
    labels, stream : iterable of str
        Ids of the labels, and of what the stream holds: sessions or events.

    Raises
    ------
    SetupError
        The ids of neither are found among those of the other.
    """
    named, seen = set(labels), set(stream)
    both = len(named & seen)
    if not both or both < LEAST_MATCH * min(len(named), len(seen)):
        got = f"{both} of {len(named)} ids of the labels among {len(seen)} of the stream"
        raise _bad(path, "labels of the stream that was scored", got)


def _rows(path: Path, key: str = "session_id") -> Iterator[dict[str, str]]:
    with open_binary(path) as packed:
        lines = (line.decode("utf-8", "replace") for line in packed)
        reader = csv.DictReader(lines)
        missing = {key, "label"} - set(reader.fieldnames or ())
        if missing:
            raise _bad(path, f"a CSV with the columns {key} and label", f"no {', '.join(sorted(missing))}")
        yield from reader


def _is_attack(path: Path, row: dict[str, str]) -> bool:
    try:
        return int(float(row["label"] or 0)) != 0
    except (TypeError, ValueError) as error:
        raise _bad(path, "a CSV whose label is 0 or 1", repr(row["label"])) from error


def _bad(path: Path, rule: str, got: str) -> SetupError:
    return SetupError(f"content of {path} must be {rule}, got {got}; give the file that belongs to the stream")
