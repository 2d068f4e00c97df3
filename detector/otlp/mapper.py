"""Records in, one verdict a record out: an event, or the reason there is none. Nothing is lost silently."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from detector.otlp.catalogue import Catalogue, compile_all, shipped_sources
from detector.otlp.events import content_of, make_event, time_s_of
from detector.otlp.facts import Subject
from detector.otlp.item import Item
from detector.otlp.plans import RulePlan, Shape
from detector.otlp.sequences import FollowedBy, Sequences
from detector.otlp.tables import Table
from detector.otlp.traces import Node, Traces
from detector.otlp.values import text, whole
from detector.otlp.who import find, node_of, own_name, service_of
from detector.schema.event import NEVER_CAME, Event

MAX_IDS: Final = 65_536
"""Event ids remembered, the ones seen last, to drop repeats and keep ids unique."""
MAX_COUNTED: Final = 1_024
"""Triples of source, name and reason that are counted apart; senders invent names."""
OTHER: Final = "(others)"
MAX_NAME: Final = 128
ID_TAKEN: Final = "otlp.id_taken"
"""Attribute of an event whose id another event had: it then has an id of its own, and says so."""
MAPPED: Final = "mapped"
_DIGEST_BYTES: Final = 8
_FAULTS: Final = {
    "not_gzip": "compressed bytes that do not unpack",
    "too_large": "more bytes than are read of one file",
    "empty": "no bytes",
    "not_json": "begins like JSON and is none",
    "not_otlp": "JSON, but no export request, span or log record",
    "wrong_type": "a list of records with something else in it",
    "unreadable": "neither a trace, nor a log, nor a metric export request",
}


class RecordVerdict(NamedTuple):
    """What became of one record.

    Parameters
    ----------
    source : str
        The table that knew it; else the service, the scope, or ``unknown``.
    name : str
        Its name, as its source calls it.
    event : Event or None
        What it became.
    reason : str
        ``mapped``, or a countable word why not.
    why : str
        The same for a reader.
    """

    source: str
    name: str
    event: Event | None
    reason: str
    why: str


class _Read(NamedTuple):
    """A record, its shape, and what was found out before its rule is chosen."""

    shape: Shape | None
    subject: Subject


class Mapper:
    """Maps batches of records; remembers of former ones what spans and repeats need, and no more.

    Two passes over a batch: what spans tell of each other is noted first, since parents arrive after their children.

    Parameters
    ----------
    tables : sequence of Table, optional
        The shipped ones if left out.
    """

    def __init__(self, tables: Sequence[Table] | None = None) -> None:
        self._catalogue = Catalogue(shipped_sources() if tables is None else compile_all(tables))
        self._traces = Traces()
        self._ids: OrderedDict[str, int] = OrderedDict()
        self.sequences = Sequences()
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """(source, name, reason) -> records, since the beginning; at most 1,024 triples, the rest under (others)."""

    def map(self, items: Iterable[Item]) -> list[RecordVerdict]:
        """Return the verdict on each record of a batch, in order. Never raises for what a sender wrote."""
        read = [self._note(item) for item in items]
        verdicts = [self._judge(one) for one in read]
        for verdict in verdicts:
            key = (verdict.source[:MAX_NAME], verdict.name[:MAX_NAME], verdict.reason)
            if key not in self.counts and len(self.counts) >= MAX_COUNTED:
                key = (OTHER, OTHER, verdict.reason)
            self.counts[key] += 1
        return verdicts

    def _note(self, item: Item) -> _Read:
        """Find the table for a record and remember what others need of it."""
        name = text(_name(item), MAX_NAME) or ""
        shape = None if item.fault or item.signal == "metric" else self._catalogue.shape(item, name)
        subject = Subject(item=item, name=name)
        is_placed = item.signal == "span" and item.trace_id != "" and item.span_id != ""
        if shape is None:
            if is_placed:
                self._traces.note(item.trace_id, item.span_id, Node(parent=item.parent_id), frozenset())
            return _Read(None, subject)
        subject.name = shape.source.stripped(name) if shape.name is None else shape.name
        if shape.derived:
            subject.derived = {key: getter(subject) for key, getter in shape.derived}
        if shape.session is not None:
            subject.session = text(shape.session(subject))
        subject.agent = own_name(shape, subject)
        if is_placed:
            marks = [mark for mark, holds in shape.marks if holds is None or holds(subject)]
            self._traces.note(item.trace_id, item.span_id, node_of(shape, subject), frozenset(marks))
        elif item.signal == "log" and subject.session is not None:
            self._traces.tell(shape.source.name, subject.session)
            if (call := _call(shape, subject)) is not None:
                self._traces.tell(subject.session, call)
        return _Read(shape, subject)

    def _judge(self, read: _Read) -> RecordVerdict:
        """Return the verdict on one record, its batch noted."""
        shape, subject = read
        item = subject.item
        if item.fault:
            return RecordVerdict(_unknown(subject), subject.name, None, item.fault, _FAULTS[item.fault])
        if item.signal == "metric":
            why = "metrics are not needed: every quantity also stands in a log record or span"
            return RecordVerdict(_unknown(subject), subject.name, None, "metric", why)
        if shape is None:
            why = "no table is for this service, scope or event: add one (docs/otlp.md)"
            return RecordVerdict(_unknown(subject), subject.name, None, "no_table", why)
        if item.signal == "span":
            self._hear(shape, subject)
        elif shape.seq is not None and subject.session is not None:
            number = whole(shape.seq(subject))
            if number is not None:
                self.sequences.see(_followed_by(shape, subject), number, lambda: time_s_of(subject))
        plan = next((one for one in shape.plans if one.holds is None or one.holds(subject)), None)
        source = shape.source
        if plan is None:
            why = f"{source.name} v{source.table.version} has no rule for it"
            return RecordVerdict(source.name, subject.name, None, "no_rule", why)
        if plan.drop is not None:
            return RecordVerdict(source.name, subject.name, None, plan.drop, plan.why or plan.title)
        return self._event(shape, plan, subject)

    def _hear(self, shape: Shape, subject: Subject) -> None:
        """Note on a span what the spans below it and log records told of it, of its session and its call."""
        subject.children = self._traces.children(subject.item.trace_id, subject.item.span_id)
        if subject.session is not None:
            subject.is_told = self._traces.is_told(shape.source.name, subject.session)
            if subject.is_told and (call := _call(shape, subject)) is not None:
                subject.is_call_told = self._traces.is_told(subject.session, call)

    def _event(self, shape: Shape, plan: RulePlan, subject: Subject) -> RecordVerdict:
        """Return the event a rule makes, with an id that no other event has."""
        source = shape.source
        event = make_event(shape, plan, subject, self._traces)
        if event is None:
            return RecordVerdict(source.name, subject.name, None, "no_time", "no time that UTC can hold stands in it")
        content = content_of(event)
        mark = hash(content)  # salted by the process: nobody can prepare two records that pass for one
        known = self._ids.get(event.event_id)
        if known == mark:
            why = f"event {event.event_id} came before with the same content"
            return RecordVerdict(source.name, subject.name, None, "repeat", why)
        if known is not None:
            event = _renamed(event, content)
            if event.event_id in self._ids:
                return RecordVerdict(source.name, subject.name, None, "repeat", f"event {event.event_id} came before")
        self._ids[event.event_id] = mark
        if len(self._ids) > MAX_IDS:
            self._ids.popitem(last=False)
        if event.seq is not None and subject.session is not None:
            lost = self.sequences.tell(_followed_by(shape, subject))
            event = replace(event, attributes={**event.attributes, NEVER_CAME: lost}) if lost else event
        return RecordVerdict(source.name, subject.name, event, MAPPED, plan.title)


def _followed_by(shape: Shape, subject: Subject) -> FollowedBy:
    """Return what the numbers of a record are followed by."""
    agent, tenant = find(shape, subject, ()).agent_id, text(subject.item.resource.get("tenant")) or ""
    return shape.source.name, f"{tenant}/{agent}", subject.session or ""


def _renamed(event: Event, content: bytes) -> Event:
    """Return an event under an id made of its own content, which says that the id was taken."""
    taken = {**event.attributes, ID_TAKEN: True}
    beginning = text(event.event_id, 1_000) or ""
    digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
    return replace(event, event_id=f"{beginning}~{digest}", attributes=taken)


def _name(item: Item) -> str:
    """Return a record's name: of a log record what it calls its event, with or without a prefix, else its body's word.

    The OTLP field ``event_name`` of some libraries is a line of their source: a name has no blank in it.
    """
    if item.signal != "log":
        return item.name
    name = item.attributes.get("event.name")
    for one in (name, item.name, item.body):
        if isinstance(one, str) and one and " " not in one and len(one) <= MAX_NAME:
            return one
    return ""


def _unknown(subject: Subject) -> str:
    return service_of(subject)[:MAX_NAME]


def _call(shape: Shape, subject: Subject) -> str | None:
    """Return the id by which log records and spans tell of the same call."""
    return None if shape.call is None else text(shape.call(subject))
