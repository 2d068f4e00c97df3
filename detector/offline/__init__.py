"""Replay and evaluation without a broker: the same pipeline, for notebooks and other harnesses.

``detector.offline.Core`` is the whole detector as one object; it is loaded when it is first asked for,
so that help texts need not wait for the kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.offline.core import Core

__all__ = ["Core"]


def __getattr__(name: str) -> type[Core]:
    if name != "Core":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from detector.offline.core import Core

    return Core
