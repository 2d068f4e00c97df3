"""What a rule is: it reads events as they are, needs no history, and says what it found in words of its entry."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from detector.schema.alert import Severity
from detector.schema.event import Event


class RuleEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as it stands in ``catalogue.toml``; the file's head says what each field means."""

    name: str
    detection: str
    finds: str
    needs: tuple[str, ...]
    severity: Severity
    title: str
    observed: str
    expected: str
    normal: str
    asi: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()


class Hit(NamedTuple):
    """An event a rule fired on: its place in the batch, what tells this cause from others, the placeholders' values."""

    event: int
    cause: str
    words: dict[str, Any]


Look = Callable[[Sequence[Event]], Iterator[Hit]]
"""Yields a hit for each event that breaks the rule, in order. Pure; an event without the fields it needs is no hit."""


class Rule(NamedTuple):
    """A rule: its entry, and the function that looks."""

    entry: RuleEntry
    look: Look


def read_entries() -> dict[str, RuleEntry]:
    """Return the entries of the catalogue by name."""
    raw = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))
    return {entry.name: entry for entry in msgspec.convert(raw["rule"], list[RuleEntry])}


ENTRIES: Final = read_entries()
