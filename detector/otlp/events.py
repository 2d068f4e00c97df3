"""A record and the rule for it become a native event that the product's own decoder takes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Final

import msgspec

from detector.otlp.arguments import read_arguments, short_values, target_of
from detector.otlp.branches import RulePlan, worth
from detector.otlp.facts import Getter, Subject
from detector.otlp.shapes import Shape
from detector.otlp.traces import Traces
from detector.otlp.values import amount, text, time_at, time_of, whole
from detector.otlp.who import BY_NAME, Found, find, service_of
from detector.schema.amends import canonical
from detector.schema.event import BRIDGED, Credential, Event, Outcome

TAKEN_FROM: Final = "otlp.agent_from"
"""Attribute of every event made here, beside the table that made it: what its agent was taken from."""
_DIGEST_BYTES: Final = 8


def make_event(shape: Shape, plan: RulePlan, subject: Subject, traces: Traces) -> Event | None:
    """Return the event a rule makes of a record; None if the record has no time.

    What is longer than the schema allows is cut, with a digest of the whole; what is no number is left out.
    """
    ts = _time(plan.ts, subject)
    if ts is None or plan.kind is None:
        return None
    fields = _fields(plan, subject)
    who, session = _who_and_session(shape, subject, traces, fields.get("session_id"))
    arguments = None if plan.arguments is None else read_arguments(plan.arguments(subject))
    if "target" not in fields:
        fields["target"] = _target(plan, subject, arguments)
    trace = subject.item.trace_id and text(subject.item.trace_id)
    if trace:
        fields["trace_id"] = trace
    fields["session_id"] = session or trace or None
    if who.instance is not None:
        fields["instance_id"] = who.instance
    _name_others(fields, who, subject)
    if "name" not in fields:
        fields["name"] = text(subject.name) or plan.kind
    if "agent_type" not in fields:
        fields["agent_type"] = shape.who.product or service_of(subject)
    if plan.seq is not None:
        fields["seq"] = whole(plan.seq(subject))
    if plan.credential is not None and (credential := text(plan.credential(subject))) is not None:
        fields["credential"] = Credential(id=credential)
    attributes = {BRIDGED: shape.source.name, TAKEN_FROM: who.taken_from}
    return Event(
        event_id=_event_id(plan, subject),
        ts=ts,
        agent_id=who.agent_id,
        kind=plan.kind,
        outcome=_outcome(plan, subject) if plan.outcomes else "ok",
        attributes=_attributes(plan, subject, attributes, arguments, fields["target"]),
        **fields,
    )


def _who_and_session(shape: Shape, subject: Subject, traces: Traces, said: str | None) -> tuple[Found, str | None]:
    """Return who acted and in which conversation.

    Of a span, that of the outermost span above it that has one: a sub-agent's own is a part of it.
    """
    item, session = subject.item, subject.session
    if item.signal != "span":
        return subject.who or find(shape, subject, ()), said or session
    chain = traces.chain(item.trace_id, item.span_id)
    for node in chain:
        session = node.session or session
    return find(shape, subject, chain), session or said


def _target(plan: RulePlan, subject: Subject, arguments: dict[str, Any] | str | None) -> str | None:
    """Return where an act goes if no attribute says it: what its arguments tell, else what its table says."""
    found = None if arguments is None else text(target_of(arguments))
    return text(plan.place(subject)) if found is None and plan.place is not None else found


def _name_others(fields: dict[str, Any], who: Found, subject: Subject) -> None:
    """Give the other agents of an event their ids, and its model its bare name."""
    if "parent_agent_id" in fields:
        fields["parent_agent_id"] = _peer(fields["parent_agent_id"], who, subject) or who.parent
    elif who.parent is not None:
        fields["parent_agent_id"] = who.parent
    if "peer_agent_id" in fields:
        fields["peer_agent_id"] = _peer(fields["peer_agent_id"], who, subject)
    if "model" in fields:
        fields["model"] = _bare_model(fields["model"])


def _fields(plan: RulePlan, subject: Subject) -> dict[str, Any]:
    """Return the fields of an event that are texts and numbers as they stand in a record."""
    known = subject.home.fields.get(plan)
    if known is None:
        known = dict(plan.constants)
        known.update((field, word) for field, get in plan.of_resource if (word := text(get(subject))) is not None)
        subject.home.fields[plan] = known
    fields = known.copy()
    attributes = subject.item.attributes
    for field, name in plan.attributes:
        if (word := text(attributes[name])) is not None:
            fields[field] = word
    for field, get in plan.texts:
        if (word := text(get(subject))) is not None:
            fields[field] = word
    for field, get in plan.amounts:
        if (number := amount(get(subject))) is not None:
            fields[field] = number
    return fields


def _outcome(plan: RulePlan, subject: Subject) -> Outcome:
    for outcome, holds in plan.outcomes:
        if holds is None or holds(subject):
            return outcome
    return "ok"


def digest_of(*parts: object) -> str:
    """Return a digest of values, 16 hexadecimal characters, the same in every process."""
    raw = "\x1f".join(canonical(part) for part in parts).encode()
    return hashlib.blake2b(raw, digest_size=_DIGEST_BYTES).hexdigest()


def content_of(event: Event) -> bytes:
    """Return the bytes of an event, by which a repeat is told from another event of the same id."""
    return msgspec.json.encode(event)


def time_s_of(subject: Subject) -> float:
    """Return a record's own time in seconds since the epoch, by which its session goes on; 0 if it has none."""
    item = subject.item
    found = time_of(item.attributes.get("event.timestamp")) or time_at(item.time_ns) or time_at(item.observed_ns)
    return 0.0 if found is None else found.timestamp()


