"""The platform team of the demo: it publishes the registry, and renews exceptions before they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from detector.errors import SetupError
from detector.registry.drafts import record_of
from detector.schema.registry import RegistryEntry
from detector.schema.topics import TopicNames
from detector.worker.writer import KafkaWriter

_COUNTED: Final = "detector_controls_total.registry."


class Registrar:
    """Publishes entries as `detector registry apply` would, and tells from the worker's figures when they are in force.

    Parameters
    ----------
    bootstrap : str
        Broker.
    names : TopicNames
        Topics of the demo.
    """

    def __init__(self, bootstrap: str, names: TopicNames) -> None:
        self._writer = KafkaWriter(bootstrap, names.registry, {"compression.type": "none", "log_level": 0})
        self.published = 0

    def publish(self, entries: Sequence[RegistryEntry]) -> None:
        """Write entries, each keyed by its agent: so it lies in the partition that has the agent's events."""
        for entry in entries:
            self._writer.send(entry.agent_id, record_of(entry))
        self._writer.flush()
        self.published += len(entries)

    def is_in_force(self, figures: Mapping[str, float]) -> bool:
        """Tell whether the worker has taken all that was published.

        Raises
        ------
        SetupError
            It refused an entry.
        """
        if refused := int(figures.get(f"{_COUNTED}refused", 0)):
            raise SetupError(f"entries of the demo's registry must be taken by the worker, got {refused} refused")
        return int(figures.get(f"{_COUNTED}applied", 0)) >= self.published
