"""What a budget promised, what was spent of it and what that found, in rows for a table or a picture.

The figures are those of :func:`~detector.offline.evaluate.judge_sessions`; here they are laid side by side, each with
its interval, for the whole stream, each peer group and the agent that spent most beyond chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from detector.offline.metrics import chance_of, wilson

Level = Literal["all", "class", "peer group", "worst agent"]


class Spending(NamedTuple):
    """Promised, spent and found of one part of a stream; shares from 0 to 1, with 95 % intervals.

    Parameters
    ----------
    level, part : str
        All, a risk class, a peer group or the worst agent, and which.
    harmless, attacks : int
        Live sessions of each kind.
    promised : float
        Share of closed sessions that the budget allows to alert.
    spent, spent_low, spent_high : float or None
        Share of the harmless sessions that alerted (Wilson); None where there are none.
    found, found_low, found_high : float or None
        Share of the attacks that alerted (Wilson); None where there are none.
    allowed, allowed_low, allowed_high : float or None
        What one line through the evidence of this part finds that alarms just as many of its harmless sessions
        (bootstrap): what found must be held against.
    by_chance : float or None
        Of an agent: how likely it is that some agent spends as much beyond its share, if each kept the promise.
    """

    level: Level
    part: str
    harmless: int
    attacks: int
    promised: float
    spent: float | None
    spent_low: float | None
    spent_high: float | None
    found: float | None
    found_low: float | None
    found_high: float | None
    allowed: float | None
    allowed_low: float | None
    allowed_high: float | None
    by_chance: float | None = None


def spending_of(report: Mapping[str, Any]) -> list[Spending]:
    """Return the whole stream, its peer groups by name, and the worst agent.

    The worst agent is not the one with the highest rate, which is one with few sessions, but the one whose alarms are
    least likely by chance.

    Parameters
    ----------
    report : mapping
        Of :func:`~detector.offline.evaluate.judge_sessions`.

    Returns
    -------
    list of Spending
        Without a worst agent where no agent has a harmless session, or none of them alarmed.
    """
    rows = [_row("all", "all", report["session"])]
    rows += [_row("class", name, one) for name, one in report.get("by_class", {}).items()]
    rows += [_row("peer group", name, one) for name, one in report["by_peer_group"].items()]
    agents: Mapping[str, Any] = {
        name: one for name, one in report["by_agent"].items() if one["of_promise"]["closed"] is not None
    }
    chances = {name: _chance(one) for name, one in agents.items()}
    if chances and min(chances.values()) < 1.0:
        worst = min(chances, key=lambda name: (chances[name], name))
        of_any = 1.0 - (1.0 - chances[worst]) ** len(chances)
        rows.append(_row("worst agent", worst, agents[worst])._replace(by_chance=of_any))
    return rows


def _chance(one: Mapping[str, Any]) -> float:
    spent = one["of_promise"]["closed"]
    return chance_of(spent["alarmed"], spent["n"], one["promised_rate"])


def _row(level: Level, part: str, one: Mapping[str, Any]) -> Spending:
    spent, promised = one["of_promise"]["closed"], one["promised_rate"]
    attacks, recall = one["positives"], one["live_recall"]
    spent_low, spent_high = (None, None) if spent is None else (end * promised for end in spent["interval"])
    found = None if recall is None else wilson(round(recall * attacks), attacks)
    found_low, found_high = found or (None, None)
    allowed_low, allowed_high = one["intervals"].get("ranking_recall_at_same_rate", (None, None))
    return Spending(
        level, part, one["n"] - attacks, attacks, promised,
        one["benign_alarm_rate"], spent_low, spent_high,
        recall, found_low, found_high,
        one["ranking_recall_at_same_rate"], allowed_low, allowed_high,
    )  # fmt: skip
