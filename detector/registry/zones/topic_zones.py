"""Zones on Kafka: one record a tenant in every partition of `agent.registry`, and their log beside that of entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from detector.registry.topic_store import Outgoing, changes_on, send
from detector.registry.zones.changes import ZonesRecord
from detector.registry.zones.drafts import zones_record_of
from detector.registry.zones.stores import StandingZones
from detector.schema.topics import TopicNames
from detector.schema.zones import ZoneDeclaration, tenant_of_key, zones_key
from detector.views.reading import TopicReader


class TopicZones:
    """Reads and writes the zones of a deployment.

    In a partition a revision counts if it is higher than what stands there, as for the workers. What counts for the
    tenant is the highest revision anywhere; of several with one revision, that of the first partition.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Names of the deployment.
    """

    def __init__(self, kafka: Mapping[str, Any], names: TopicNames) -> None:
        self._kafka = dict(kafka)
        self._names = names

    @property
    def place(self) -> str:
        """The topic's name."""
        return self._names.registry

    def read(self) -> StandingZones:
        """Return what stands, and in which partitions it does not.

        Raises
        ------
        SetupError
            The topic cannot be read.
        """
        held: dict[int, dict[str, ZoneDeclaration]] = {}
        refused = 0
        with TopicReader(self._kafka, self._names.registry) as reader:
            held = {one.partition: {} for one in reader.partitions()}
            for record in reader.to_the_end():
                if (tenant := tenant_of_key(record.key)) is None:
                    continue
                zones = held.setdefault(record.partition, {})
                if not record.value:
                    zones.pop(tenant, None)
                    continue
                try:
                    one = ZoneDeclaration.model_validate_json(record.value)
                except ValidationError:
                    refused += 1
                    continue
                if one.tenant != tenant:
                    refused += 1
                elif tenant not in zones or one.revision > zones[tenant].revision:
                    zones[tenant] = one
        return _standing(held, refused)

    def log(self) -> list[ZonesRecord]:
        """Return the changes of zones on the log; what is none is left out, and shows as a gap.

        Raises
        ------
        SetupError
            The topic is not there: changes without a log are not made.
        """
        return changes_on(self._kafka, self._names.registry_log, ZonesRecord)

    def write(self, declared: Sequence[ZoneDeclaration], records: Sequence[ZonesRecord]) -> None:
        """Write the log and wait for it, then the zones into every partition.

        Raises
        ------
        DeliveryError
            Kafka did not take one of them; it says how far it came. Applying again writes what a partition lacks.
        """
        logged = [Outgoing(zones_key(one.tenant), one.model_dump_json(by_alias=True).encode()) for one in records]
        send(self._kafka, self._names.registry_log, logged)
        with TopicReader(self._kafka, self._names.registry) as reader:
            partitions = [one.partition for one in reader.partitions()]
        written = [
            Outgoing(zones_key(one.tenant), zones_record_of(one), partition)
            for one in declared
            for partition in partitions
        ]
        send(self._kafka, self._names.registry, written)


def _standing(held: Mapping[int, Mapping[str, ZoneDeclaration]], refused: int) -> StandingZones:
    declared: dict[str, ZoneDeclaration] = {}
    for _, zones in sorted(held.items()):
        for tenant, one in zones.items():
            if tenant not in declared or one.revision > declared[tenant].revision:
                declared[tenant] = one
    behind = {
        tenant: places
        for tenant, one in declared.items()
        if (places := [partition for partition, zones in sorted(held.items()) if zones.get(tenant) != one])
    }
    return StandingZones(declared, refused, behind)