def _time(getter: Getter | None, subject: Subject) -> datetime | None:
    """Return a record's time: what its table says, else the record's own, else when it was observed."""
    found = None if getter is None else time_of(getter(subject))
    if found is None:
        item = subject.item
        found = time_at(item.time_ns) or time_at(item.observed_ns) or time_at(item.start_ns)
    return found


def _event_id(plan: RulePlan, subject: Subject) -> str:
    """Return the id: the first way of the table whose parts are all there, else the span, else a digest."""
    for way in plan.event_id:
        parts = [text(getter(subject)) for getter in way]
        if None not in parts:
            return text(":".join(map(str, parts))) or plan.kind or ""
    item = subject.item
    if item.signal == "span" and item.span_id and item.trace_id:
        return text(f"{item.trace_id}:{item.span_id}") or ""
    known = [service_of(subject), subject.name, item.body, item.attributes]
    times = [item.time_ns, item.start_ns, item.observed_ns]
    digest = digest_of(*known, times, item.trace_id, item.span_id, item.parent_id)
    return text(f"{subject.session or item.trace_id or service_of(subject)}:{digest}") or digest


def _bare_model(model: str | None) -> str | None:
    """Return a model without what stands in brackets behind it: the same model by another signal has none."""
    if model is None or not model.endswith("]"):
        return model
    return model[: model.rfind("[")] or model if "[" in model else model


def _peer(name: str | None, who: Found, subject: Subject) -> str | None:
    """Return the id of another agent that a record names: of this service, where agents are known by their names."""
    if name is None or "/" in name or who.taken_from not in BY_NAME:
        return name
    return text(f"{service_of(subject)}/{name}")


def _attributes(
    plan: RulePlan,
    subject: Subject,
    found: dict[str, Any],
    arguments: dict[str, Any] | str | None,
    target: str | None,
) -> dict[str, Any]:
    """Return what else is worth knowing: where it comes from, a call's short arguments, what the rule carries."""
    if arguments is not None:
        found.update(short_values(arguments, target))
    for name, known, get in plan.carry:
        value = known if get is None else worth(get(subject))
        if value is not None:
            found[name] = value
    return found
