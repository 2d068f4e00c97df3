"""Marks: each thing an event may have is a bit of its own, within one number."""

from __future__ import annotations

from detector.rules.places import OF_NAME
from detector.schema.event import Event
from detector.schema.marks import OF_FIELD, OF_KIND, OF_OUTCOME, WATCHED


def test_every_bit_stands_for_one_thing_and_all_fit_into_64() -> None:
    """Those that rules add for names of tools stand behind all others."""
    bits = [*OF_FIELD.values(), *OF_KIND.values(), *OF_OUTCOME.values(), WATCHED, *OF_NAME.values()]
    assert bits == [1 << place for place in range(len(bits))]
    assert len(bits) <= 64
    assert tuple(OF_FIELD) == Event.__struct_fields__
