"""What the ceilings fold: one incident with a count, an alert of the detector about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from detector.alerts.ceilings import HOUR_S, HourlyCeilings
from detector.alerts.evidence import MOST_EVIDENCE
from detector.alerts.findings import RISK_OF_SEVERITY, Policy, risk_of, worse
from detector.alerts.leads import Lead
from detector.schema.alert import Activity, Alert, Contribution, Evidence, Severity, finding_uid
from detector.schema.tenant import DEFAULT_TENANT

DETECTION: Final = "sensor.storm"
SENSOR: Final = "*"
"""Agent id of an incident that is nobody's."""
QUIET_HOURS: Final = 2
"""Hours after the last folded incident at whose beginning a storm is over."""
SHOWN: Final = 64
"""Letters of a name that are shown: whoever acts chose it."""
_UNSHOWN: Final[dict[str, Any]] = {"target": None, "sizes": {}, "about": {}, "arguments": (), "arguments_left": 0}


@dataclass(slots=True)
class Storm:
    """One storm: how many incidents were folded into it, and the strongest acts among them, one an agent.

    Parameters
    ----------
    profile, event_id : str
        The profile, and the event of the first incident that was folded: the storm's id is made of them.
    partition, since : int, float
        Where, and from which event time, epoch seconds.
    until : float
        Latest event time of a folded incident.
    hour : int
        Hour of the watermark in which something was folded last.
    counter, folded, newcomers, agents : int
        Records written; incidents folded, those of newcomers among them; agents the partition knew then.
    severity, strength : str, float
        The worst of what was folded.
    acts : list of (str, Evidence)
        The strongest, with whose they are; at most :data:`MOST_EVIDENCE`.
    """

    profile: str
    event_id: str
    partition: int
    since: float
    until: float
    hour: int
    counter: int = 0
    folded: int = 0
    newcomers: int = 0
    agents: int = 0
    severity: Severity = "high"
    strength: float = 0.0
    acts: list[tuple[str, Evidence]] = field(default_factory=list)

    def take(self, lead: Lead, hour: int) -> bool:
        """Take in what may not be opened; return whether there is something to say: for the 1st, 2nd, 4th, 8th ...

        A session that is folded at each of its acts counts once, by its first.
        """
        event = lead.spot.event
        self.until, self.hour = max(self.until, event.ts.timestamp()), hour
        self.agents = lead.known.agents
        self.severity, self.strength = worse(self.severity, lead.severity), max(self.strength, lead.strength)
        self._keep(lead)
        if lead.over > 1:
            return False
        self.folded += 1
        self.newcomers += not lead.known.is_established
        return self.folded.bit_count() == 1

    def _keep(self, lead: Lead) -> None:
        """Keep an act if it is among the strongest, of each agent one; of equals the earlier one stays."""
        agent = lead.spot.event.agent_id
        is_ours = lead.tenant == DEFAULT_TENANT
        who = agent if is_ours else f"{lead.tenant}/{agent}"
        own = next((k for k, (name, _) in enumerate(self.acts) if name == who), None)
        if own is None and len(self.acts) >= MOST_EVIDENCE:
            own = min(range(len(self.acts)), key=lambda k: (self.acts[k][1].strength, -k))
        if own is not None:
            if self.acts[own][1].strength >= lead.strength:
                return
            del self.acts[own]
        act = lead.evidence()
        # a partition has one storm, the operator's: what a tenant's tools were called with is shown to no other
        self.acts.append((who, act if is_ours else act.model_copy(update=_UNSHOWN)))

    def alert(self, activity: Activity, time: float, ceilings: HourlyCeilings) -> Alert:
        """Return the storm's present state as its next record; `time` is its event time."""
        self.counter += 1
        expected = (
            f"at most {ceilings.settings.agent} incidents an hour of an agent, {ceilings.settings.established} of all "
            f"established agents, {ceilings.settings.newcomers} of newcomers"
        )
        why = Contribution(
            channel=DETECTION, value=float(self.folded), bits=0.0, observed=self._words(), expected=expected,
            voice="rule", n=self.folded,
        )  # fmt: skip
        return Alert(
            finding_uid=finding_uid(DEFAULT_TENANT, SENSOR, None, self.event_id, DETECTION, self.profile),
            counter=self.counter, activity=activity, tenant=DEFAULT_TENANT, agent_id=SENSOR, agent_type=SENSOR,
            agent_version=None, zone=None, session_id=None, profile=self.profile, detection=DETECTION,
            title=f"{self.folded} more incidents than the ceilings allow", time=time,
            first_seen=self.since, last_seen=self.until, event_id=self.event_id, score=None, threshold=None,
            risk=max(RISK_OF_SEVERITY["high"], risk_of(self.strength)), severity=self.severity,
            events=self.folded, events_over=self.folded, contributions=(why,),
            normal_if="normal if so many sessions at once were a change of the fleet; else somebody wants one not seen",
            evidence=tuple(act for _, act in self.acts), asi=("ASI08",), atlas=(), partition_agents=self.agents,
            partition=self.partition, causes=(f"{DETECTION}/ceiling",),
        )  # fmt: skip

    def _words(self) -> str:
        """Return what was folded, and whose the strongest acts are."""
        strongest = sorted(self.acts, key=lambda act: -act[1].strength)
        named = ", ".join(f"{who[:SHOWN]} ({act.name[:SHOWN]}, strength {act.strength:.3f})" for who, act in strongest)
        return f"{self.folded} incidents were not opened, {self.newcomers} of newcomers; the strongest: {named}"

    def ends_at(self, hour: int) -> float | None:
        """Return when the storm was over, event time, None if it is not by the beginning of an hour.

        An hour before the storm's own is one of a watermark that fell back: the storm was of a time that never came.
        """
        if hour < self.hour:
            return self.until
        return (self.hour + QUIET_HOURS) * HOUR_S if hour >= self.hour + QUIET_HOURS else None

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        acts = [[who, act.model_dump(mode="json")] for who, act in self.acts]
        return {name: value for name, value in asdict(self).items() if name != "acts"} | {"acts": acts}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Storm:
        """Return the storm that gave the facts."""
        acts = [(str(who), Evidence.model_validate(act)) for who, act in facts["acts"]]
        return cls(**{**facts, "acts": acts})


def begun(lead: Lead, policy: Policy, hour: int) -> Storm:
    """Return a storm that begins with what a lead would have opened."""
    event = lead.spot.event
    time = event.ts.timestamp()
    return Storm(policy.profile, event.event_id, lead.spot.record.partition, time, time, hour)
