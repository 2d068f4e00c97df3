"""Records in, one verdict a record out: an event, or the reason there is none. Nothing is lost silently."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from detector.otlp.branches import MAX_NAME, Branches, RuleBranch, RulePlan
from detector.otlp.catalogue import Catalogue, compile_all, shipped_sources
from detector.otlp.events import content_of, make_event, time_s_of
from detector.otlp.facts import Home, Subject, home_of
from detector.otlp.item import Item
from detector.otlp.sequences import FollowedBy, Sequences
from detector.otlp.shapes import Shape
from detector.otlp.tables import Table
from detector.otlp.traces import Node, Traces
from detector.otlp.values import text, whole
from detector.otlp.who import find, service_of, whole_id
from detector.schema.event import NEVER_CAME, Event

MAX_IDS: Final = 65_536
"""Event ids remembered, the ones seen last, to drop repeats and keep ids unique."""
MAX_COUNTED: Final = 1_024
"""Triples of source, name and reason that are counted apart; senders invent names."""
OTHER: Final = "(others)"
ID_TAKEN: Final = "otlp.id_taken"
"""Attribute of an event whose id another event had: it then has an id of its own, and says so."""
MAPPED: Final = "mapped"
_DIGEST_BYTES: Final = 8
_NO_MARKS: Final[frozenset[str]] = frozenset()
_COUNTED: Final = attrgetter("source", "name", "reason")
_FAULTS: Final = {
    "not_gzip": "compressed bytes that do not unpack",
    "too_large": "more bytes than are read of one file",
    "empty": "no bytes",
    "not_json": "begins like JSON and is none",
    "not_otlp": "JSON, but no export request, span or log record",
    "wrong_type": "a list of records with something else in it",
    "unreadable": "neither a trace, nor a log, nor a metric export request",
}


class RecordVerdict(Struct, frozen=True, gc=False):
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
    content : bytes or None
        The event in JSON, where it was put into bytes already.
    """

    source: str
    name: str
    event: Event | None
    reason: str
    why: str
    content: bytes | None = None


