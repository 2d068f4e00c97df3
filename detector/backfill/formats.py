"""Which program wrote a file, told by what its first lines say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from detector.backfill import claude, codex, copilot, gemini
from detector.backfill.record import Additions, Reader, Record

MAX_LOOKED_AT: Final = 32
"""Lines by which a file is told; transcripts begin with some that have nothing of their own."""


class Format(NamedTuple):
    """A format: its program, how a record of it is told, and its reader."""

    name: str
    is_mine: Callable[[Record], bool]
    reader: Callable[[Additions, Callable[[str], bool]], Reader]


FORMATS: Final = (
    Format(codex.NAME, codex.is_mine, codex.CodexReader),
    Format(copilot.NAME, copilot.is_mine, lambda asked, _: copilot.CopilotReader(asked)),
    Format(gemini.NAME, gemini.is_mine, lambda asked, _: gemini.GeminiReader(asked)),
    Format(claude.NAME, claude.is_mine, lambda asked, _: claude.ClaudeReader(asked)),
)
"""In the order in which they are asked; no record is one of two of them."""


def format_of(record: Record) -> Format | None:
    """Return the format that a record is of; None for none of them."""
    return next((one for one in FORMATS if one.is_mine(record)), None)
