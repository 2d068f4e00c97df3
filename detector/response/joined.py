"""The response stage with what only shows where a tenant is whole: the graph of its agents, and what is found in it."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from detector.response import joint_findings
from detector.response.breaker import KnownFleet
from detector.response.cascade import cascade_of
from detector.response.graph import DelegationGraph, SpreadingFinding
from detector.response.lateral import WINDOW_S, paths_by
from detector.response.stage import ResponseStage
from detector.schema.alert import Alert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detector.response import chain
    from detector.response.graph import ToldEdge
    from detector.response.ladder import Levels
    from detector.response.settings import ResponseSettings
    from detector.response.turn import StageDecision
    from detector.schema.command import Mode, PolicyState
    from detector.schema.feedback import Release
    from detector.schema.tiding import Tiding

DAY_S: Final = 86_400.0
MOST_A_DAY: Final = 20
"""Findings of one kind that are begun in a tenant's day; further ones are counted. Findings of newcomers only have as
many places of their own: invented agents take none from the honest fleet."""
MOST_TOLD: Final = 1_024
"""Findings of a tenant that are remembered as told."""
MOST_TENANTS: Final = 256
"""Tenants whose graph is kept: the one heard of longest ago is forgotten, at first of those of newcomers only."""
OF_STAGE: Final = "response."


class JointKind(NamedTuple):
    """What is found, and whether an established agent has part in it."""

    detection: str
    established: bool = True


class JointTenant:
    """What is remembered of one tenant's agents together."""

    def __init__(self) -> None:
        self.graph = DelegationGraph()
        self.fleet = KnownFleet()
        self._told: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._cascades: OrderedDict[str, str] = OrderedDict()
        self._begun: Counter[tuple[JointKind, int]] = Counter()
        self.counts: Counter[str] = Counter()

    def is_first(self, key: str, kind: JointKind, at: float) -> bool:
        """Tell whether a finding is to be told for the first time, and may be; if so, it now is."""
        if key in self._told or not self._may_begin(kind, at):
            return False
        self._tell(key, 1, 1)
        return True

    def counter_of(self, key: str, kind: JointKind, size: int, at: float) -> int | None:
        """Return the counter of the next record of a finding that grows: when it begins, and when it has doubled."""
        counter, before = self._told.get(key, (0, 0))
        if size < 2 * before or (not counter and not self._may_begin(kind, at)):
            return None
        self._tell(key, counter + 1, size)
        return counter + 1

    def known_as(self, key: str) -> None:
        """Take a finding for told without telling it: it was so in history that is trusted."""
        self._tell(key, 0, 1 << 30)

    def key_of(self, uids: Iterable[str]) -> str:
        """Return the finding by which a cascade is known: the first of its members, or the one it was told by."""
        members = list(uids)
        key = next((self._cascades[one] for one in members if one in self._cascades), members[0])
        for one in members:
            self._cascades[one] = key
            self._cascades.move_to_end(one)
        while len(self._cascades) > MOST_TOLD:
            self._cascades.popitem(last=False)
        return key

    def _may_begin(self, kind: JointKind, at: float) -> bool:
        day = int(at // DAY_S)
        if self._begun[kind, day] >= MOST_A_DAY:
            self.counts[f"joint_findings_over_{kind.detection.removeprefix(OF_STAGE)}"] += 1
            return False
        self._begun[kind, day] += 1
        for old in [one for one in self._begun if one[1] < day - 7]:
            del self._begun[old]
        return True

    def _tell(self, key: str, counter: int, size: int) -> None:
        self._told[key] = (counter, size)
        self._told.move_to_end(key)
        if len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)


