"""A neighbourhood as a picture (SVG): a finding's agents in a row, who called them above, whom they called below."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from detector.offline.neighbourhood import DrawnCall, Neighbour, Neighbourhood
from detector.offline.palette import ALLOWED, ATTACK, HARMLESS, QUIET, THRESHOLD
from detector.schema.shown import shown

STEP: Final = 190.0
"""Between two agents of the finding."""
BESIDE: Final = 92.0
"""Between two agents beside them."""
MARGIN: Final = 110.0
ROWS: Final = (190.0, 320.0, 450.0)
"""Height of who called, of the finding's agents, of who was called."""
SIZE: Final = 620.0
RADIUS: Final = 11.0
MOST_LETTERS: Final = 26
_HALO: Final = 'paint-order="stroke" stroke="white" stroke-width="4"'
_FONT: Final = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif"'


class DrawnAt(NamedTuple):
    """Where an agent is drawn, and in which row: 0 above, 1 the finding's, 2 below."""

    x: float
    y: float
    row: int


def picture(what: Neighbourhood) -> str:
    """Return a neighbourhood as SVG; the same facts give the same bytes.

    What whoever acts has chosen, names of agents above all, is escaped and capped.
    """
    spots, width = _layout(what)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {SIZE:.0f}" {_FONT}>',
        f"<title>{_text(what.alert.title, 200)}</title>",
        f'<rect width="{width:.0f}" height="{SIZE:.0f}" fill="white"/>',
        "<defs>" + "".join(_arrow(name, colour) for name, colour in (("new", ATTACK), ("known", HARMLESS))) + "</defs>",
        *_heading(what, width),
        *(_call(one, spots) for one in sorted(what.calls, key=lambda one: (one.step > 0, one.is_new))),
        *(_agent(one, spots[one.agent_id]) for one in what.agents),
        *_legend(what),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _layout(what: Neighbourhood) -> tuple[dict[str, DrawnAt], float]:
    """Return where everybody stands, and how wide the picture is."""
    members = [one.agent_id for one in what.agents if one.is_member]
    callers = {one.source for one in what.calls if one.sink in members}
    others = [one.agent_id for one in what.agents if not one.is_member]
    above = [one for one in others if one in callers]
    below = [one for one in others if one not in callers]
    width = max(STEP * (len(members) - 1), BESIDE * (max(len(above), len(below)) - 1), 560.0) + 2 * MARGIN
    spots = {one: DrawnAt(x, ROWS[1], 1) for one, x in zip(members, _spread(len(members), STEP, width), strict=True)}
    for row, side in ((0, above), (2, below)):
        ranked = sorted(side, key=lambda one: (_middle(one, what.calls, spots), one))
        places = _spread(len(ranked), BESIDE, width)
        spots |= {one: DrawnAt(x, ROWS[row], row) for one, x in zip(ranked, places, strict=True)}
    return spots, width


def _spread(count: int, step: float, width: float) -> list[float]:
    first = (width - step * (count - 1)) / 2.0
    return [first + step * place for place in range(count)]


def _middle(agent: str, calls: tuple[DrawnCall, ...], spots: dict[str, DrawnAt]) -> float:
    """Return the mean place of the finding's agents that an agent is connected with."""
    ends = [end for one in calls if agent in (one.source, one.sink) for end in (one.source, one.sink)]
    places = [spots[end].x for end in ends if end in spots and spots[end].row == 1]
    return sum(places) / len(places) if places else 0.0


def _text(text: str, most: int = MOST_LETTERS) -> str:
    return escape(shown(text, most))


def _arrow(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="{colour}"/></marker>'
    )


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def _heading(what: Neighbourhood, width: float) -> list[str]:
    alert = what.alert
    day = datetime.fromtimestamp(alert.last_seen, UTC).strftime("%Y-%m-%d %H:%M UTC")
    second = f"{alert.detection}, {alert.severity}, tenant {shown(alert.tenant, MOST_LETTERS)}, {day}"
    letters = int((width - 48.0) / 11.5)
    return [
        f'<text x="24" y="36" font-size="17" font-weight="bold" fill="{ALLOWED}">{_text(alert.title, letters)}</text>',
        f'<text x="24" y="58" font-size="13" fill="#555">{escape(second)}</text>',
        f'<text x="24" y="76" font-size="12" fill="#555">finding {alert.finding_uid}</text>',
    ]


