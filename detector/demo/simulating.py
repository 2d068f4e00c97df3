"""The command ``detector simulate``: a made-up fleet's events, with labelled attacks."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from detector.demo.produce import StandardOutput, Writer, as_it_happens, paced
from detector.errors import SetupError
from detector.registry.drafts import record_of
from detector.schema.topics import TopicNames
from detector.simulate.attacks import KINDS, STORIES, Kind
from detector.simulate.files import Labels, open_text
from detector.simulate.fleet import DAY_S, MONDAY, Fleet
from detector.simulate.registry import Terms, entries_of
from detector.simulate.render import Simulated
from detector.simulate.scenario import live_fleet, plan_attacks
from detector.worker.writer import KafkaWriter

app = typer.Typer()

FLEET = "Fleet"
ATTACKS = "Attacks"
OUT = "Where it goes"
EVENTS_TOPIC = TopicNames().events
_RUNS_ON_S = 7.0 * DAY_S
"""Seconds after the end of the stream at which exceptions end."""

Agents = Annotated[int, typer.Option(min=1, help="Agents in the fleet.", rich_help_panel=FLEET)]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.", rich_help_panel=FLEET)]
Days = Annotated[float, typer.Option(min=0.0, help="Days of traffic after the history.", rich_help_panel=FLEET)]
HistoryDays = Annotated[float, typer.Option(min=0.0, help="Days of harmless traffic first.", rich_help_panel=FLEET)]
PerDay = Annotated[float, typer.Option(min=0.001, help="Sessions of an agent in a day.", rich_help_panel=FLEET)]
OriginShare = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Share of agents that send arg_origin.", rich_help_panel=FLEET)
]
Attacked = Annotated[bool, typer.Option("--attacks", help="Inject attacks after the history.", rich_help_panel=ATTACKS)]
OfEach = Annotated[int, typer.Option(min=1, help="Attacks of each kind.", rich_help_panel=ATTACKS)]
Chosen = Annotated[
    str,
    typer.Option(
        help=f"Kinds, comma-separated; if left out {', '.join(KINDS)}. Only with --registry also {', '.join(STORIES)}.",
        rich_help_panel=ATTACKS,
    ),
]
Registered = Annotated[
    Path | None,
    typer.Option(
        "--registry",
        help="Write the entries of the agents, one a line; their events then name credentials' ages, instances and "
        "grants.",
        rich_help_panel=OUT,
        dir_okay=False,
    ),
]
EventLabels = Annotated[Path | None, typer.Option("--labels", help="Write event labels (CSV).", rich_help_panel=OUT)]
SessionLabels = Annotated[Path | None, typer.Option(help="Write session labels (CSV).", rich_help_panel=OUT)]
MetaFile = Annotated[Path | None, typer.Option("--meta", help="Write live_start and counts.", rich_help_panel=OUT)]
Most = Annotated[int | None, typer.Option("--events", min=1, help="Stop after so many.", rich_help_panel=OUT)]
Rate = Annotated[float | None, typer.Option(min=0.001, help="Events a second, at most.", rich_help_panel=OUT)]
Live = Annotated[
    bool,
    typer.Option(
        help="After the history, event times are the wall clock: the fleet works at --rate from now on.",
        rich_help_panel=OUT,
    ),
]
ToKafka = Annotated[
    str | None, typer.Option(help="Brokers, host:port; standard output if left out.", rich_help_panel=OUT)
]
Topic = Annotated[str, typer.Option(help="Topic of the events.", rich_help_panel=OUT)]
KafkaConfig = Annotated[
    list[str] | None,
    typer.Option(help="A setting of confluent-kafka, key=value; may be repeated.", rich_help_panel=OUT),
]


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for: attacks of each kind, days before and after, and whether it runs by the wall clock."""

    kinds: tuple[Kind, ...]
    of_each: int
    history_days: float
    days: float
    rate: float | None
    is_live: bool


