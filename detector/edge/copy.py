"""The kept copy: what binds, in a file, for the time in which Kafka or the service itself is away.

JSON lines. The first is a header with the number of those that follow, so that half a file is known as one. Each other
line says a subject, from when and until when it is bound (null: open), and the state as it stood on the topic. The gate
reads subject and times only: without the service, whoever is bound is denied every call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from detector.errors import StateError
from detector.schema.command import PolicyState

COPY_SCHEMA: Final = "detector.edge.copy/1"
MOST_COPY_BYTES: Final = 256 * 1_024 * 1_024


def ends_at(state: PolicyState) -> float | None:
    """Return from when a state binds no more, by the rule of :meth:`PolicyState.tier_at`; None: open."""
    if state.expires_at is None or state.on_expiry == "hold_and_page":
        return None
    if state.on_expiry == "step_down":
        down = state.steps_down_until
        return None if down is None else max(down, state.expires_at)
    return state.expires_at


def write_copy(path: Path, binding: Iterable[tuple[str, PolicyState]], written_at: float) -> None:
    """Write what binds to a file, which has the old content or the new at every moment."""
    lines = [
        json.dumps(
            {
                "subject": subject,
                "begins_at": state.begins_at,
                "ends_at": ends_at(state),
                "state": state.model_dump_json(by_alias=True),
            }
        )
        for subject, state in binding
    ]
    head = json.dumps({"schema": COPY_SCHEMA, "written_at": written_at, "count": len(lines)})
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write("\n".join([head, *lines]) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read_copy(path: Path) -> list[tuple[bytes, bytes]]:
    """Return the records of a kept copy, as (key, value) of the topic.

    Raises
    ------
    StateError
        It is not there, is no copy, or is not whole.
    """
    try:
        if path.stat().st_size > MOST_COPY_BYTES:
            raise StateError(f"kept copy {path} must be at most {MOST_COPY_BYTES} bytes, got more: it is not read")
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        header = json.loads(head)
        if header["schema"] != COPY_SCHEMA or header["count"] != len(lines):
            raise StateError(f"kept copy {path} must be whole and of {COPY_SCHEMA}, got another: it is not read")
        found = [json.loads(line) for line in lines]
        return [(str(one["subject"]).encode(), str(one["state"]).encode()) for one in found]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise StateError(f"kept copy {path} must be a readable file of ours, got {type(exc).__name__}") from exc
