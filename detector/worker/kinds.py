"""Which kind of feedback a record is, to count it: what is unknown, or cannot be read, is ``other``."""

from __future__ import annotations

import msgspec

from detector.schema.closing import CLASS_UID

KINDS = frozenset({"verdict", "release", "closing", "suppression", "suppression_end", "containment"})
"""Kinds of feedback that have a series of their own; all others are counted as ``other``."""


class _Kind(msgspec.Struct):
    kind: str = ""
    class_uid: int = 0


_kind = msgspec.json.Decoder(_Kind)


def kind_of(value: bytes) -> str:
    """Return the series a record of the feedback topic is counted in."""
    try:
        told = _kind.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "other"
    kind = told.kind or ("closing" if told.class_uid == CLASS_UID else "other")
    return kind if kind in KINDS else "other"
