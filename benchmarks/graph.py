"""What several agents make together, on the one recorded stream that is near it, and in a made-up fleet.

*darpa98*, the network traffic of 1998, stands in for agents that call each other: each host is an agent, each
connection a call (its destination is taken for `peer_agent_id`), history is trusted. No recorded stream holds one agent
compromising another, and this one holds no path in several steps either: its attackers come from outside to their
victim in one. The critical agents are the hosts that most others called in the history, labels choose nothing; then,
the worst case, all of them. Of each kind of attack: its live sessions, and those of which a finding was told by who
called whom, or by the rule of many calls at once, which is on here; what scores find stands in *Decisions*. Of harmless
sessions the same: what is told there is false. *A made-up fleet* at work: laid over it are chains of two to four new
calls to one of five critical agents, stolen credentials, and hijacked agents of which the first calls the second and
the second the third; what else is told is false. Such chains are as this benchmark believes them to be: their figures
say that the parts fit together, not how often attackers do so. *Cost*: what telling takes of the pipeline's CPU.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.graph_fleet import cost, fleet_table
from benchmarks.graph_replay import JOINT, profile_with, replayed
from benchmarks.quality import data_folder
from detector.offline.labels import read_meta, read_sessions
from detector.schema.alert import Alert
from detector.simulate.render import timestamp

BURST: Final = "rule.delegation_burst"
COLUMNS: Final = ("response.lateral_path", "response.cascade", BURST)
FAN_OUT: Final = ("ipsweep", "nmap", "portsweep", "satan", "smurf", "neptune")


class Stand(NamedTuple):
    """A stream as calls of agents: lines, session of each event, where its live part starts, who is called most."""

    lines: list[bytes]
    sessions: dict[str, str]
    live_start: float
    called: list[str]


def stand_in(folder: Path) -> Stand:
    """Return darpa98 with each connection as a call of the host it goes to."""
    live = read_meta(folder / "labels" / "darpa98-dev.meta.json").live_start or 0.0
    callers: defaultdict[str, set[str]] = defaultdict(set)
    agents: set[str] = set()
    lines: list[bytes] = []
    sessions: dict[str, str] = {}
    with gzip.open(folder / "events" / "darpa98-dev.jsonl.gz") as file:
        for line in file:
            event = json.loads(line)
            event["peer_agent_id"] = event["target"]
            sessions[event["event_id"]] = event["session_id"]
            lines.append(json.dumps(event).encode())
            if event["ts"] < timestamp(round(live * 1_000)):
                agents.add(event["agent_id"])
                callers[event["target"]].add(event["agent_id"])
    called = sorted((one for one in callers if one in agents), key=lambda one: (-len(callers[one]), one))
    return Stand(lines, sessions, live, called)


def told_in(alerts: Iterable[Alert], sessions: Mapping[str, str]) -> dict[str, set[str]]:
    """Return of each detection the sessions whose events its findings name."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for alert in alerts:
        if alert.activity in {"create", "update"}:
            # a cascade is its members' sessions, a path those of its calls, any other finding its own
            named = alert.evidence if alert.detection in JOINT else alert.evidence[:1]
            for name in {alert.detection, *(cause.partition("/")[0] for cause in alert.causes)}:
                found[name].update(sessions[one.event_id] for one in named if one.event_id in sessions)
    return found


def darpa_tables(folder: Path) -> str:
    """Return what is told of each kind of attack, and of harmless sessions, by how many hosts are called critical."""
    stand = stand_in(folder)
    labels = read_sessions(folder / "labels" / "darpa98-dev-sessions.csv.gz")
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for session, label in labels.items():
        if label.is_live:
            kinds[label.attack_type if label.is_attack else "harmless"].add(session)
    parts = []
    for most in (5, len(stand.called)):
        alerts, counts = replayed(stand.lines, profile_with(stand.called[:most]), stand.live_start)
        begun = Counter(one.detection for one in alerts if one.activity == "create")
        figures = ", ".join(f"{name} {begun[name]}" for name in JOINT)
        said = f"{counts['tidings']} tidings of {len(stand.lines)} events, {counts['tidings_dropped']} dropped"
        parts.append(
            f"{most} hosts critical. Findings: {figures}; {said}.\n\n{_by_kind(kinds, told_in(alerts, stand.sessions))}"
        )
    return "\n\n".join(parts)


def _by_kind(kinds: Mapping[str, set[str]], told: Mapping[str, set[str]]) -> str:
    head = "| sessions | fan-out | in all | " + " | ".join(f"`{one}`" for one in COLUMNS) + " | none of them |"
    rows = [head, "|---|---|---|" + "---|" * (len(COLUMNS) + 1)]
    for kind in sorted(kinds, key=lambda one: (one != "harmless", -len(kinds[one]), one)):
        mine = kinds[kind]
        any_of = set().union(*(told.get(one, set()) for one in COLUMNS))
        cells = " | ".join(str(len(mine & told.get(one, set()))) for one in COLUMNS)
        missed = len(mine - any_of)
        rows.append(f"| {kind} | {'yes' if kind in FAN_OUT else ''} | {len(mine)} | {cells} | {missed} |")
    return "\n".join(rows)


def section() -> str:
    """Return the chapter's tables."""
    folder = data_folder()
    stand = "Skipped: DETECTOR_DATA named no folder of recorded streams." if folder is None else darpa_tables(folder)
    return f"### darpa98\n\n{stand}\n\n### A made-up fleet\n\n{fleet_table()}\n\n{cost()}"


if __name__ == "__main__":
    print(section())
