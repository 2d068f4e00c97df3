"""How pictures of notebooks look: what a colour says, and the frame around it. Plain values; the plotter is theirs."""

from __future__ import annotations

from typing import Any, Final

ATTACK: Final = "#D55E00"
HARMLESS: Final = "#56708A"
"""An attack is vermilion, what is harmless grey-blue: the colour-blind tell them apart.

Vermilion, and blue, sky blue and green below, are of M. Okabe and K. Ito, *Color Universal Design* (2008).
"""
FOUND: Final = ATTACK
SPENT: Final = HARMLESS
"""What is found are attacks, what is spent are harmless sessions."""
ALLOWED: Final = "#1A1A1A"
"""The ceiling: what a ranking allows."""
THRESHOLD: Final = "#7A1FA2"
"""Lines that somebody or something is held to: thresholds and promises."""
QUIET: Final = "#B8C4CF"
"""What is not told."""
VOICES: Final = {
    "own": "#0072B2", "peers": "#56B4E9", "fleet": "#009E73", "forest": "#8C6D31", "half_space": "#C9A227",
    "rule": "#333333",
}  # fmt: skip
"""Who says what is usual; none of them looks like an attack."""
KINDS: Final = {"domain": ["attack", "harmless"], "range": [ATTACK, HARMLESS]}
"""Colour of a session by its label."""


def theme() -> dict[str, Any]:
    """Return the frame of every chart as a Vega-Lite theme, for ``altair.theme.register``."""
    text = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 260}
    return {
        "config": {
            "font": "DejaVu Sans, Helvetica, Arial, sans-serif",
            "background": "white",
            "view": {"stroke": None, "continuousWidth": 560, "continuousHeight": 260},
            "title": {"anchor": "start", "fontSize": 14, "offset": 10, "subtitleFontSize": 12, "subtitleColor": "#555"},
            "axis": {**text, "gridColor": "#E6E9EC", "domainColor": "#888", "tickColor": "#888", "titlePadding": 8},
            "axisY": {"titleAngle": 270},
            "legend": {**text, "orient": "top", "symbolSize": 90, "columns": 6, "offset": 6},
            "header": {**text, "titleFontSize": 12},
            "bar": {"color": HARMLESS},
            "line": {"color": HARMLESS},
            "point": {"filled": True, "size": 60},
        }
    }
