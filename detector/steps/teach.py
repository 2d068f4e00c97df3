"""What a person teaches: values that are known from now on, or that nobody knows any more."""

from __future__ import annotations

import numpy as np

from detector.channels import known
from detector.sketches.kernel import kernel
from detector.sketches.keys import forget_key, trust_key


@kernel
def keys_of_value(part: np.ndarray) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the keys a value is known by: exact, of any tool, its place, its place of any tool.

    Parameters
    ----------
    part : ndarray of uint64, shape (4,)
        Hashes of tool, name, value and place.
    """
    tool, name, value, place = part[0], part[1], part[2], part[3]
    return (
        known.value_key(tool, name, value),
        known.any_tool_key(name, value),
        known.place_key(tool, name, place),
        known.any_place_key(name, place),
    )


@kernel
def teach_value(own: np.ndarray, peers: np.ndarray, part: np.ndarray, tick: np.uint64) -> None:
    """Let an agent and its peers know a value at once: a person has called it safe."""
    keys = keys_of_value(part)
    trust_key(own, keys[0], tick)
    for key in keys:
        trust_key(peers, key, tick)


@kernel
def unlearn_value(own: np.ndarray, peers: np.ndarray, part: np.ndarray) -> None:
    """Let an agent and its peers forget a value: a person has called it an attack, or takes back that it is safe."""
    keys = keys_of_value(part)
    forget_key(own, keys[0])
    for key in keys:
        forget_key(peers, key)
