"""One incident as a block of lines: who, what, against what, what is contained, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from detector.schema.alert import OF_SEVERAL, Alert
from detector.schema.command import subject_of
from detector.sinks.words import EARLY, VOICES, how_rare
from detector.views.containment import Contained, containment_line
from detector.views.findings import Sighting, rank
from detector.views.shown import MOST_TEXT, count_of, moment, quoted, shown

MOST_SESSIONS: Final = 4
"""Findings of an incident that are shown, the last told."""
MOST_AGENTS: Final = 8
"""Agents of an incident that are named."""
VERDICTS: Final = ("confirm", "dismiss", "safe")


def incident_lines(
    incident: Sequence[Sighting], contained: Mapping[str, Contained] | None, options: str = ""
) -> Iterator[str]:
    """Yield an incident as it is read at night.

    Parameters
    ----------
    incident : sequence of Sighting
        Its findings, the last told at the end; at least one.
    contained : mapping, optional
        What holds now, by subject; None if that could not be read.
    options : str
        Options that lines to paste need to reach the same deployment, with a blank in front.
    """
    first = max(incident, key=lambda one: (rank(one.alert.severity), one.alert.risk, one.record.at))
    alert = first.alert
    agents = list(dict.fromkeys((one.alert.tenant, one.alert.agent_id) for one in incident))
    yield headline(incident)
    yield f"  what       {shown(alert.title, MOST_TEXT)} ({shown(alert.detection)})"
    begin, end = min(one.alert.first_seen for one in incident), max(one.alert.last_seen for one in incident)
    yield f"  when       {moment(begin)} to {moment(end)}; told {moment(incident[-1].record.at)}"
    yield f"  agent      {_who(alert)}"
    if len(agents) > 1:
        others = [shown(agent) for tenant, agent in agents if (tenant, agent) != (alert.tenant, alert.agent_id)]
        more = f" and {len(others) - MOST_AGENTS} more" if len(others) > MOST_AGENTS else ""
        yield f"  also       {', '.join(others[:MOST_AGENTS])}{more}"
    yield from _how_sure(alert)
    yield from _why(alert)
    for one in incident[-MOST_SESSIONS:]:
        yield f"  finding    {_finding(one.alert)}"
    if len(incident) > MOST_SESSIONS:
        yield f"             and {count_of(len(incident) - MOST_SESSIONS, 'finding')} before"
    yield from _standing(agents, contained, options)
    yield from _verdict(incident, first, options)


def headline(incident: Sequence[Sighting]) -> str:
    """Return the first line of an incident: how bad, which, whether it goes on, how many sessions and agents."""
    worst = max(incident, key=lambda one: (rank(one.alert.severity), one.alert.risk)).alert
    sessions = max(len(incident), *(one.alert.incident_sessions for one in incident))
    known: dict[str, tuple[str, str]] = {}
    for told in (one.alert for one in incident):
        known[told.finding_uid] = (told.tenant, told.agent_id)
        known |= {one.finding_uid: (told.tenant, one.agent_id) for one in told.incident_earlier}
    agents = len(set(known.values()))
    least = "at least " if sessions > len(known) else ""
    state = "closed" if all(one.alert.activity in {"close", "verdict"} for one in incident) else "open"
    if any(one.alert.activity == "verdict" for one in incident):
        state = "judged"
    return (
        f"{worst.severity.upper():<8} risk {worst.risk:<3}  incident {shown(incident[0].incident)}  {state}, "
        f"{count_of(sessions, 'session')} of {least}{count_of(agents, 'agent')}"
    )


def _who(alert: Alert) -> str:
    parts = [f"type {shown(alert.agent_type)}", f"tenant {shown(alert.tenant)}"]
    parts += [f"version {shown(alert.agent_version)}"] if alert.agent_version else []
    parts += [f"zone {shown(alert.zone)}"] if alert.zone else []
    parts += [] if alert.established else ["a newcomer"]
    return f"{shown(alert.agent_id)} ({', '.join(parts)})"


def _how_sure(alert: Alert) -> Iterator[str]:
    if not alert.is_nobodys:
        yield f"  rarity     {how_rare(alert)}"
    if alert.learning:
        yield f"  sure       {EARLY}"


def _why(alert: Alert) -> Iterator[str]:
    for label, one in zip(("leading", "then"), alert.contributions[:2], strict=False):
        voice = VOICES[one.voice] + ("" if one.voice == "rule" else f", {count_of(one.n, 'observation')}")
        yield f"  {label:<9}  {shown(one.channel)}: {shown(one.observed, MOST_TEXT)}"
        yield f"             expected {shown(one.expected, MOST_TEXT)} ({voice})"
    if alert.normal_if:
        yield f"  normal     {shown(alert.normal_if, MOST_TEXT)}"


def _finding(alert: Alert) -> str:
    if alert.is_nobodys:
        return f"{alert.finding_uid}  {alert.activity}"
    score = "no score" if alert.score is None else f"score {alert.score:.2f}"
    threshold = "" if alert.threshold is None else f", threshold {alert.threshold:.2f}"
    basis = "" if alert.basis == "score" else f", by {alert.basis}"
    session = "no session" if alert.session_id is None else f"session {shown(alert.session_id)}"
    acts = f"{count_of(alert.events, 'event')}, {alert.events_over:,} past the threshold"
    return (
        f"{alert.finding_uid}  {alert.activity}, {shown(alert.agent_id)}, {session}, {acts}, {score}{threshold}{basis}"
    )


def _standing(
    agents: Sequence[tuple[str, str]], contained: Mapping[str, Contained] | None, options: str
) -> Iterator[str]:
    if contained is None:
        yield "  contained  not known: agent.policy could not be read"
        return
    found = [(tenant, agent, contained.get(subject_of(tenant, agent))) for tenant, agent in agents]
    held = [(tenant, agent, one) for tenant, agent, one in found if one is not None]
    if not held:
        yield "  contained  nobody"
    for tenant, agent, one in held[:MOST_AGENTS]:
        yield f"  contained  {shown(agent)}: {containment_line(one)}"
        yield f"  lift       {release_line(tenant, agent, options)}"
    if len(held) > MOST_AGENTS:
        yield f"             and {count_of(len(held) - MOST_AGENTS, 'agent')} more"


def _verdict(incident: Sequence[Sighting], first: Sighting, options: str) -> Iterator[str]:
    said = [one.alert for one in incident if one.alert.verdict is not None]
    if said:
        spoken = max(said, key=lambda alert: alert.verdict.at if alert.verdict else 0.0)
        note = spoken.verdict
        if note is not None:
            who = f"{shown(note.by)}, {moment(note.at)}"
            yield f"  verdict    {shown(note.verdict)} by {who}: {shown(note.reason, MOST_TEXT)}"
            yield f"  undo       {verdict_line(spoken.finding_uid, 'undo', options)}"
        return
    if first.alert.detection in OF_SEVERAL:
        uid = first.alert.finding_uid
        yield f"  draw       detector graph {uid} --out {uid[:8]}.svg{options}"
        return
    if first.alert.is_nobodys:
        yield "  say        nothing: it is about the fleet; look at the agents it names"
        return
    for verdict in VERDICTS:
        label = "say" if verdict == "confirm" else ""
        yield f"  {label:<9}  {verdict_line(first.alert.finding_uid, verdict, options)}"


def verdict_line(finding: str, verdict: str, options: str = "") -> str:
    """Return the command that says what a finding was; NAME and TEXT are to be filled in."""
    return f"detector verdict {finding} {verdict} --by NAME --reason TEXT{options}"


def release_line(tenant: str, agent: str, options: str = "") -> str:
    """Return the command that lifts an agent's quarantine, quoted for a shell; NAME and TEXT are to be filled in."""
    name, owner = quoted(agent), quoted(tenant)
    if name is None or owner is None:
        return "no command line can carry a name with a NUL: write the release to agent.feedback"
    tail = f"--by NAME --reason TEXT{'' if tenant == 'default' else f' --tenant={owner}'}{options}"
    return f"detector release {tail} -- {name}" if agent.startswith("-") else f"detector release {name} {tail}"


def record_body(one: Sighting) -> dict[str, Any]:
    """Return one record as plain JSON values: its place, when it was written, the alert as its schema says."""
    return {
        "partition": one.record.partition,
        "offset": one.record.offset,
        "written_at": one.record.at,
        "incident": one.incident,
        "alert": one.alert.model_dump(mode="json"),
    }