class _Read(Struct, eq=False, gc=False):
    """A record, its shape and branch, and what was found out before its rule is chosen."""

    subject: Subject
    shape: Shape | None = None
    branch: RuleBranch | None = None


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
        self._branches = Branches()
        self._traces = Traces()
        self._ids: OrderedDict[str, int] = OrderedDict()
        self.sequences = Sequences()
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """(source, name, reason) -> records, since the beginning; at most 1,024 triples, the rest under (others)."""

    def map(self, items: Iterable[Item]) -> list[RecordVerdict]:
        """Return the verdict on each record of a batch, in order. Never raises for what a sender wrote."""
        homes: dict[int, Home] = {}  # by the resource's place in memory: the batch holds it there
        read = [self._note(item, homes) for item in items]
        verdicts = [self._judge(one) for one in read]
        for (source, name, reason), count in Counter(map(_COUNTED, verdicts)).items():
            key = (source[:MAX_NAME], name[:MAX_NAME], reason)
            if key not in self.counts and len(self.counts) >= MAX_COUNTED:
                key = (OTHER, OTHER, reason)
            self.counts[key] += count
        return verdicts

    def _note(self, item: Item, homes: dict[int, Home]) -> _Read:
        """Find the table for a record and remember what others need of it."""
        home = homes.get(id(item.resource))
        if home is None:
            home = homes[id(item.resource)] = home_of(item.resource)
        subject = Subject(item, home)
        is_log = item.signal == "log"
        name = text(_name(item), MAX_NAME) or "" if is_log else ""
        shape = None if item.fault or item.signal == "metric" else self._catalogue.shape(item, name, home)
        is_placed = item.signal == "span" and item.trace_id != "" and item.span_id != ""
        if shape is None:
            subject.name = name if is_log else text(item.name, MAX_NAME) or ""
            if is_placed:
                self._traces.note(item.trace_id, item.span_id, Node(parent=item.parent_id), _NO_MARKS)
            return _Read(subject)
        branch = self._branches.of(shape, subject)
        if shape.derived:
            subject.derived = {key: getter(subject) for key, getter in shape.derived}
        if shape.session is not None:
            subject.session = text(shape.session(subject))
        _name_agent(shape, branch, subject)
        if is_placed:
            node = Node(item.parent_id, subject.agent_id, subject.session)
            marks = _NO_MARKS
            if branch.marks:
                marks = frozenset([mark for mark, holds in branch.marks if holds is None or holds(subject)])
            self._traces.note(item.trace_id, item.span_id, node, marks)
        elif is_log and subject.session is not None:
            self._traces.tell(shape.source.name, subject.session)
            if shape.call is not None and (call := text(shape.call(subject))) is not None:
                self._traces.tell(subject.session, call)
        return _Read(subject, shape, branch)

    def _judge(self, read: _Read) -> RecordVerdict:
        """Return the verdict on one record, its batch noted."""
        subject, shape, branch = read.subject, read.shape, read.branch
        if shape is None or branch is None:
            return _not_known(subject)
        if subject.item.signal == "span":
            if branch.hears:
                self._hear(shape, subject)
        elif shape.seq is not None and subject.session is not None:
            number = whole(shape.seq(subject))
            if number is not None:
                self.sequences.see(_followed_by(shape, subject), number, lambda: time_s_of(subject))
        source = shape.source
        for holds, plan in branch.rules:
            if holds is None or holds(subject):
                if plan.drop is None:
                    return self._event(shape, plan, subject)
                return RecordVerdict(source.name, subject.name, None, plan.drop, plan.why or plan.title)
        why = f"{source.name} v{source.table.version} has no rule for it"
        return RecordVerdict(source.name, subject.name, None, "no_rule", why)

    def _hear(self, shape: Shape, subject: Subject) -> None:
        """Note on a span what the spans below it and log records told of it, of its session and its call."""
        subject.children = self._traces.children(subject.item.trace_id, subject.item.span_id)
        if subject.session is not None:
            subject.is_told = self._traces.is_told(shape.source.name, subject.session)
            if subject.is_told and shape.call is not None and (call := text(shape.call(subject))) is not None:
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
            if lost:
                event = replace(event, attributes={**event.attributes, NEVER_CAME: lost})
                return RecordVerdict(source.name, subject.name, event, MAPPED, plan.title)
        return RecordVerdict(source.name, subject.name, event, MAPPED, plan.title, content if known is None else None)


def _not_known(subject: Subject) -> RecordVerdict:
    """Return the verdict on a record that no table is for, or that is none."""
    item = subject.item
    if item.fault:
        return RecordVerdict(_unknown(subject), subject.name, None, item.fault, _FAULTS[item.fault])
    if item.signal == "metric":
        why = "metrics are not needed: every quantity also stands in a log record or span"
        return RecordVerdict(_unknown(subject), subject.name, None, "metric", why)
    why = "no table is for this service, scope or event: add one (docs/otlp.md)"
    return RecordVerdict(_unknown(subject), subject.name, None, "no_table", why)


def _name_agent(shape: Shape, branch: RuleBranch, subject: Subject) -> None:
    """Note the name a record gives its agent: none where it gives none, or a constant of its library."""
    name = branch.agent if branch.agent_of is None else text(branch.agent_of(subject))
    if name is None or name in shape.who.not_names:
        return
    subject.agent = name
    if not shape.who.are_instances:
        subject.agent_id = whole_id(subject)


def _followed_by(shape: Shape, subject: Subject) -> FollowedBy:
    """Return what the numbers of a record are followed by."""
    if subject.followed is None:
        if subject.who is None:
            subject.who = find(shape, subject, ())
        tenant = subject.home.tenant
        subject.followed = (shape.source.name, f"{tenant}/{subject.who.agent_id}", subject.session or "")
    return subject.followed


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
