"""How large a value is, in bytes, without reading it twice."""

from __future__ import annotations

import json
from typing import Any


def size_of(value: object) -> float | None:
    """Return the bytes of a value as text or JSON; None for nothing, and for what has no such form.

    >>> size_of("Zoë"), size_of({"a": 1}), size_of(None)
    (4.0, 8.0, None)
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        return float(len(value))
    try:
        written = value if isinstance(value, str) else json.dumps(value, default=_members, ensure_ascii=False)
    except Exception:  # noqa: BLE001 - an object of anybody's may raise whatever it likes
        return None
    return float(len(written.encode("utf-8", "replace")))


def _members(value: Any) -> Any:  # noqa: ANN401 - whatever a library holds
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)
