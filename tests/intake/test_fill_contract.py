"""What the kernel that fills the columns leans on in the event's struct is asserted where it is loaded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.intake.fill import check_event
from detector.schema.event import Event


def _event(move_last: tuple[str, ...] = (), *, omit_defaults: bool = True, **defaults: Any) -> type[msgspec.Struct]:
    """Return the event's struct with some fields moved to the end, or with other defaults."""
    fields = {field.name: field for field in msgspec.structs.fields(Event)}
    order = [name for name in fields if name not in move_last] + list(move_last)
    made = [
        (name, fields[name].type, defaults.get(name, fields[name].default))
        if fields[name].default is not msgspec.NODEFAULT or name in defaults
        else (name, fields[name].type)
        for name in order
        if fields[name].default_factory is msgspec.NODEFAULT
    ] + [(name, fields[name].type, {}) for name in order if fields[name].default_factory is not msgspec.NODEFAULT]
    return msgspec.defstruct("Moved", made, kw_only=True, omit_defaults=omit_defaults)


def test_the_event_as_it_stands_is_fit_to_be_read() -> None:
    """The harmless twin: neither the real struct nor a copy of it is refused."""
    check_event(Event)
    check_event(_event())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"omit_defaults": False}, "left out on the wire"),
        ({"outcome": "error"}, "defaults of an event"),
        ({"agent_type": "other"}, "defaults of an event"),
    ],
)
def test_a_default_that_moved_is_refused_at_load(changed: dict[str, Any], why: str) -> None:
    """An absent field would be read as what it no longer means."""
    with pytest.raises(TypeError, match=why):
        check_event(_event(**changed))


def test_a_field_that_moved_is_refused_at_load() -> None:
    """The target behind the attributes: arguments that repeat it would count twice."""
    fields = [field.name for field in msgspec.structs.fields(Event)]
    moved = msgspec.defstruct(
        "Moved",
        [(name, Any, None) for name in sorted(fields, key=lambda name: (name == "target", fields.index(name)))],
        kw_only=True,
        omit_defaults=True,
    )
    with pytest.raises(TypeError, match="target of an event must stand before"):
        check_event(moved)
