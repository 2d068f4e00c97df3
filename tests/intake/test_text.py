"""Shapes and coarse places, against regular expressions."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.intake.text import SHAPE_LENGTH, coarse_hash, shape_hash
from detector.sketches.hashing import PUBLIC_KEY, hash_text

ROOM = np.empty(2_048, np.uint8)
RUNS = ((r"[A-Z]+", "A"), (r"[a-z]+", "a"), (r"[0-9]+", "9"))

signs = st.text(alphabet="abzABZ019./@,:~ -_", max_size=24)
structured = st.sampled_from(
    [
        "10.0.0.1", "10.0.0.77", "10.0.1.1", "1.2.3", "1.2.3.4.5", "1..2.3", "a@b.example", "c@B.Example,d@x.example",
        "@", "a@", "/etc/passwd", "/etc/ssh/sshd", "/etc/ssh/keys/a", "/", "//", "///", "~", "~/a/b/c", "./a/b", ".a/b",
        "https://api.corp.example/v1", "https://www.api.corp.example",
        "http://x", "://a.b", "a://b.c d", "api.corp.example",
        "HTTP://a.b", "x.", ".", "..", "file name.txt", "report-2024", "report-1999", "Report-1",
        "calendar event", "12", "A1",
    ]
)  # fmt: skip
targets = st.one_of(signs, structured)


def shape(value: str) -> str:
    """Return a value with runs of capitals, small letters and digits replaced; its first 14 signs."""
    for pattern, letter in RUNS:
        value = re.sub(pattern, letter, value)
    return value[:SHAPE_LENGTH]


def coarse(target: str) -> tuple[str, str]:
    """Return what kind of place a target names, and which."""
    if not target:
        return "nothing", ""
    if re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", target):
        return "network", target.rsplit(".", 1)[0]
    if "@" in target:
        return "domain", target.rsplit("@", 1)[1].split(",", maxsplit=1)[0].lower()
    if target[0] in "/~" or target.startswith("./"):
        pieces = target.split("/")
        return "folder", "/".join(pieces[:3] if len(pieces) > 3 else pieces[:2])
    host = re.sub(r"^[a-z]+://", "", target).split("/")[0]
    if "." in host and " " not in host:
        return "host", ".".join(host.lower().split(".")[-2:])
    return "shape", shape(target) + target[0]


def bytes_of(text: str, padding: int) -> tuple[np.ndarray, int, int]:
    """Return a text amid other bytes, and where it starts and stops."""
    raw = text.encode()
    return np.frombuffer(b"x" * padding + raw + b"/A.@9", np.uint8), padding, padding + len(raw)


def coarse_of(text: str, padding: int = 0) -> int:
    """Return the hash of a target's coarse place."""
    return int(coarse_hash(*bytes_of(text, padding), ROOM, PUBLIC_KEY))


@given(value=signs, padding=st.integers(0, 9))
def test_a_shape_is_the_hash_of_what_regular_expressions_leave(value: str, padding: int) -> None:
    """Whatever stands before and after the value in the buffer."""
    assert shape_hash(*bytes_of(value, padding), ROOM, PUBLIC_KEY) == hash_text(shape(value))


@given(one=targets, other=targets, padding=st.integers(0, 9))
def test_two_targets_share_a_coarse_place_when_the_expressions_say_so(one: str, other: str, padding: int) -> None:
    """Neither more places nor fewer."""
    assert (coarse_of(one, padding) == coarse_of(other)) == (coarse(one) == coarse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10.0.0.1", "10.0.0.200"),
        ("ann@corp.example", "bob@CORP.example"),
        ("/var/log/a.txt", "/var/log/b/c.txt"),
        ("https://api.corp.example/a", "www.corp.example"),
        ("INV-2024-001", "INV-1999-777"),
    ],
)
def test_neighbours_share_a_place(one: str, other: str) -> None:
    """Network, domain, folder, site, shape."""
    assert coarse_of(one) == coarse_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10.0.0.1", "10.0.1.1"),
        ("ann@corp.example", "ann@evil.example"),
        ("/var/log/a.txt", "/etc/log/a.txt"),
        ("https://api.corp.example", "https://corp.example.evil.example"),
        ("INV-2024-001", "inv-2024-001"),
        ("corp.example", "a@corp.example"),
    ],
)
def test_strangers_do_not_share_a_place(one: str, other: str) -> None:
    """The harmful twins of the above."""
    assert coarse_of(one) != coarse_of(other)
