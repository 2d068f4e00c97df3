"""Cases that a SIEM closed, written to `agent.feedback` beside the events of the agents they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from detector.desk.reading import FeedbackReader, to_the_end
from detector.desk.writing import Addressed, write_all
from detector.schema.closing import IncidentFinding
from detector.schema.control import MAX_CONTROL_BYTES
from detector.schema.feedback import fault_of, feedback_adapter
from detector.schema.topics import TopicNames
from detector.sinks.ocsf_read import decode


class Closed(NamedTuple):
    """What came of one line.

    Parameters
    ----------
    number : int
        Of the line, from 1.
    agents : tuple of str
        Beside whose events it was written, once for each.
    missing : tuple of str
        Findings of which no alert is there.
    why_not : str
        Why nothing was written; empty if it was.
    """

    number: int
    agents: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    why_not: str = ""


class ClosingClient:
    """Gives a case to every partition that holds one of its findings: a SIEM does not know which those are.

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

    def write(self, lines: Iterable[bytes]) -> list[Closed]:
        """Return what came of each line, an Incident Finding; what is closed is written and acknowledged.

        Raises
        ------
        SetupError
            A topic is not there, or cannot be read.
        DeliveryError
            Kafka did not take all of it; written again it does no harm.
        """
        read = [(number, line, _read(line)) for number, line in enumerate(lines, start=1) if line.strip()]
        uids = {uid for _, _, act in read if isinstance(act, IncidentFinding) for uid in act.findings}
        owners = self._owners(uids) if uids else {}
        found: list[Closed] = []
        wanted: list[Addressed] = []
        for number, line, act in read:
            if isinstance(act, str):
                found.append(Closed(number, why_not=act))
                continue
            agents = tuple(dict.fromkeys(owners[uid] for uid in act.findings if uid in owners))
            missing = tuple(uid for uid in act.findings if uid not in owners)
            why_not = "" if agents else f"no alert on {self._names.alerts} has a finding that it names"
            found.append(Closed(number, agents, missing, why_not))
            wanted += [Addressed(line.strip(), agent) for agent in agents]
        if wanted:
            write_all(self._kafka, self._names.feedback, wanted, "a closed case")
        return found

    def _owners(self, uids: set[str]) -> dict[str, str]:
        """Return the agents of findings, as far as their alerts are still on the topic."""
        owners: dict[str, str] = {}
        with FeedbackReader(self._kafka) as (consumer, partitions_of):
            partitions_of(self._names.feedback)  # says what to do where the topic is not there
            for value in to_the_end(consumer, partitions_of(self._names.alerts), None):
                try:
                    alert = decode(value)
                except (ValueError, KeyError, TypeError):
                    continue  # not ours: whoever writes alerts has a rendering of his own
                if alert.finding_uid in uids:
                    owners[alert.finding_uid] = alert.agent_id
        return owners


def _read(line: bytes) -> IncidentFinding | str:
    """Return a case that is closed, or why a line is none."""
    if len(line) > MAX_CONTROL_BYTES:
        return f"a case must be at most {MAX_CONTROL_BYTES} bytes, got {len(line)}"
    try:
        act = feedback_adapter.validate_json(line)
    except ValidationError as error:
        return fault_of(error)
    if not isinstance(act, IncidentFinding):
        return "class_uid must be 2005, an OCSF Incident Finding, got feedback of ours: see detector verdict"
    return act if act.is_closed else "the case is not closed: status_id must be 4 (Resolved) or 5 (Closed)"
