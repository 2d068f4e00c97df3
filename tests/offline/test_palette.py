"""What colours say in pictures."""

from __future__ import annotations

import colorsys
from typing import get_args

from detector.offline import palette
from detector.schema.alert import Voice


def _hue(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) / 255.0 for at in (1, 3, 5))
    return colorsys.rgb_to_hsv(red, green, blue)[0] * 360.0


def test_an_attack_is_warm_and_what_is_harmless_cold() -> None:
    """As people expect, and along blue and orange, which the colour-blind tell apart."""
    assert _hue(palette.ATTACK) < 45.0
    assert 190.0 < _hue(palette.HARMLESS) < 250.0
    assert palette.KINDS == {"domain": ["attack", "harmless"], "range": [palette.ATTACK, palette.HARMLESS]}


def test_every_voice_has_a_colour_and_none_looks_like_an_attack() -> None:
    """A voice that the schema gains is noticed here."""
    assert set(palette.VOICES) == set(get_args(Voice))
    assert len(set(palette.VOICES.values())) == len(palette.VOICES)
    assert palette.ATTACK not in palette.VOICES.values()


def test_a_theme_may_be_changed_without_changing_the_next() -> None:
    """A plotter that writes into it writes into its own."""
    palette.theme()["config"]["background"] = "black"
    assert palette.theme()["config"]["background"] == "white"
