"""The findings that several agents make together, as alerts: a lateral path, a shared credential, a cascade."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from detector.response.common_cause import FLEET
from detector.schema.alert import OF_SEVERAL, Alert, Contribution, Evidence, Severity, finding_uid
from detector.schema.shown import shown

if TYPE_CHECKING:
    from detector.response.cascade import Cascade, CascadeStep
    from detector.response.lateral import Path
    from detector.schema.tiding import Tiding

LATERAL, SHARED, CASCADE = OF_SEVERAL
MOST_EVIDENCE: Final = 8
"""Acts that an alert carries: of a longer chain the last ones; of a cascade those of the agents that it names."""
MOST_NAMED: Final = 8
"""Agents that a sentence names."""
MOST_LETTERS: Final = 64
"""Letters of a name that are shown: whoever acts chose it."""
_RISK: Final[dict[Severity, int]] = {"low": 25, "medium": 50, "high": 75, "critical": 100}


class Heading(NamedTuple):
    """What an alert says before its reasons."""

    detection: str
    severity: Severity
    title: str
    normal_if: str
    asi: tuple[str, ...]
    atlas: tuple[str, ...]


class JointPlace(NamedTuple):
    """Whose finding it is, at which event, and what tells it from others; the counter of its record."""

    tenant: str
    agent_id: str
    agent_type: str
    zone: str | None
    session_id: str | None
    event_id: str
    partition: int
    partition_agents: int
    established: bool
    counter: int = 1
    uid_of: str = ""

    @classmethod
    def of(cls, tiding: Tiding, uid_of: str = "", counter: int = 1) -> JointPlace:
        """Return the place of a finding about the agent of a tiding."""
        return cls(
            tiding.tenant, tiding.agent_id, tiding.agent_type, tiding.zone, tiding.session_id, tiding.event_id,
            tiding.partition, tiding.partition_agents, tiding.established, counter, uid_of,
        )  # fmt: skip


def named(agent_id: str) -> str:
    """Return an agent's name as it may stand in a sentence."""
    return shown(agent_id, MOST_LETTERS)


def _alert(
    place: JointPlace, heading: Heading, why: tuple[Contribution, ...], evidence: tuple[Evidence, ...], profile: str
) -> Alert:
    times = [one.ts for one in evidence]
    detection = heading.detection
    return Alert(
        finding_uid=finding_uid(
            place.tenant, place.agent_id, place.session_id, place.uid_of or place.event_id, detection, profile
        ),
        counter=place.counter,
        activity="create" if place.counter == 1 else "update",
        tenant=place.tenant, agent_id=place.agent_id, agent_type=place.agent_type, agent_version=None, zone=place.zone,
        session_id=place.session_id, profile=profile, detection=detection, title=heading.title, time=max(times),
        first_seen=min(times), last_seen=max(times), event_id=place.event_id, score=None, threshold=None,
        risk=_RISK[heading.severity], severity=heading.severity, events=len(evidence), events_over=len(evidence),
        contributions=why, normal_if=heading.normal_if, evidence=evidence, asi=heading.asi, atlas=heading.atlas,
        partition_agents=place.partition_agents, partition=place.partition, established=place.established,
        causes=(f"{detection}/{place.event_id}"[:256],),
    )  # fmt: skip


def _said(channel: str, observed: str, expected: str, n: int, value: float = 0.0) -> Contribution:
    return Contribution(channel=channel, value=value, bits=0.0, observed=observed, expected=expected, voice="rule", n=n)


def lateral(path: Path, profile: str) -> Alert:
    """Return the finding of a chain of new calls: about the agent that made the last one."""
    last = path[-1]
    pivot, end = last.key
    agents = [path[0].key[0], *(edge.key[1] for edge in path)]
    steps = " -> ".join(named(one) for one in agents)
    wards = sorted({one for edge in path if (one := edge.tiding.on_behalf_of)})
    for_whom = f", on behalf of {', '.join(named(one) for one in wards[:MOST_NAMED])}" if wards else ""
    times = [edge.first_at for edge in path]
    spread = max(times) - min(times)
    observed = f"{steps}: {len(path)} calls, each for the first time, within {spread:,.0f} s{for_whom}"
    place = JointPlace.of(last.tiding)._replace(agent_id=pivot, uid_of=f"{last.tiding.event_id}/{end}")
    if not last.tiding.is_caller:  # who was called told it: what its event says of itself is not the caller's
        place = place._replace(agent_type=FLEET, zone=None, session_id=None)
    heading = Heading(
        LATERAL, "high", f"New path to {named(end)}: {steps}",
        "normal if the agents on the way were given new work together, as by a deployment: declare their peers",
        ("ASI07", "ASI08"), ("AML.T0091",),
    )  # fmt: skip
    why = _said("response.lateral_path", observed, f"no first calls one behind the other to {named(end)}", len(path))
    evidence = tuple(edge.tiding.evidence(LATERAL) for edge in path[-MOST_EVIDENCE:])
    return _alert(place, heading, (why,), evidence, profile)


