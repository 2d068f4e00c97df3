"""What the doctor finds: remarks in chapters, printed or as JSON, and the exit status that follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from confluent_kafka.admin import AdminClient

from detector.clock import Clock
from detector.schema.topics import TopicNames
from detector.worker.rights import ADMIN, Right, grants, principal_of
from detector.worker.settings import WorkerSettings

ASK_S = 15.0
ALL_GOOD, SOMETHING_WRONG, UNREACHABLE = 0, 1, 2
"""Exit statuses."""

Status = Literal["good", "wrong", "note"]


class Remark(NamedTuple):
    """One thing that was looked at.

    Attributes
    ----------
    chapter : str
        broker, settings, topics, rights, clock or state.
    what : str
        The setting, topic, right or partition.
    status : str
        ``good``; ``wrong``: it must be mended; ``note``: to be known, or not to be found out with the rights at hand.
    says : str
        What was found.
    do : str
        What to do, a command where there is one; empty if nothing.
    """

    chapter: str
    what: str
    status: Status
    says: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """The deployment that is looked at, and what every chapter needs of it.

    Attributes
    ----------
    settings : WorkerSettings
        Those a worker would start with.
    admin : AdminClient
        Connected as the worker.
    partitions : dict
        Topic to its number of partitions, of those that can be seen.
    missing : frozenset of Right
        Rights that a worker needs and this user does not have.
    clock : Clock
        This machine's.
    """

    settings: WorkerSettings
    admin: AdminClient
    partitions: dict[str, int]
    missing: frozenset[Right]
    clock: Clock

    @property
    def names(self) -> TopicNames:
        """Names of the deployment."""
        return self.settings.topics

    def may(self, *rights: Right) -> bool:
        """Tell whether none of some rights is missing."""
        return not self.missing & set(rights)

    def grant(self, *rights: Right) -> str:
        """Return the commands that give the worker rights."""
        config = None if self.settings.security_protocol == "PLAINTEXT" else ADMIN
        return "\n".join(grants(self.settings.bootstrap, principal_of(self.settings), rights, config))

    def configure(self, topic: str, setting: str) -> str:
        """Return the command that changes a setting of a topic."""
        return (
            f"kafka-configs.sh --bootstrap-server {self.settings.bootstrap} --alter --entity-type topics "
            f"--entity-name {topic} --add-config {setting}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found.

    Attributes
    ----------
    settings : dict
        Each setting as text, secrets masked.
    findings : tuple of Remark
        In the order of the chapters.
    is_reached : bool
        False: no broker answered, so only the settings could be looked at.
    """

    settings: dict[str, str]
    findings: tuple[Remark, ...]
    is_reached: bool = True

    @property
    def status(self) -> int:
        """Exit status: 0 all good, 1 something is wrong, 2 no broker answered."""
        if not self.is_reached:
            return UNREACHABLE
        return SOMETHING_WRONG if any(one.status == "wrong" for one in self.findings) else ALL_GOOD

    def body(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "status": self.status,
            "settings": self.settings,
            "findings": [one._asdict() for one in self.findings],
        }

    def lines(self) -> Iterator[str]:
        """Yield the report as it is printed."""
        yield "settings"
        width = max(map(len, self.settings))
        yield from (f"  {name:<{width}}  {value}" for name, value in self.settings.items())
        chapter = "settings"
        for one in self.findings:
            if one.chapter != chapter:
                chapter = one.chapter
                yield f"\n{chapter}"
            yield f"  {'WRONG' if one.status == 'wrong' else one.status:<5}  {one.what}: {one.says}"
            yield from (f"         do: {line}" for line in one.do.splitlines())
        counts = {status: sum(one.status == status for one in self.findings) for status in ("wrong", "note", "good")}
        yield f"\n{counts['wrong']} wrong, {counts['note']} to know, {counts['good']} good"
