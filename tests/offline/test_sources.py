"""Reading recorded events, and joining the origins of their arguments."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from detector.errors import SetupError
from detector.offline.sources import STDIN, batches, lines_of, read_origins, size_of, with_origins
from detector.schema.event import Event


def test_plain_and_packed_files_give_the_same_lines_and_blank_ones_are_left_out(tmp_path: Path) -> None:
    """Packed is told by content, not by name."""
    text = b'{"a":1}\n\n{"a":2}\r\n{"a":3}'
    plain, packed = tmp_path / "events", tmp_path / "packed"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    assert list(lines_of(plain)) == list(lines_of(packed)) == [b'{"a":1}', b'{"a":2}', b'{"a":3}']


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_progress_ends_at_the_size_of_the_file(tmp_path: Path, pack: object) -> None:
    """A bar that stops at 97 % looks broken."""
    path = tmp_path / "events"
    path.write_bytes(pack(b'{"a":1}\n' * 5_000))  # type: ignore[operator]
    told: list[int] = []
    assert len(list(lines_of(path, told.append))) == 5_000
    assert sum(told) == path.stat().st_size == size_of([path])


def test_standard_input_has_no_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar then has no end; lines come as from a file."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x\ny\n")))
    assert size_of([tmp_path, STDIN]) is None
    assert list(lines_of(STDIN)) == [b"x", b"y"]


def test_a_file_that_is_cut_off_is_refused_by_name(tmp_path: Path) -> None:
    """A broken download must not look like a short stream."""
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 4_000)[:-40])
    with pytest.raises(SetupError, match=r"events\.gz must be readable to its end"):
        list(lines_of(path))


def test_batches_keep_order_and_lose_nothing() -> None:
    """The last one is shorter."""
    lines = [str(number).encode() for number in range(11)]
    assert [len(batch) for batch in batches(lines, 4)] == [4, 4, 3]
    assert [line for batch in batches(lines, 4) for line in batch] == lines
    assert list(batches([])) == []


def test_origins_are_joined_to_their_events(tmp_path: Path) -> None:
    """As an instrumented agent would have sent them; other events stay byte for byte."""
    path = tmp_path / "origin.jsonl"
    path.write_text('{"event_id": "b", "arg_origin": {"target": "tool"}}\nnonsense\n{"event_id": "c"}\n')
    body = b'"ts":"2026-03-02T00:00:00Z","agent_id":"x","kind":"tool_call","name":"t"'
    events = [b'{"event_id":"a",' + body + b"}", b'{"event_id":"b",' + body + b',"arg_origin":{"url":"user"}}', b"junk"]
    joined = list(with_origins(events, read_origins(path)))
    assert (joined[0], joined[2]) == (events[0], events[2])
    assert msgspec.json.decode(joined[1], type=Event).arg_origin == {"target": "tool"}
