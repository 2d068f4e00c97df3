"""The names of a deployment's topics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Names of all topics of one deployment.

    Parameters
    ----------
    prefix : str
        Stands before every name that is not the group's own, for example ``"staging."``.
    group : str
        Consumer group; names the internal topics.
    """

    prefix: str = ""
    group: str = "detector"

    @property
    def events(self) -> str:
        """Agent events, keyed by agent."""
        return f"{self.prefix}agent.events"

    @property
    def otlp_spans(self) -> str:
        """Trace export requests of OpenTelemetry, any key."""
        return f"{self.prefix}otlp.spans"

    @property
    def otlp_logs(self) -> str:
        """Log export requests of OpenTelemetry, any key."""
        return f"{self.prefix}otlp.logs"

    @property
    def feedback(self) -> str:
        """Verdicts and release requests of analysts, keyed by agent."""
        return f"{self.prefix}agent.feedback"

    @property
    def registry(self) -> str:
        """Inventory: the whole entry of each agent, keyed by agent, compacted."""
        return f"{self.prefix}agent.registry"

    @property
    def registry_log(self) -> str:
        """Every change of the inventory, hash-chained by agent, keyed by agent."""
        return f"{self.prefix}agent.registry.log"

    @property
    def alerts(self) -> str:
        """OCSF findings, keyed by agent."""
        return f"{self.prefix}agent.alerts"

    @property
    def policy(self) -> str:
        """Whole desired state of each subject, compacted."""
        return f"{self.prefix}agent.policy"

    @property
    def policy_log(self) -> str:
        """Every decision with its cause, hash-chained."""
        return f"{self.prefix}agent.policy.log"

    @property
    def acks(self) -> str:
        """Acknowledgements of enforcement points."""
        return f"{self.prefix}agent.policy.acks"

    @property
    def deadletter(self) -> str:
        """Refused records with their reason."""
        return f"{self.prefix}agent.deadletter"

    @property
    def by_tenant(self) -> str:
        """Alerts and feedback, repartitioned by tenant; internal."""
        return f"{self.group}.by-tenant"

    @property
    def state(self) -> str:
        """Checkpoints, partition by partition those of the events; internal, compacted."""
        return f"{self.group}.state"
