"""What the stages need of others: pipelines of a profile, and a broker behind Faust; fakes have the same faces."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from faust.types import TP

from detector.response.chain import Link
from detector.schema.alert import Alert
from detector.schema.command import PolicyLogEntry, PolicyState
from detector.schema.feedback import Release
from detector.schema.tiding import Tiding

if TYPE_CHECKING:
    from detector.pipeline import Pipeline


class PipelineFactory(Protocol):
    """Makes pipelines of one profile."""

    @property
    def fingerprint(self) -> str:
        """Profile and seed; state of another fingerprint is not continued."""

    def new(self) -> Pipeline:
        """Return a pipeline that has seen nothing."""

    def restore(self, shards: Mapping[str, bytes]) -> Pipeline:
        """Return the pipeline whose snapshot these shards are; StateError if they cannot be it."""


class Bounds(NamedTuple):
    """First offset a partition still has, the offset its next record gets, and what the group committed (or None).

    `read_by_others`: up to where another worker may have read it by now; 0 where there is none.
    """

    begin: int
    end: int
    committed: int | None
    read_by_others: int = 0

    @property
    def reads_on(self) -> int:
        """Where the group reads on by itself."""
        return self.begin if self.committed is None else self.committed


class Engine(Protocol):
    """What the stage needs of Faust."""

    @property
    def generation(self) -> int:
        """Generation of the group."""

    @property
    def is_moving(self) -> bool:
        """True once a rebalance or the worker's end has begun."""

    async def send(
        self, topic: str, key: bytes | None, value: bytes, partition: int | None, headers: list[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        """Hand a record to the producer; what comes back is its acknowledgement."""

    async def commit_checked(self, offsets: Mapping[TP, int], within_s: float) -> None:
        """Commit and raise if the group does not accept it."""

    async def bounds(self, places: Sequence[TP]) -> Mapping[TP, Bounds]:
        """Return where partitions begin and end, and where the group stands."""

    async def seek(self, place: TP, offset: int) -> None:
        """Read a partition on from an offset, whatever was read of it."""

    def lag(self, tp: TP, next_offset: int) -> int | None:
        """Return how many records are still to be read, None if not known."""

    async def crash(self, reason: BaseException) -> None:
        """End the worker."""


class Decision(Protocol):
    """What the stage decided."""

    @property
    def records(self) -> Sequence[PolicyState | PolicyLogEntry | Alert]:
        """States, log entries and the breaker's incident, in the order in which they are to be published."""

    @property
    def evicted(self) -> int:
        """Held commands that wait no longer because too many do."""


class Stage(Protocol):
    """The pure response stage; see ``detector/response``."""

    def restore(self, states: Iterable[PolicyState], entries: Iterable[Link]) -> None:
        """Take up the policy and the log as they stand on Kafka."""

    def on_alert(self, alert: Alert, receipt: float | None = None) -> Decision:
        """Return what an alert leads to whose record was written at `receipt`."""

    def on_release(self, release: Release, now: float) -> Decision:
        """Return what a release leads to."""

    def on_tiding(self, tiding: Tiding) -> Sequence[Alert]:
        """Return the findings that a tiding completes."""

    def hear_again(self, heard: Alert | Tiding) -> None:
        """Take up what was answered before a restart."""

    def take_counts(self) -> Mapping[str, int]:
        """Return what was forgotten for want of room since somebody took it."""