@app.command("simulate")
def simulate(  # noqa: PLR0913 - one parameter per option of the command line
    agents: Agents = 200,
    seed: Seed = 0,
    days: Days = 1.0,
    history_days: HistoryDays = 0.0,
    sessions_per_day: PerDay = 4.0,
    origin_share: OriginShare = 0.5,
    attacks: Attacked = False,
    attacks_of_each: OfEach = 3,
    kinds: Chosen = "",
    rate: Rate = None,
    live: Live = False,
    events: Most = None,
    labels: EventLabels = None,
    session_labels: SessionLabels = None,
    meta: MetaFile = None,
    registry: Registered = None,
    to_kafka: ToKafka = None,
    topic: Topic = EVENTS_TOPIC,
    kafka_config: KafkaConfig = None,
) -> None:
    """Write a made-up fleet's events, one JSON object a line, in time order.

    Ten roles with their own tools, targets, working hours and versions; errors, retries, rare tools and new things
    in every session. With --attacks: hijack with exfiltration, credential misuse, lateral movement, runaway loop and
    slow drift. Labels go to files of their own, in the form `detector evaluate` reads.

    With --registry the fleet has an inventory, and works within it: a file for `detector replay --registry` and
    `detector registry import`. Four more kinds go wrong against it: a temporary grant that outlives its term, a stale
    credential, an unregistered clone of an agent, and a lateral path to a critical one.
    """
    fleet = Fleet(
        agents, seed, sessions_per_day=sessions_per_day, origin_share=origin_share, is_registered=registry is not None
    )
    chosen = _kinds(kinds, is_registered=registry is not None) if attacks else ()
    order = Order(chosen, attacks_of_each, history_days, days, rate, live)
    writer: Writer = (
        StandardOutput() if to_kafka is None else KafkaWriter(to_kafka, topic, _options(kafka_config or []))
    )
    made = _stream(fleet, order)
    stream, live_start = made.events, made.live_start
    if registry is not None:
        _write_registry(registry, made.fleet)
    with ExitStack() as files:
        told = Labels(live_start, None if labels is None else files.enter_context(open_text(labels)))
        is_labelled = any(path is not None for path in (labels, session_labels, meta))
        for event in islice(stream, events):
            writer.send(event.agent_id, event.value)
            if is_labelled:
                told.add(event)
    writer.flush()
    if session_labels is not None:
        told.write_sessions(session_labels)
    if meta is not None:
        told.write_meta(meta)


class Made(NamedTuple):
    """The events, paced as asked for; the event time at which attacks may begin; and the fleet over all of its time."""

    events: Iterator[Simulated]
    live_start: float
    fleet: Fleet


def _stream(fleet: Fleet, order: Order) -> Made:
    if order.is_live:
        return _live(fleet, order)
    live_start = MONDAY + order.history_days * DAY_S
    whole = replace(fleet, days=order.history_days + order.days)
    whole = replace(whole, injections=plan_attacks(whole, order.of_each, live_start, order.kinds))
    events: Iterable[Simulated] = whole.stream()
    return Made(iter(events if order.rate is None else paced(events, order.rate)), live_start, whole)


def _live(fleet: Fleet, order: Order) -> Made:
    """Return a history up to now at once, then a fleet that works by the wall clock."""
    if order.rate is None:
        message = "rate of a live simulation must be given, got none; add --rate, in events a second"
        raise SetupError(message)
    now = time.time()
    # numbered by the time of the start: a fleet that is started again does not repeat its ids
    first = int(now)
    past = replace(fleet, start=now - order.history_days * DAY_S, days=order.history_days, first_session=first)
    present = live_fleet(past, order.rate, now, order.days * DAY_S)
    present = replace(
        present,
        first_session=first + present.first_session,
        injections=plan_attacks(present, order.of_each, now, order.kinds),
    )
    whole = replace(past, days=order.history_days + order.days, injections=present.injections)
    return Made(as_it_happens(heapq.merge(past.stream(), present.stream())), now, whole)


def _write_registry(path: Path, fleet: Fleet) -> None:
    """Write what stands in the fleet's registry: exceptions that were renewed before, and run until after its end."""
    terms = Terms(fleet.start - DAY_S, fleet.end + _RUNS_ON_S, renewals=1)
    try:
        with path.open("w", encoding="ascii") as file:
            for entry in entries_of(fleet, terms, fleet.start, fleet.injections):
                file.write(record_of(entry).decode() + "\n")
    except OSError as error:
        message = f"registry of simulate must be a file that can be written, got {path}: {error.strerror}"
        raise SetupError(message) from error


def _kinds(asked: str, *, is_registered: bool) -> tuple[Kind, ...]:
    names = [name.strip() for name in asked.split(",") if name.strip()]
    known = (*KINDS, *STORIES)
    unknown = sorted(set(names) - set(known))
    if unknown:
        message = f"kinds of attack must be among {', '.join(known)}, got {', '.join(unknown)}"
        raise SetupError(message)
    if stories := [name for name in names if name in STORIES and not is_registered]:
        message = f"registry of simulate must be given for {', '.join(stories)}, got none; add --registry FILE"
        raise SetupError(message)
    return tuple(kind for kind in known if kind in names) or KINDS


def _options(pairs: list[str]) -> dict[str, str]:
    """Return settings given as key=value."""
    out: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            message = f"kafka-config of simulate must be key=value, got {pair!r}"
            raise SetupError(message)
        out[key.strip()] = value.strip()
    return out
