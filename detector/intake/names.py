"""The parts and numbers of an event by name, in the order the kernels number them: for explanations."""

from __future__ import annotations

from typing import NamedTuple

from detector.intake.columns import MAX_ITEMS, MAX_NUMBERS, MAX_PARTS, MAX_TARGETS, MAX_VALUE, SIZES
from detector.schema.event import Event


class Part(NamedTuple):
    """A target part or an argument value, with where it came from if that is known."""

    name: str
    value: str
    origin: str | None


def is_ignored(name: str, patterns: tuple[str, ...]) -> bool:
    """Return whether an attribute is left out: its name, or a prefix that ends in ``*``."""
    return any(name == p or (p.endswith("*") and name.startswith(p[:-1])) for p in patterns)


def parts_of(event: Event, ignored: tuple[str, ...]) -> list[Part]:
    """Return the target's parts, then the items of each string argument that does not repeat the target."""
    parts: list[Part] = []
    target = event.target
    if target is not None:
        pieces = [target] if "/" in target else [piece.strip() for piece in target.split(",")][:MAX_TARGETS]
        origin = event.arg_origin.get("target")
        parts += [Part("target", piece, origin) for piece in pieces]
    for name, value in event.attributes.items():
        if value is None or isinstance(value, float) or is_ignored(name, ignored) or len(parts) > MAX_PARTS - MAX_ITEMS:
            continue
        text = ("true" if value else "false") if isinstance(value, bool) else value
        items = [item.strip()[:MAX_VALUE] for item in text.split(",")][:MAX_ITEMS]
        parts += [Part(name, item, event.arg_origin.get(name)) for item in items if item != target]
    return parts


def numbers_of(event: Event, ignored: tuple[str, ...]) -> list[tuple[str, float]]:
    """Return the sizes an event reports, then its numeric attributes."""
    sizes = [(name, value) for name in SIZES if (value := getattr(event, name)) is not None]
    attributes = [
        (name, value)
        for name, value in event.attributes.items()
        if isinstance(value, float) and not is_ignored(name, ignored)
    ]
    return (sizes + attributes)[:MAX_NUMBERS]
