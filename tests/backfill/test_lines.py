"""Lines of files that nobody vouches for: each is an object, or a word why not."""

from __future__ import annotations

import io

import pytest

from detector.backfill import lines
from detector.backfill.lines import MAX_LINE, lines_of, parsed


def _read(raw: bytes) -> tuple[list[object], int]:
    read: list[int] = []
    return list(lines_of(io.BytesIO(raw), read.append)), sum(read)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"{}\n", [{}]),
        (b"\n  \n{}\n\n", [{}]),
        (b'{"a": 1}', [{"a": 1}]),
        (b"7\n[1]\nnull\n", ["not_an_object"] * 3),
        (b"{\nx\n{}\n", ["not_json", "not_json", {}]),
        (b'{}\n{"a": "half of a li', [{}, "cut_off"]),
        (b'{}\n{"a": "half of a li\n', [{}, "not_json"]),
        (b"\xff\xfe{}\n", ["not_json"]),
        (b'{"a": "\\ud83d"}\n', [{"a": "\ud83d"}]),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", ["too_deep"]),
        (b"[" * 100_000 + b"\n{}\n", ["too_deep", {}]),
        (b'{"a": ' + b"9" * 5_000 + b"}\n", ["not_json"]),
    ],
)
def test_a_line_is_an_object_or_has_a_reason(raw: bytes, found: list[object]) -> None:
    """Neighbours of a bad line are read; a last line without an end that is no JSON is one that was cut off."""
    assert _read(raw) == (found, len(raw))


def test_a_line_over_the_limit_is_not_kept_and_its_neighbours_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit it is read; one byte more and it is not, however many more there are."""
    monkeypatch.setattr(lines, "MAX_LINE", 64)
    monkeypatch.setattr(lines, "_CHUNK", 7)
    full = b'{"a": "' + b"x" * (64 - 9) + b'"}'
    assert len(full) == 64
    raw = full + b"\n" + full + b" \n" + b"x" * 500 + b"\n{}\n" + b"y" * 200
    found, read = _read(raw)
    assert [one if isinstance(one, str) else one != {} for one in found] == [
        True, "too_long", "too_long", False, "too_long",
    ]  # fmt: skip
    assert read == len(raw)


def test_the_limit_takes_a_line_with_several_pictures() -> None:
    """Screenshots stand in transcripts as base64, up to 5 MB each."""
    picture = b'{"a": "' + b"A" * (15 * 1_024 * 1_024) + b'"}'
    assert len(picture) < MAX_LINE
    assert isinstance(parsed(picture), dict)
