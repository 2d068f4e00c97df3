"""The parts and numbers of an event by name, in the order the kernels number them: for explanations."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from detector.intake.columns import (
    EXTRA_PARTS,
    LEAST_ID,
    MAX_ITEMS,
    MAX_NUMBERS,
    MAX_PARTS,
    MAX_TARGETS,
    MAX_VALUE,
    SIZES,
)
from detector.schema.event import Event


class Part(NamedTuple):
    """A target part or an argument value, with where it came from if that is known."""

    name: str
    value: str
    origin: str | None


def is_ignored(name: str, patterns: tuple[str, ...]) -> bool:
    """Return whether an attribute is left out: its name, or a prefix that ends in ``*``."""
    whole, prefixes = _as_names(patterns)
    return name in whole or name.startswith(prefixes)


@lru_cache(maxsize=16)
def _as_names(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the patterns that are names, and those that are prefixes, as one look asks for them."""
    prefixes = tuple(one[:-1] for one in patterns if one.endswith("*"))
    return frozenset(one for one in patterns if not one.endswith("*")), prefixes


def parts_of(event: Event, ignored: tuple[str, ...]) -> list[Part]:
    """Return the target's parts, then the items of each string argument that does not repeat the target."""
    parts: list[Part] = []
    target, origin = event.target, event.arg_origin.get("target")
    parts += [Part("target", piece, origin) for piece in targets_of(event)]
    more, numbers = 0, sum(getattr(event, name) is not None for name in SIZES)
    for name, value in event.attributes.items():
        if value is None or is_ignored(name, ignored):
            continue
        origin, has_room = event.arg_origin.get(name), len(parts) <= MAX_PARTS - MAX_ITEMS - EXTRA_PARTS
        if isinstance(value, float):
            has_room = has_room and numbers < MAX_NUMBERS
            numbers += 1
            if has_room and abs(value) >= LEAST_ID and value.is_integer():
                parts.append(Part(name, f"{value:.0f}", origin))
            more += not has_room
        elif has_room:
            text = ("true" if value else "false") if isinstance(value, bool) else value
            parts += [Part(name, item[:MAX_VALUE], origin) for item in _items(text, MAX_ITEMS) if item != target]
        else:
            more += 1
    told = [Part("(more)", f"{more} arguments", None)] if more else []
    return [*parts, *told, *_unread(event, ignored), *_circumstances(event)]


def targets_of(event: Event) -> list[str]:
    """Return the parts of the target, none without one."""
    if event.target is None:
        return []
    return [event.target] if "/" in event.target else _items(event.target, MAX_TARGETS)


def _items(text: str, most: int) -> list[str]:
    """Return the items of a list in a text; the last one takes all that follow."""
    return [item.strip() for item in text.split(",", most - 1)]


def _unread(event: Event, ignored: tuple[str, ...]) -> list[Part]:
    """Return that a call that went well bears texts under ignored names; why one failed is said in such fields."""
    held = [
        f"{name} of {len(str(value))} characters"
        for name, value in event.attributes.items()
        if value is not None and not isinstance(value, float) and is_ignored(name, ignored)
    ]
    return [Part("(unread)", ", ".join(held), None)] if held and event.outcome == "ok" else []


def _circumstances(event: Event) -> list[Part]:
    """Return who acts, and with whom, as far as the event says."""
    credential = event.credential.id if event.credential else None
    parts = (
        ("(standing)", ("zone", event.zone), ("credential", credential)),
        (
            "(dealing)", ("peer", event.peer_agent_id), ("in zone", event.peer_zone), ("class", event.data_class),
            ("for", event.on_behalf_of),
        ),
    )  # fmt: skip
    told = [(name, [f"{what} {value}" for what, value in facts if value]) for name, *facts in parts]
    return [Part(name, ", ".join(facts), None) for name, facts in told if facts]


def numbers_of(event: Event, ignored: tuple[str, ...]) -> list[tuple[str, float]]:
    """Return the sizes an event reports, then its numeric attributes."""
    sizes = [(name, value) for name in SIZES if (value := getattr(event, name)) is not None]
    attributes = [
        (name, value)
        for name, value in event.attributes.items()
        if isinstance(value, float) and not is_ignored(name, ignored)
    ]
    return (sizes + attributes)[:MAX_NUMBERS]
