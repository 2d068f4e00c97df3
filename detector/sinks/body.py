"""What every rendering of alerts shares: its form, its bytes, and how it is made to fit a receiver."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from detector.schema.alert import Alert, Evidence

Body = dict[str, Any]
"""A rendered alert as plain JSON values."""


class Rendering(NamedTuple):
    """One way to write an alert down.

    Parameters
    ----------
    render : callable
        Returns the body of an alert.
    spare : tuple of str
        What a receiver can do without, first to be left out first: keys of the body, with dots between for what
        is inside of them.
    mark : callable
        Returns the body with a word that something was left out; it is told the size in bytes before.
    """

    render: Callable[[Alert], Body]
    spare: tuple[str, ...]
    mark: Callable[[Body, int], Body]


def to_bytes(body: Mapping[str, Any]) -> bytes:
    """Return a rendered body as ASCII JSON bytes, keys in their order, without spaces.

    Raises
    ------
    ValueError
        A number is not finite; nothing of ours may be, so this is a fault of the caller.
    """
    return json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def by_strength(evidence: Sequence[Evidence]) -> list[tuple[int, Evidence]]:
    """Return acts with the places at which they were found, the strongest first; of equals the earlier one."""
    return sorted(enumerate(evidence), key=lambda placed: (-placed[1].strength, placed[0]))


def shorten(body: Body, rendering: Rendering, limit: int) -> Body:
    """Return the body with spare parts left out until it fits, and saying so.

    Parameters
    ----------
    body : dict
        What the rendering made of an alert; it is not changed.
    rendering : Rendering
        Knows what can be spared.
    limit : int
        Bytes of the encoded form, at most.

    Returns
    -------
    dict
        The same body if it fits, else a marked one. What cannot be spared always stays, so the result may still
        exceed a very small limit.
    """
    size = len(to_bytes(body))
    if size <= limit:
        return body
    short = rendering.mark(body, size)
    for path in rendering.spare:
        short = _without(short, path)
        if len(to_bytes(short)) <= limit:
            break
    return short


def present(**values: object) -> Body:
    """Return the values that are not None: what is absent is left out, never null."""
    return {name: value for name, value in values.items() if value is not None}


def _without(body: Body, path: str) -> Body:
    first, _, rest = path.partition(".")
    if not rest:
        return {name: value for name, value in body.items() if name != first}
    inner = body.get(first)
    return {**body, first: _without(inner, rest)} if isinstance(inner, dict) else body
