"""The risk table as one page of HTML: sortable, nothing loaded from anywhere, nothing an agent wrote is markup."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

from detector.registry.documents import time_text
from detector.registry.expiring import GrantEnd, ends_of
from detector.registry.study.risk import CRITICALITY, DATED_S, WEIGHTS, WORDS, AgentRisk, RiskInputs
from detector.registry.study.usage import DAY_S, DeclaredName
from detector.registry.tables import NOBODY
from detector.views.shown import count_of, moment, shown

MOST_UNUSED = 500
"""Unused names that are listed, those that nobody's peers use first."""


class RiskPage(NamedTuple):
    """What stands on the page: risks, unused grants, grants that end, and when and of what it was made."""

    risks: Sequence[AgentRisk]
    unused: Sequence[DeclaredName]
    ends: Sequence[GrantEnd]
    now: float
    window: str

    def html(self) -> str:
        """Return the page; its policy lets no other script or style run than the ones it was made with."""
        style, script = _part("risk.css"), _part("risk.js")
        rules = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
        return "\n".join(
            [
                '<!doctype html><html lang="en"><head><meta charset="utf-8">',
                f'<meta http-equiv="Content-Security-Policy" content="{escape(rules)}">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                f"<title>Risk of agents</title><style>{style}</style></head><body>",
                f"<header><h1>Risk of agents</h1><p>{escape(self.window)}; made {escape(moment(self.now))}</p>",
                "</header><main>",
                *self._facts(),
                "<h2>Agents</h2>",
                *_table(_HEAD, map(_risk_row, self.risks), "the inventory is empty and nobody was seen"),
                "<h2>Declared and not used</h2>",
                *_table(_UNUSED, map(_unused_row, self._least_used()), "everything that is declared was used"),
                "<h2>Exceptions that end</h2>",
                *_table(_ENDS, (_end_row(one, self.now) for one in self.ends), "no grant has ended, or ends soon"),
                f"<footer>{escape(_formula())}</footer></main><script>{script}</script></body></html>",
                "",
            ]
        )

    def _least_used(self) -> list[DeclaredName]:
        return sorted(self.unused, key=lambda one: (one.peers[0], -one.unused_s))[:MOST_UNUSED]

    def _facts(self) -> Iterator[str]:
        told = {
            "agents": len(self.risks),
            "without an entry": sum(one.lifecycle == "unregistered" for one in self.risks),
            "without an owner": sum(one.owner is None for one in self.risks),
            "declared names not used": len(self.unused),
            "exceptions that end": len(self.ends),
            "open findings": int(sum(one.parts["findings"].amount for one in self.risks)),
        }
        items = "".join(f"<li><b>{number:,}</b><span>{escape(name)}</span></li>" for name, number in told.items())
        yield f'<ul class="facts">{items}</ul>'


def page(inputs: RiskInputs, risks: Sequence[AgentRisk]) -> RiskPage:
    """Return the page of risks, with what they were computed from."""
    usage, seen = inputs.usage, inputs.usage.seen
    window = "no events were read"
    if seen.events:
        times = f"{time_text(int(seen.first))} to {time_text(int(seen.last))}"
        window = f"{count_of(seen.events, 'event')} of {count_of(len(seen.agents), 'agent')}, {times}"
    unused = [one for one in usage.grants() if not one.is_used]
    return RiskPage(risks, unused, ends_of(usage.entries, inputs.now, DATED_S), inputs.now, window)


_PARTS = {
    "external": "targets outside",
    "data": "data classes",
    "writes": "tools that write",
    "unused": "unused grants",
    "credential": "credential, hours",
    "findings": "open findings",
}
_HEAD = ("risk", "agent", "owner", "type", "criticality", "state", *_PARTS.values(), "also")
_UNUSED = ("agent", "owner", "list", "declared", "unused, days", "peers that use it")
_ENDS = ("agent", "owner", "grant", "state", "ends", "in days", "approved by", "renewals")
_ORDER = {name: rank for rank, name in enumerate(CRITICALITY)}


class _Cell(NamedTuple):
    """A cell: its text, what it is sorted by if not its text, its class, and markup of ours before the text."""

    text: str
    key: float | None = None
    kind: str = ""
    before: str = ""


def _risk_row(one: AgentRisk) -> list[_Cell]:
    meter = f'<meter max="60" high="30" low="15" optimum="0" value="{one.risk}"></meter>'
    numbers = [_Cell(f"{one.parts[name].amount:g}", one.parts[name].amount, "n") for name in _PARTS]
    return [
        _Cell(f"{one.risk:.1f}", one.risk, "n", meter),
        _Cell(shown(one.agent_id, 80)),
        _owner(one.owner),
        _Cell(shown(one.agent_type, 48)),
        _Cell(one.criticality, _ORDER.get(one.criticality, 0), one.criticality),
        _Cell(one.lifecycle, None, one.lifecycle),
        *numbers,
        _Cell("; ".join(one.words(name for name in one.parts if name not in _PARTS))),
    ]


def _unused_row(one: DeclaredName) -> list[_Cell]:
    days = one.unused_s / DAY_S
    return [
        _Cell(shown(one.entry.agent_id, 80)),
        _owner(one.entry.owner),
        _Cell(one.field),
        _Cell(shown(one.name, 120)),
        _Cell(f"{days:.1f}", days, "n"),
        _Cell(f"{one.peers[0]} of {one.peers[1]}", one.peers[0], "n"),
    ]


def _end_row(one: GrantEnd, now: float) -> list[_Cell]:
    ends = one.grant.expires_at
    days = None if ends is None else (ends - now) / DAY_S
    return [
        _Cell(shown(one.entry.agent_id, 80)),
        _owner(one.entry.owner),
        _Cell(shown(one.grant.id, 80)),
        _Cell(one.state, None, one.state),
        _Cell("no end" if ends is None else time_text(ends)),
        _Cell("-" if days is None else f"{days:.1f}", days, "n"),
        _Cell(shown(one.grant.approver, 48)),
        _Cell(str(one.grant.renewals), one.grant.renewals, "n"),
    ]


def _owner(owner: str | None) -> _Cell:
    return _Cell(shown(owner, 64)) if owner else _Cell(NOBODY, None, "none")


def _table(head: Sequence[str], body: Iterable[Sequence[_Cell]], nothing: str) -> Iterator[str]:
    lines = [f"<tr>{''.join(map(_cell, row))}</tr>" for row in body]
    if not lines:
        yield f'<p class="none">{escape(nothing)}</p>'
        return
    heads = "".join(f'<th scope="col"><button type="button">{escape(name)}</button></th>' for name in head)
    yield f'<div class="wide"><table class="sorted"><thead><tr>{heads}</tr></thead><tbody>'
    yield from lines
    yield "</tbody></table></div>"


def _cell(cell: _Cell) -> str:
    key = "" if cell.key is None else f' data-v="{cell.key:g}"'
    kind = f' class="{escape(cell.kind)}"' if cell.kind else ""
    return f"<td{kind}{key}>{cell.before}{escape(cell.text)}</td>"


def _formula() -> str:
    levels = ", ".join(f"{name} {share:g}" for name, share in CRITICALITY.items())
    parts = ", ".join(f"{WORDS[name]} {weight:g}" for name, weight in WEIGHTS.items())
    return f"Risk is 100 × criticality ({levels}) × exposure; exposure is the mean of its parts by weight: {parts}."


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
