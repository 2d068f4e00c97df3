"""The channels by name: what each measures, where its column is, what it weighs, and how an alert speaks of it.

The entries are data, in ``catalogue.toml``. Kernels take positions from :func:`position` when their module is loaded;
nothing else counts on the order.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final, Literal

import msgspec

Voice = Literal["plain", "origin"]
Subject = Literal["target", "argument", "size", "attribute", "event"]
Knower = Literal["own", "peers", "level"]

MOST_CHANNELS: Final = 32
"""A session notes the bins of an action in one row of four words of eight bytes."""

MEASURES: Final = ("number", "volume", "gap", "outcome", "fan_out", "position", "read_size")
"""What the isolation forest looks at, in the order of its columns: deviations, surprises and place, never raw counts.
Eight at most: they are noted in two rows of four words. Why not counts: ``docs/science.md``, *The models*."""


class ChannelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel or model as it stands in the file; the file's head says what each field means."""

    name: str
    measures: str
    family: str = ""
    unit: str = ""
    needs: tuple[str, ...] = ()
    weight: float | None = None
    voices: tuple[Voice, ...] = ("plain", "origin")
    twin_of: str | None = None
    half_space: bool = False
    subject: Subject = "event"
    knower: Knower = "peers"
    observed: str = ""
    expected: str = ""
    normal: str = ""
    asi: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    channel: tuple[ChannelEntry, ...]
    model: tuple[ChannelEntry, ...]


def _read() -> _File:
    raw = Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(raw), _File)


_FILE: Final = _read()
CHANNELS: Final = _FILE.channel
MODELS: Final = _FILE.model
NAMES: Final = tuple(entry.name for entry in CHANNELS)
BY_NAME: Final = {entry.name: entry for entry in (*CHANNELS, *MODELS)}
WEIGHTS: Final = {entry.name: entry.weight for entry in (*CHANNELS, *MODELS) if entry.weight is not None}
"""Default weight of everything that has one of its own."""
EXPECTED: Final = tuple(name in ("novelty", "novelty_origin", "cooccurrence", "transition", "pair") for name in NAMES)
"""By column, whether a channel says no more than that a tool or target is new: silent where that was declared."""
HALF_SPACE: Final = tuple(k for k, entry in enumerate(CHANNELS) if entry.half_space)
"""Columns that the half-space trees look at."""


def position(name: str) -> int:
    """Return the column of a channel.

    Raises
    ------
    ValueError
        If the catalogue has no channel of this name.
    """
    return NAMES.index(name)


def spoken_of(name: str) -> ChannelEntry:
    """Return the entry whose words, ids and weight stand for a channel or model: its own, or its twin's."""
    entry = BY_NAME[name]
    return entry if entry.twin_of is None else BY_NAME[entry.twin_of]
