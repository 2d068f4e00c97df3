"""The state of a deployment on one page: what Kafka tells anybody who may read, and what workers say of themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from detector.errors import SetupError
from detector.schema.topics import TopicNames
from detector.views import acknowledged, containment
from detector.views.deadletters import DeadLetters, gathered
from detector.views.findings import AlertFilter, FindingBook
from detector.views.lag import Members, PartitionLag, lag_lines, lags_of, members_of
from detector.views.reading import ASK_S, TopicReader
from detector.views.remedies import remedy_of
from detector.views.shown import count_of, moment, shown
from detector.views.watch import severities
from detector.views.workers import WorkerSays, ask, degraded_of, worker_body, worker_lines

DAY_S = 86_400.0
ALL_WELL, NOT_WELL = 0, 1
"""Exit statuses; 2 is the program's own for a broker that does not answer."""


@dataclass(slots=True)
class Chapter:
    """One part of the page: its lines, and the same as plain JSON values."""

    name: str
    lines: list[str]
    body: Any = None


@dataclass(slots=True)
class StatusPage:
    """All that was found, what is degraded, and what could not be read."""

    at: float
    chapters: list[Chapter] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Exit status: 0 all was read and nothing is degraded, 1 otherwise."""
        return NOT_WELL if self.degraded or self.unread else ALL_WELL

    def lines(self) -> Iterator[str]:
        """Yield the page; what is degraded stands at the end, beside the prompt."""
        for chapter in self.chapters:
            yield from chapter.lines
            yield ""
        for label, told in (("unread", self.unread), ("degraded", self.degraded)):
            yield from (f"{label:<9}  {one}" for one in told)
        if self.status == ALL_WELL:
            yield f"well       at {moment(self.at)}: all was read, nothing is degraded"

    def body(self) -> dict[str, Any]:
        """Return the page as plain JSON values."""
        parts = {chapter.name: chapter.body for chapter in self.chapters}
        return {"at": self.at, "status": self.status, **parts, "degraded": self.degraded, "unread": self.unread}


class StatusReader:
    """Looks at a deployment once.

    Parameters
    ----------
    kafka : mapping
        Settings of a confluent-kafka client.
    names : TopicNames
        Names of the deployment.
    now : float
        The present (epoch seconds).
    """

    def __init__(self, kafka: Mapping[str, Any], names: TopicNames, now: float) -> None:
        self._kafka, self._names, self._now = kafka, names, now
        self._page = StatusPage(now)

    def page(self, urls: Sequence[str]) -> StatusPage:
        """Return what is found; each part that cannot be read is said, and the others are read all the same.

        Raises
        ------
        SetupError
            No broker answers, or an address of `urls` is none.
        """
        workers = [ask(url) for url in urls]
        reach(self._kafka)
        looks: list[tuple[str, Callable[[], Chapter]]] = [
            ("events", self._events),
            ("contained", self._contained),
            ("acknowledged", self._acknowledged),
            ("held", self._held),
            ("alerts", self._alerts),
            ("deadletters", self._letters),
        ]
        for name, look in looks:
            try:
                self._page.chapters.append(look())
            except (SetupError, KafkaException) as error:
                why = error.args[0].str() if isinstance(error, KafkaException) else str(error)
                self._page.unread.append(f"{name}: {shown(why, 300)}")
                self._page.chapters.append(Chapter(name, [f"{name:<9}  not known, see below"]))
        self._workers(workers)
        return self._page

    def _events(self) -> Chapter:
        members = members_of(self._kafka, self._names)
        lags = lags_of(self._kafka, self._names, members)
        self._page.degraded.extend(_behind(lags, members))
        body = {"group": self._names.group, "partitions": [{**one._asdict(), "lag": one.lag} for one in lags]}
        return Chapter("events", lag_lines(self._names.group, lags, members), body | {"unknown": members.unknown})

    def _contained(self) -> Chapter:
        with TopicReader(self._kafka, self._names.policy) as reader:
            policy = containment.policy_of(reader.to_the_end(), self._now)
        body = [containment.contained_body(one) for one in policy.contained.values()]
        return Chapter("contained", list(containment.contained_lines(policy)), body)

    def _acknowledged(self) -> Chapter:
        with TopicReader(self._kafka, self._names.policy) as reader:
            watch = acknowledged.watched(reader.to_the_end())
        with TopicReader(self._kafka, self._names.acks) as reader:
            since = acknowledged.since_of(watch, self._now)
            found = acknowledged.standing_of(watch, reader.to_the_end(since), self._now)
        if late := [one.command for one in found if one.is_overdue]:
            told = f"nobody has acknowledged {count_of(len(late), 'command')} since {moment(late[0].due_at)}"
            self._page.degraded.append(told)
        return Chapter("acknowledged", list(acknowledged.ack_lines(found)), list(map(acknowledged.ack_body, found)))

    def _held(self) -> Chapter:
        with TopicReader(self._kafka, self._names.policy_log) as reader:
            held = containment.held_of(reader.to_the_end(self._now - DAY_S), self._now)
        if held:
            first = min(entry.time for entry in held)
            self._page.degraded.append(f"the breaker holds {count_of(len(held), 'agent')} since {moment(first)}")
        return Chapter("held", list(containment.held_lines(held)), list(map(containment.held_body, held)))

    def _alerts(self) -> Chapter:
        book = FindingBook(AlertFilter())
        with TopicReader(self._kafka, self._names.alerts) as reader:
            for record in reader.to_the_end(self._now - DAY_S):
                book.take(record)
        incidents = list(book.incidents())
        going = [one for one in incidents if any(seen.alert.activity in {"create", "update"} for seen in one)]
        judged = [one for one in incidents if any(seen.alert.verdict is not None for seen in one)]
        lines = [
            f"incidents  {len(incidents):,} in 24 h{': ' if incidents else ''}{severities(incidents)}",
            f"  open {len(going):,}, judged by a person {len(judged):,}; records of alerts {book.counts['records']:,}",
        ]
        if left := book.counts["left_out"]:
            lines.append(f"  {count_of(left, 'finding')} more, the oldest, are not in these numbers")
        if strange := book.counts["no_alert"]:
            lines.append(f"  {count_of(strange, 'record')} of the topic are no alerts of this product")
        body = {
            "incidents": len(incidents),
            "open": len(going),
            "judged": len(judged),
            "severities": dict(
                Counter(max((s.alert for s in one), key=lambda a: a.risk).severity for one in incidents)
            ),
            **book.counts,
        }
        return Chapter("alerts", lines, body)

    def _letters(self) -> Chapter:
        with TopicReader(self._kafka, self._names.deadletter) as reader:
            found = gathered(reader.to_the_end(self._now - DAY_S))
        return Chapter("deadletters", list(_letters_lines(found)), {"total": found.total, "reasons": found.reasons})

    def _workers(self, workers: Sequence[WorkerSays]) -> None:
        lines = list(worker_lines(workers))
        if not workers:
            lines = ["workers    not asked: agents, sessions, budget and threshold need --metrics URL of each worker"]
        self._page.chapters.append(Chapter("workers", lines, list(map(worker_body, workers))))
        for one in workers:
            if one.unknown:
                self._page.unread.append(f"worker {shown(one.url)}: {shown(one.unknown, 200)}")
            self._page.degraded.extend(degraded_of(one, self._now))


def reach(kafka: Mapping[str, Any]) -> None:
    """Return if a broker answers.

    Raises
    ------
    SetupError
        None does.
    """
    try:
        AdminClient(dict(kafka)).list_topics(timeout=ASK_S)
    except KafkaException as error:
        raise SetupError(f"Kafka must answer, got {error.args[0].str()}: see bootstrap and credentials") from error


def _behind(lags: Sequence[PartitionLag], members: Members) -> Iterator[str]:
    for one in lags:
        if one.gone:
            yield f"partition {one.partition}: {count_of(one.gone, 'event')} gone before they were scored"
        if one.owner is None and not members.unknown:
            yield f"partition {one.partition}: no worker holds it, {count_of(one.lag, 'event')} wait"


def _letters_lines(found: DeadLetters) -> Iterator[str]:
    scored = f"; of {found.scored:,} an event was scored all the same" if found.total else ""
    yield f"refused    {count_of(found.total, 'dead letter')} in 24 h{scored}"
    for reason, number in found.reasons.most_common():
        yield f"  {shown(reason):<22} {number:>8,}  {remedy_of(reason)}"
