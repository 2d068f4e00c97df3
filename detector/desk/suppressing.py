"""Suppressions written to `agent.feedback`: beside one agent's events, or to every partition."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from detector.clock import Clock, system_clock
from detector.desk.reading import FeedbackReader
from detector.desk.writing import Addressed, write_all
from detector.errors import SetupError
from detector.schema.feedback import fault_of, feedback_adapter, feedback_id
from detector.schema.suppression import Suppression, SuppressionEnd
from detector.schema.topics import TopicNames


class Written(NamedTuple):
    """The id of a suppression, and the partitions of `agent.feedback` that have it."""

    uid: str
    partitions: tuple[int, ...]


class SuppressionClient:
    """Writes suppressions and their ends.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Names of the deployment.
    clock : Clock
        The wall clock that dates the act.
    """

    def __init__(self, kafka: Mapping[str, Any], names: TopicNames, clock: Clock = system_clock) -> None:
        self._kafka = dict(kafka)
        self._names = names
        self._clock = clock

    def add(self, owner: str, reason: str, **scope: object) -> Written:
        """Return where a suppression stands; `scope` as in :class:`~detector.schema.suppression.Suppression`.

        Raises
        ------
        SetupError
            It names nothing, has no end where it must have one, or the topic is not there.
        DeliveryError
            Kafka did not take all of it.
        """
        at = self._clock()
        named = hashlib.sha256(repr(sorted(scope.items())).encode()).hexdigest()
        body = {"kind": "suppression", "owner": owner, "reason": reason, "at": at, **scope}
        act = _checked({**body, "id": feedback_id(f"suppression/{named}", owner, reason, at)})
        agent = act.agent_id if isinstance(act, Suppression) else None
        return self._write(act, agent)

    def end(self, uid: str, by: str, reason: str) -> Written:
        """Return where the end of a suppression stands: in every partition, those without it count it.

        Raises
        ------
        SetupError
            The id is none, the name or the reason is missing, or the topic is not there.
        DeliveryError
            Kafka did not take all of it.
        """
        body = {"kind": "suppression_end", "id": uid, "by": by, "reason": reason, "at": self._clock()}
        return self._write(_checked(body), None)

    def _write(self, act: Suppression | SuppressionEnd, agent: str | None) -> Written:
        value = act.model_dump_json(exclude_none=True).encode()
        with FeedbackReader(self._kafka) as (_, partitions_of):
            places = [one.partition for one in partitions_of(self._names.feedback)]
        records = [Addressed(value, partition=place) for place in places]
        if agent is not None:
            records = [Addressed(value, agent=agent)]
        written = write_all(self._kafka, self._names.feedback, records, act.kind.replace("_", " "))
        return Written(act.id, tuple(sorted(one.partition for one in written)))


def _checked(body: Mapping[str, Any]) -> Suppression | SuppressionEnd:
    """Return an act that a worker will read; SetupError if it will not."""
    try:
        act = feedback_adapter.validate_python(dict(body))
    except ValidationError as error:
        raise SetupError(f"suppression must fit its schema: {fault_of(error)}") from error
    if not isinstance(act, Suppression | SuppressionEnd):
        raise SetupError("suppression must fit its schema, got another act")
    return act
