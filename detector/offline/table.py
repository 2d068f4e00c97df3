"""A report of an evaluation as tables that fit 80 columns."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

_TOLD = 10
"""Reasons of refusal and peer groups that are shown; the JSON has them all."""
_COLUMNS = {
    "roc_auc": "AUC",
    "average_precision": "AP",
    "recall_at_0_5pct": "R@.5%",
    "recall_at_1pct": "R@1%",
    "recall_at_5pct": "R@5%",
    "benign_alarm_rate": "false",
    "live_recall": "found",
}
"""Figures of the table: their key and their heading."""
_SPENT = {"closed": "closed", "judged": "judged", "incidents": "incidents"}
"""Shares of the promise: their key and their heading."""

_LEGEND = (
    "closed, judged, incidents: harmless alarms / promised, of closed sessions, of judged ones, and those of them that "
    "opened an incident. ranking: what one line through the evidence finds at that cost. Rows below the first: risk "
    "classes, if the profile has any, and peer groups."
)


def show(report: dict[str, Any]) -> None:
    """Print a report: rankings, what alarms cost and found, how long attacks ran."""
    console = Console(highlight=False)
    events = report["events"]
    seeds = f", means of {report['seeds']} seeds" if report.get("seeds", 1) > 1 else ""
    said = f"{events['scored']:g} of {events['n']:g} events scored"
    console.print(f"{report['stream']}  profile {report['profile']}, {said}{seeds}")
    for reason, count in list(events["refused"].items())[:_TOLD]:
        console.print(f"  refused: {reason} {count:g}")
    console.print(_rankings(report))
    console.print("R@1%: recall when 1 % of harmless sessions alarm. false, found: what alarmed live.")
    intervals = report["session"]["intervals"]
    known = [f"{heading} {_range(intervals[key])}" for key, heading in _COLUMNS.items() if intervals.get(key)]
    if known:
        console.print("sessions, 95 % intervals: " + ", ".join(known))
    console.print(f"promised: {report['session']['promised_rate']:.2%} of sessions alarmed, "
                  f"spent {report['session']['alarm_rate'] or 0.0:.2%}")  # fmt: skip
    _decisions(console, report)
    if "event" in report:
        episodes, windows = report["event"]["episodes"], report["event"]["windows"]
        console.print(f"episodes of alarms: {episodes['n']:g}, {episodes['right']:g} right and "
                      f"{episodes['false']:g} false; windows hit: {windows['hit']:g} of {windows['n']:g}")  # fmt: skip


def _rankings(report: dict[str, Any]) -> Table:
    table = _empty("n", "bad", *_COLUMNS.values())
    rows = {"sessions": report["session"], **report["by_attack_kind"]}
    if "event" in report:
        rows["events"] = report["event"]
    for name, row in rows.items():
        figures = (_figure(row.get(column)) for column in _COLUMNS)
        table.add_row(name, f"{row['n']:g}", f"{row['positives']:g}", *figures)
    return table


def _decisions(console: Console, report: dict[str, Any]) -> None:
    """Print what harmless sessions cost as a share of the promise, and recall beside what ranking allows for that."""
    table = _empty("n", "bad", *_SPENT.values(), "found", "ranking")
    groups = sorted(report["by_peer_group"].items(), key=lambda one: -one[1]["n"])
    classes = [(f"class {name}", row) for name, row in report.get("by_class", {}).items()]
    for name, row in [("sessions", report["session"]), *classes, *groups[:_TOLD]]:
        spent = (_share_of(row["of_promise"].get(key)) for key in _SPENT)
        recall = (_figure(row.get(key)) for key in ("live_recall", "ranking_recall_at_same_rate"))
        table.add_row(name, f"{row['n']:g}", f"{row['positives']:g}", *spent, *recall)
    console.print(table)
    console.print(_LEGEND)
    promise = {heading: report["session"]["of_promise"].get(key) for key, heading in _SPENT.items()}
    told = [f"{heading} {_range(part['interval'])}" for heading, part in promise.items() if part]
    if told:
        console.print("95 % intervals of these, sessions: " + ", ".join(told))
    met = report["time_to_alert"]
    if met["n"]:
        events, after, share = met["events"], met["seconds"], met["named_attack_act"]
        named = "" if share is None else f"; it names an attack act in {share:.3f}"
        console.print(f"first alert after the first attack act: median {events['median']:g} events and "
                      f"{after['median']:.0f} s, 90 % within {events['p90']:g} and {after['p90']:.0f} s"
                      f"{named}")  # fmt: skip
    if "analyst" in report:
        one = report["analyst"]
        console.print(f"analyst: {one['confirm']:g} confirmed and {one['dismiss']:g} dismissed of {one['incidents']:g} "
                      f"incidents, {one['wrong']:g} wrongly; {one['delay']:g} closes late")  # fmt: skip


def _empty(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _share_of(part: dict[str, Any] | None) -> str:
    return "-" if part is None else f"{part['value']:.2f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _range(interval: list[float]) -> str:
    return f"{interval[0]:.3f}-{interval[1]:.3f}"
