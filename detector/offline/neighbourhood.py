"""Who called whom around a finding: its agents in order, and those that called them or were called by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
from pydantic import ValidationError

from detector.errors import SetupError
from detector.response.graph import KEPT_S
from detector.response.joint_findings import LATERAL
from detector.schema.alert import Alert, Evidence
from detector.schema.reading import read
from detector.schema.tiding import Tiding, decode_tiding

MOST_MEMBERS: Final = 12
"""Agents of a finding that are drawn."""
MOST_BESIDE: Final = 24
"""Agents beside them: those with findings first, then those of new calls; the rest is counted."""
FLEET: Final = "*"

Place = tuple[str, int, int, int]
"""Topic, partition, offset and line of an act."""


class Neighbour(NamedTuple):
    """An agent in the picture: whether the finding is about it, whether it has others, and is critical."""

    agent_id: str
    is_member: bool
    findings: int
    is_critical: bool


class DrawnCall(NamedTuple):
    """A call in the picture; `step` is its number in the finding's path, 0 if it is not of it."""

    source: str
    sink: str
    at: float
    is_new: bool
    step: int


class Neighbourhood(NamedTuple):
    """What is drawn: the finding, agents (its own first, in order), calls in order, how many agents are left out."""

    alert: Alert
    agents: tuple[Neighbour, ...]
    calls: tuple[DrawnCall, ...]
    left_out: int


def heard_in(lines: Iterable[bytes]) -> Iterator[Alert | Tiding]:
    """Yield the alerts and tidings of recorded lines; what is neither is passed over.

    Lines are those of ``detector replay --heard``, or values of the tenants' topic.
    """
    for line in lines:
        try:
            yield decode_tiding(line)
        except (ValueError, RecursionError):
            try:
                yield read(Alert, line)[0]
            except (ValidationError, ValueError, msgspec.DecodeError):
                continue


def neighbourhood(heard: Iterable[Alert | Tiding], finding: str) -> Neighbourhood:
    """Return what is around a finding.

    Parameters
    ----------
    heard : iterable of Alert or Tiding
        Of any tenants, in any order.
    finding : str
        Its uid; the beginning will do.

    Raises
    ------
    SetupError
        No finding begins so, or several do.
    """
    alerts: dict[str, Alert] = {}
    tidings: list[Tiding] = []
    for one in heard:
        if isinstance(one, Tiding):
            tidings.append(one)
        elif one.finding_uid not in alerts or alerts[one.finding_uid].counter <= one.counter:
            alerts[one.finding_uid] = one
    alert = _chosen(alerts, finding)
    mine = [one for one in tidings if one.tenant == alert.tenant]
    beside = [one for one in alerts.values() if one.tenant == alert.tenant and one.agent_id != FLEET]
    members = _members(alert, mine, beside)
    return _around(alert, members, mine, beside)


def _chosen(alerts: dict[str, Alert], finding: str) -> Alert:
    found = sorted(uid for uid in alerts if finding and uid.startswith(finding.lower()))
    if len(found) != 1:
        got = f"{len(found)} that begin with {finding!r}" if found else f"none that begins with {finding!r}"
        raise SetupError(f"finding of a picture must be one of those heard, got {got}: see `detector alerts`")
    return alerts[found[0]]


def _members(alert: Alert, tidings: list[Tiding], beside: list[Alert]) -> list[str]:
    """Return the agents of a finding in the order of its acts."""
    calls = {_told_by(one): one for one in tidings if one.kind == "edge"}
    users = {_place(one): one.agent_id for one in tidings if one.kind == "credential"}
    owners = {_place(act): one.agent_id for one in beside for act in one.evidence}
    found: dict[str, None] = {}
    for act in alert.evidence:
        call = calls.get(_step(act)) if alert.detection == LATERAL else None
        if call is not None:
            found |= {call.source: None, call.sink: None}
        elif (place := _place(act)) in owners and alert.agent_id == FLEET:
            found[owners[place]] = None
        elif place in users and alert.detection != LATERAL:
            found[users[place]] = None
    if alert.agent_id != FLEET and not (found and alert.detection == LATERAL):
        found[alert.agent_id] = None
    return list(found)[:MOST_MEMBERS]


def _place(one: Evidence | Tiding) -> Place:
    """Return where an act stands: its event id is what its writer likes, another's too."""
    return one.topic, one.partition, one.offset, one.line


def _step(act: Evidence) -> tuple[Place, bool]:
    """Return the place of a call, and whether the caller told it: one event may tell of two."""
    return _place(act), "peer_agent_id" in act.about


def _told_by(call: Tiding) -> tuple[Place, bool]:
    """Return the same of a tiding."""
    return _place(call), call.is_caller


def _around(alert: Alert, members: list[str], tidings: list[Tiding], beside: list[Alert]) -> Neighbourhood:
    calls = _calls(alert, tidings)
    near = [one for one in calls.values() if one.source in members or one.sink in members]
    findings = Counter(one.agent_id for one in beside)
    critical = {one.agent_id for one in tidings if one.is_critical}
    critical.update(members[-1:] if alert.detection == LATERAL else ())  # also where only the profile calls it so
    new = {agent for one in near if one.is_new for agent in (one.source, one.sink)}
    others = {agent for one in near for agent in (one.source, one.sink)} - set(members)
    ranked = sorted(others, key=lambda one: (-min(findings[one], 1), one not in new, one))
    drawn = [*members, *ranked[:MOST_BESIDE]]
    agents = tuple(Neighbour(one, one in members, findings[one], one in critical) for one in drawn)
    kept = tuple(one for one in near if one.source in drawn and one.sink in drawn)
    return Neighbourhood(alert, agents, kept, len(ranked) - len(ranked[:MOST_BESIDE]))


def _calls(alert: Alert, tidings: list[Tiding]) -> dict[tuple[str, str], DrawnCall]:
    """Return the calls up to a finding's end, each as it was told first, in order of time."""
    steps = {_step(act): number + 1 for number, act in enumerate(alert.evidence)} if alert.detection == LATERAL else {}
    calls: dict[tuple[str, str], DrawnCall] = {}
    for one in sorted(tidings, key=lambda each: (each.at, each.event_id, each.source, each.sink)):
        key = (one.source, one.sink)
        if one.kind != "edge" or not alert.first_seen - KEPT_S <= one.at <= alert.last_seen:
            continue
        step = steps.get(_told_by(one), 0)
        if key not in calls or step:
            calls[key] = DrawnCall(*key, one.at, one.is_new or step > 0, step)
    return calls