class JoinedStage:
    """A response stage that hears tidings too; the same inputs in the same order give the same bytes.

    What it raises asks for no response: who invents calls of others gets nobody contained. Its memory of who called
    whom is made anew by hearing again what came before (:meth:`hear_again`).

    Parameters
    ----------
    settings, profile_id, levels, mode
        As of :class:`ResponseStage`.
    """

    def __init__(self, settings: ResponseSettings, profile_id: str, levels: Levels, mode: Mode | None = None) -> None:
        self._stage = ResponseStage(settings, profile_id, levels, mode)
        self._profile_id = profile_id
        self._finds = frozenset(settings.graph)
        self._critical = frozenset((*settings.protected, *settings.critical))
        self._tenants: OrderedDict[str, JointTenant] = OrderedDict()
        self._counts: Counter[str] = Counter()

    @property
    def states(self) -> dict[str, PolicyState]:
        """A copy of what stands, by subject."""
        return self._stage.states

    def restore(self, states: Iterable[PolicyState], entries: Iterable[chain.Link] = ()) -> None:
        """Take up what the topics remember; see :meth:`ResponseStage.restore`."""
        self._stage.restore(states, entries)

    def on_release(self, act: Release, now: float) -> StageDecision:
        """Return what is done about a human's release."""
        return self._stage.on_release(act, now)

    def on_alert(self, alert: Alert, receipt: float | None = None) -> StageDecision:
        """Return what is done about one record of a finding, and the cascade that it completes, if it does."""
        decision = self._stage.on_alert(alert, receipt)
        found = self._spread(alert)
        return decision if found is None else decision._replace(records=(*decision.records, found))

    def on_tiding(self, tiding: Tiding) -> list[Alert]:
        """Return the findings that a tiding completes."""
        tenant = self._of(tiding.tenant)
        tenant.fleet.hear(tiding.partition, tiding.partition_agents)
        before = tenant.graph.agent(tiding.agent_id)
        tenant.graph.know(tiding)
        found = []
        if tiding.is_critical and not (before is not None and before.is_critical):
            # it may have been called before it was heard of
            found = self._paths(tenant, list(tenant.graph.new_into(tiding.agent_id, _before(tiding))), tiding.at)
        if tiding.kind == "edge":
            return found + self._moved(tenant, tiding)
        return found + (self._shared(tenant, tiding) if tiding.kind == "credential" else [])

    def hear_again(self, heard: Alert | Tiding) -> None:
        """Take up what was heard before a restart: it was answered, and is not answered again."""
        if isinstance(heard, Alert):
            self._spread(heard)
        else:
            self.on_tiding(heard)

    def take_counts(self) -> Counter[str]:
        """Return what was forgotten, or not told, for want of room since somebody took it."""
        counts, self._counts = self._counts, Counter()
        for tenant in self._tenants.values():
            counts.update(tenant.counts)
            counts.update(tenant.graph.counts)
            tenant.counts.clear()
            tenant.graph.counts.clear()
        return counts

    def _of(self, name: str) -> JointTenant:
        tenant = self._tenants.pop(name, None) or JointTenant()
        self._tenants[name] = tenant
        if len(self._tenants) > MOST_TENANTS:
            others = list(self._tenants)[:-1]
            weak = (one for one in others if not self._tenants[one].graph.agents[True])
            del self._tenants[next(weak, others[0])]
            self._counts["graph_tenants_evicted"] += 1
        return tenant

    def _moved(self, tenant: JointTenant, tiding: Tiding) -> list[Alert]:
        edge = tenant.graph.connect(tiding)
        return self._paths(tenant, [edge], tiding.at) if tiding.is_new else []

    def _paths(self, tenant: JointTenant, edges: list[ToldEdge], at: float) -> list[Alert]:
        if "lateral_path" not in self._finds:
            return []

        def is_critical(agent_id: str) -> bool:
            known = tenant.graph.agent(agent_id)
            return agent_id in self._critical or (known is not None and known.is_critical)

        found = []
        for path in (path for edge in edges for path in paths_by(tenant.graph, edge, is_critical)):
            last = path[-1]
            key = f"{'/'.join(last.key)}/{last.tiding.event_id}"
            if tenant.is_first(key, JointKind(joint_findings.LATERAL), at):
                found.append(joint_findings.lateral(path, self._profile_id))
        return found

    def _shared(self, tenant: JointTenant, tiding: Tiding) -> list[Alert]:
        users = tenant.graph.use(tiding)
        if "credential_shared" not in self._finds or len(users) < 2:
            return []
        if not any(one.is_new for one in users.values()):
            tenant.known_as(f"credential/{tiding.other}")
            return []
        kind = JointKind(joint_findings.SHARED, any(one.established for one in users.values()))
        counter = tenant.counter_of(f"credential/{tiding.other}", kind, len(users), tiding.at)
        return [] if counter is None else [joint_findings.credential_shared(users, counter, self._profile_id)]

    def _spread(self, alert: Alert) -> Alert | None:
        """Return the incident of a cascade that a finding is part of, if there is something new to say of it."""
        is_ours = alert.detection.startswith(OF_STAGE)
        if "cascade" not in self._finds or alert.activity != "create" or alert.learning or is_ours:
            return None
        tenant = self._of(alert.tenant)
        tenant.fleet.hear(alert.partition, alert.partition_agents)
        one = SpreadingFinding(
            alert.finding_uid, alert.agent_id, alert.time, alert.detection,
            alert.evidence[0] if alert.evidence else None, alert.established,
        )  # fmt: skip
        if not tenant.graph.note(one):
            return None
        found = cascade_of(tenant.graph, one, tenant.fleet.size)
        if found is None:
            return None
        key = tenant.key_of(step.found.uid for step in found.steps)
        size = sum(step.found.established for step in found.steps)  # a crowd of newcomers is not what makes it grow
        counter = tenant.counter_of(key, JointKind(joint_findings.CASCADE), size, alert.time)
        return None if counter is None else joint_findings.cascade(found, key, counter, alert)


def _before(tiding: Tiding) -> tuple[float, float]:
    """Return the span in which the last call of a path to somebody may lie who is heard of now."""
    return tiding.at - WINDOW_S, math.inf
