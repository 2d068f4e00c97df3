"""What is said of an alert: a table of renderings by name.

A new rendering is one entry of :data:`RENDERINGS`; the suite in :mod:`detector.checks.sinks` then holds it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from detector.errors import SetupError
from detector.sinks import ecs, ocsf

if TYPE_CHECKING:
    from detector.sinks.body import Rendering

RENDERINGS: Final[dict[str, Rendering]] = {"ocsf": ocsf.RENDERING, "ecs": ecs.RENDERING}


def rendering_of(name: str) -> Rendering:
    """Return the rendering of a name.

    Raises
    ------
    SetupError
        The name is in no entry; the message lists those there are.
    """
    if name not in RENDERINGS:
        msg = f"format of siem must be {' or '.join(RENDERINGS)}, got {name!r}: choose one of them"
        raise SetupError(msg)
    return RENDERINGS[name]