def credential_shared(users: dict[str, Tiding], counter: int, profile: str) -> Alert:
    """Return the finding of a credential that several agents use: about the one that came last."""
    # by the partition's time: whoever takes a credential cannot come before its owner by backdating
    told = sorted(users.values(), key=lambda one: (one.is_new, one.by, one.agent_id))
    first, last = told[0], told[-1]
    names = ", ".join(named(one.agent_id) for one in told[:MOST_NAMED])
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    heading = Heading(
        SHARED, "medium", f"{named(last.agent_id)} uses a credential of {named(first.agent_id)}",
        "normal if the credential is meant for several agents; better each has its own",
        ("ASI03",), ("AML.T0091",),
    )  # fmt: skip
    observed = f"one credential in use by {len(told)} agents: {names}{more}"
    why = _said("response.credential_shared", observed, f"only {named(first.agent_id)} uses it", len(told))
    # its digest, and nothing of one user: whoever is heard last, the finding is the same
    place = JointPlace.of(last, f"credential/{last.other}", counter)._replace(session_id=None)
    evidence = tuple(one.evidence(SHARED) for one in told[:MOST_EVIDENCE])
    alert = _alert(place, heading, (why,), evidence, profile)
    return alert.model_copy(
        update={"finding_uid": finding_uid(last.tenant, FLEET, None, f"credential/{last.other}", SHARED, profile)}
    )


def _first_named(steps: tuple[CascadeStep, ...]) -> list[CascadeStep]:
    """Return the steps that are named, in order: the first, then those of established agents before newcomers'."""
    ranked = sorted(range(len(steps)), key=lambda place: (place > 0, not steps[place].found.established, place))
    return [steps[place] for place in sorted(ranked[:MOST_NAMED])]


def cascade(found: Cascade, key: str, counter: int, alert: Alert) -> Alert:
    """Return the incident of findings that spread: nobody's and everybody's, its members in order.

    Parameters
    ----------
    found : Cascade
        The findings.
    key : str
        The finding by which the cascade is known, and its counter.
    counter : int
        Of the record.
    alert : Alert
        The latest of them: whose tenant, profile and partition the incident takes.
    """
    root = found.root
    steps = "; ".join(
        f"{named(step.found.agent_id)} ({step.found.detection})"
        + ("" if step.after is None else f" {step.found.at - step.after.at:,.0f} s after {named(step.after.agent_id)}")
        for step in _first_named(found.steps)
    )
    more = f"; and {len(found.steps) - MOST_NAMED} more" if len(found.steps) > MOST_NAMED else ""
    causes = Counter(step.found.detection for step in found.steps).most_common(3)
    heading = Heading(
        CASCADE, "high",
        f"Findings spread from {named(root.agent_id)} over {len(found.steps)} agents that call each other",
        "normal if the agents share a release, a model or a data source that changed: then they fail together",
        ("ASI08",), (),
    )  # fmt: skip
    why = (
        _said(
            "response.cascade", steps + more,
            f"by chance once in {1.0 / max(found.chance, 1e-12):,.0f} times, where {found.others} others had findings",
            len(found.steps),
        ),
        _said(
            "response.causes", ", ".join(f"{count} by {name}" for name, count in causes),
            "causes that have nothing in common", len(found.steps),
        ),
    )  # fmt: skip
    place = JointPlace(
        alert.tenant, FLEET, FLEET, None, None, root.uid, alert.partition, alert.partition_agents,
        established=True, counter=counter, uid_of=key,
    )  # fmt: skip
    named_ones = _first_named(tuple(step for step in found.steps if step.found.evidence is not None))
    evidence = tuple(step.found.evidence for step in named_ones if step.found.evidence is not None)
    whole = _alert(place, heading, why, evidence or alert.evidence[:1], alert.profile)
    times = [step.found.at for step in found.steps]
    update = {"time": max(times), "first_seen": min(times), "last_seen": max(times), "events": len(times)}
    return whole.model_copy(update={**update, "events_over": len(times)})