def _call(one: DrawnCall, spots: dict[str, DrawnAt]) -> str:
    """Return a call as an arrow from rim to rim; bent where others stand between."""
    source, sink = spots[one.source], spots[one.sink]
    colour, mark = (ATTACK, "new") if one.is_new else (HARMLESS, "known")
    is_far = source.row == sink.row and abs(source.x - sink.x) > STEP * 1.5
    is_back = source.row == sink.row and sink.x < source.x
    lift = -46.0 if is_far else 46.0 if is_back else 0.0
    turn = ((source.x + sink.x) / 2.0, (source.y + sink.y) / 2.0 + lift)
    begin, end = _rim(source, turn), _rim(sink, turn)
    style = f'stroke="{colour}" stroke-width="{2.6 if one.step else 1.4}" fill="none" marker-end="url(#{mark})"'
    path = f"M{begin[0]:.1f},{begin[1]:.1f} Q{turn[0]:.1f},{turn[1]:.1f} {end[0]:.1f},{end[1]:.1f}"
    label = ""
    if one.step:
        label = (
            f'<text x="{turn[0]:.1f}" y="{turn[1] - 8.0 + lift / -2.0:.1f}" font-size="12" text-anchor="middle" '
            f'fill="{ATTACK}">{one.step}. {_clock(one.at)}</text>'
        )
    return f'<path d="{path}" {style}{"" if one.is_new else " opacity=" + chr(34) + ".7" + chr(34)}/>{label}'


def _rim(spot: DrawnAt, towards: tuple[float, float]) -> tuple[float, float]:
    dx, dy = towards[0] - spot.x, towards[1] - spot.y
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    return spot.x + dx / length * (RADIUS + 5.0), spot.y + dy / length * (RADIUS + 5.0)


def _agent(one: Neighbour, spot: DrawnAt) -> str:
    fill = ATTACK if one.is_member else QUIET
    rim = ATTACK if one.findings or one.is_member else HARMLESS
    shapes = (
        f'<circle cx="{spot.x:.1f}" cy="{spot.y:.1f}" r="{RADIUS:.0f}" fill="{fill}" stroke="{rim}" stroke-width="2"/>'
    )
    if one.is_critical:
        shapes += (
            f'<circle cx="{spot.x:.1f}" cy="{spot.y:.1f}" r="{RADIUS + 4.0:.0f}" fill="none" stroke="{THRESHOLD}" '
            'stroke-width="2"/>'
        )
    if spot.row == 1:
        at = f'x="{spot.x:.1f}" y="{spot.y + RADIUS + 19.0:.1f}" text-anchor="middle" font-weight="bold" {_HALO}'
    else:
        y, angle = (spot.y - 18.0, -32) if spot.row == 0 else (spot.y + 24.0, 32)
        at = f'x="{spot.x:.1f}" y="{y:.1f}" transform="rotate({angle} {spot.x:.1f} {y:.1f})"'
    return f'{shapes}<text {at} font-size="12" fill="{ALLOWED}">{_text(one.agent_id)}</text>'


def _legend(what: Neighbourhood) -> list[str]:
    more = f"; {what.left_out} more agents beside them are not drawn" if what.left_out else ""
    words = (
        f'<tspan fill="{ATTACK}">filled: of the finding; ringed: others with findings; arrows: first calls</tspan>'
        f'<tspan fill="{THRESHOLD}">; second ring: critical</tspan>'
        f'<tspan fill="{HARMLESS}">; grey: calls known before{escape(more)}</tspan>'
    )
    return [f'<text x="24" y="{SIZE - 22.0:.0f}" font-size="12">{words}</text>']
