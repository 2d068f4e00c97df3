"""How often each rule speaks where nothing is wrong, and what all of them cost an event.

*Rates*: every rule over each recorded stream, on or off, agent by agent, by the time its events tell, with the origins
of arguments where they were recorded; repeats folded as the pipeline folds them. Of the sessions labelled harmless:
those with the fields the rule reads, and of these the ones in which it was told; attacks beside them, though these
streams were not made for rules. *Recordings*: the records of real programs, mapped; all harmless. *Cost*:
CPU of all rules over decoded events against that of msgspec decoding the same bytes, median of interleaved rounds; the
rules that are on, all of them, all over events that have every field, and each alone. What rules share, the places
where their fields are, is looked up once for all, and so is in each one's own figure again. The marks of events, by
which these are found, are made as intake fills the columns, and are in the cost of the core.
"""

from __future__ import annotations

import gzip
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import numpy as np

from benchmarks.decode import made_up
from benchmarks.quality import STREAMS, data_folder
from detector.intake.columns import allocate_columns, ignored_names, keyed_by
from detector.intake.fill import Reading, fill_columns
from detector.intake.pieces import pieces_of
from detector.offline.labels import read_sessions, truth_of
from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from detector.rules import RULES, SHIPPED, Acts, Rule, RuleMemory, find
from detector.rules.escape import escape
from detector.rules.telemetry import session_cut
from detector.rules.tools import new_mcp_server, server_of
from detector.rules.words import PIECES
from detector.schema.event import Event
from detector.schema.past import SESSION_END

BATCH: Final = 512
_READING: Final = Reading(ignored_names(()), keyed_by(None), pieces_of(PIECES))
_COLUMNS: Final = allocate_columns(BATCH)
_MARKS: Final = np.zeros(BATCH, np.uint64)
T = TypeVar("T")
ROUNDS: Final = 9


class Spoken(NamedTuple):
    """Of one rule and stream: harmless sessions with its fields, harmless ones and attacks it was told in."""

    fields: int
    harmless: int
    attacks: int


class Replayed:
    """Rules over events without the pipeline: rows by agent, time by the events."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self.memory = RuleMemory()
        self._rows: dict[tuple[str | None, str], int] = {}
        self._now = 0.0

    def hits(self, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
        """Yield the rule and the session of each finding in a batch."""
        acts = self.acts(events)
        for entry, hit in find(self._rules, acts, self.memory):
            i = hit.event
            if hit.about is not None:
                yield entry.name, hit.about.session_id or ""
                continue
            owner, now = (int(acts.rows[i]), int(acts.names[i])), float(acts.clock[i])
            if entry.once == "session" or self.memory.is_news(entry.name, owner, hit.cause, now):
                yield entry.name, events[i].session_id or ""

    def acts(self, events: Sequence[Event]) -> Acts:
        """Return a batch as rules see it."""
        clock = np.maximum.accumulate([self._now, *(event.ts.timestamp() for event in events)])[1:]
        self._now = float(clock[-1])
        rows = np.array([self._rows.setdefault((one.tenant, one.agent_id), len(self._rows)) for one in events])
        fill_columns(events, _READING, _COLUMNS, _MARKS)
        nobody_says = np.full(len(events), np.nan)
        return Acts(events, clock, nobody_says, rows, rows, _MARKS, np.ones(len(events), bool), nowhere)


def nowhere(_: int) -> tuple[str, int, int, int]:
    """Return where an event of a file stands."""
    return "", 0, 0, 0


def pieces(values: Sequence[T]) -> list[Sequence[T]]:
    """Return values in batches."""
    return [values[at : at + BATCH] for at in range(0, len(values), BATCH)]


def has_fields(event: Event, rule: str, needs: Sequence[str]) -> bool:
    """Tell whether an event has the fields a rule reads; of ``a|b`` either."""
    if rule == new_mcp_server.__name__:
        return server_of(event) is not None
    if rule == escape.__name__:
        return False  # it reads what holds of an agent, and no stream has a command
    if rule == session_cut.__name__:
        return event.name == SESSION_END
    return all(any(_value(event, path) is not None for path in one.split("|")) for one in needs)


def _value(event: Event, path: str) -> Any:  # noqa: ANN401 - of any field
    first, _, rest = path.partition(".")
    held = getattr(event, first)
    if first == "attributes" and rest:
        return held.get(rest)
    if isinstance(held, dict):
        return held or None
    return getattr(held, rest, None) if rest else held


def spoken(events: Sequence[Event], is_attack: Callable[[str], bool]) -> dict[str, Spoken]:
    """Return of each rule in how many sessions it spoke."""
    replayed, told, held = Replayed(list(RULES.values())), defaultdict(set), defaultdict(set)
    for batch in pieces(events):
        for name, session in replayed.hits(batch):
            told[name].add(session)
        for event in batch:
            for name, rule in RULES.items():
                if has_fields(event, name, rule.entry.needs):
                    held[name].add(event.session_id or "")
    return {
        name: Spoken(
            sum(not is_attack(one) for one in held[name]),
            sum(not is_attack(one) for one in told[name]),
            sum(map(is_attack, told[name])),
        )
        for name in RULES
    }


def _streams(folder: Path) -> Iterator[tuple[str, dict[str, Spoken]]]:
    decoder = msgspec.json.Decoder(Event)
    for name in STREAMS:
        with gzip.open(folder / "events" / f"{name}-dev.jsonl.gz") as lines:
            events = [decoder.decode(line) for line in lines]
        origins = folder / "events" / f"{name}-dev-origin.jsonl.gz"
        if origins.exists():
            with gzip.open(origins) as lines:
                told = {one["event_id"]: one["arg_origin"] for one in map(json.loads, lines)}
            events = [msgspec.structs.replace(one, arg_origin=told.get(one.event_id, {})) for one in events]
        sessions = read_sessions(folder / "labels" / f"{name}-dev-sessions.csv.gz")
        yield name, spoken(events, truth_of(sessions))


def _raw(folder: Path, stream: str) -> list[bytes]:
    """Return the events of a recorded stream as they came."""
    with gzip.open(folder / "events" / f"{stream}-dev.jsonl.gz") as lines:
        return [line.rstrip() for line in lines]


def _recordings(folder: Path) -> Iterator[tuple[str, dict[str, Spoken]]]:
    for program in sorted(path for path in (folder / "agent-telemetry").iterdir() if path.is_dir()):
        mapper = Mapper()
        verdicts = [mapper.map(read(path.read_bytes())) for path in sorted(program.glob("otlp/*.json"))]
        events = [one.event for found in verdicts for one in found if one.event is not None]
        yield program.name, spoken(sorted(events, key=lambda one: one.ts), lambda _: False)
    mapper, found = Mapper(), []
    for path in sorted((folder / "otlp").glob("*.otlp.json*")):
        found += [one.event for one in mapper.map(read(path.read_bytes())) if one.event is not None]
    yield "libraries", spoken(sorted(found, key=lambda one: one.ts), lambda _: False)


def _every_field(count: int) -> list[bytes]:
    """Return events that every rule has to look into, and that break none."""
    found = []
    for number, raw in enumerate(made_up(count)):
        body = json.loads(raw)
        more = {"sandbox_policy": "workspace-write", "to_mode": "plan", "hook_name": "PreToolUse:Bash"}
        body |= {"seq": number % 20, "tool_hash": "aa", "name": "mcp__crm__lookup"}
        body["attributes"] |= more
        found.append(json.dumps(body, separators=(",", ":")).encode())
    return found


def cost(
    values: Sequence[bytes], rules: Sequence[Rule], make: Callable[[Sequence[Rule]], Replayed] = Replayed
) -> tuple[float, float, float]:
    """Return CPU microseconds an event of msgspec and of rules, and the median of their ratios."""
    decoder = msgspec.json.Decoder(Event)
    batches = list(pieces(values))
    pairs = []
    for _ in range(ROUNDS):
        replayed, decode_s, rules_s = make(rules), 0.0, 0.0
        for raw in batches:
            begin = time.process_time()
            events = [decoder.decode(one) for one in raw]
            decode_s += time.process_time() - begin
            acts = replayed.acts(events)
            begin = time.process_time()
            for _ in find(rules, acts, replayed.memory):
                pass
            rules_s += time.process_time() - begin
        pairs.append((decode_s, rules_s))
    scale = 1e6 / len(values)
    return (
        statistics.median(first for first, _ in pairs) * scale,
        statistics.median(second for _, second in pairs) * scale,
        statistics.median(second / first for first, second in pairs),
    )


def _rates(rows: Sequence[tuple[str, dict[str, Spoken]]]) -> list[str]:
    """Return the lines of rules that any of the rows has the fields of, and name the others."""
    lines, silent = [], []
    for rule in RULES:
        found = [(name, by_rule[rule]) for name, by_rule in rows if by_rule[rule].fields]
        if not found:
            silent.append(f"`{rule}`")
            continue
        for name, one in found:
            share = one.harmless / one.fields
            lines.append(f"| `{rule}` | {name} | {one.fields} | {one.harmless} | **{share:.4f}** | {one.attacks} |")
    if silent:
        lines.append(f"| {', '.join(silent)} | none has the fields | 0 | 0 | - | 0 |")
    return lines


def _alone(plain: Sequence[bytes], full: Sequence[bytes]) -> list[str]:
    """Return the lines of what each rule costs by itself."""
    lines = ["| rule alone | without the fields, us | ratio | with every field, us | ratio |", "|---|---|---|---|---|"]
    for name, rule in RULES.items():
        (_, bare, share), (_, held, of_all) = (cost(values, [rule]) for values in (plain, full))
        lines.append(f"| `{name}` | {bare:.2f} | {share:.3f} | {held:.2f} | {of_all:.3f} |")
    return lines


def section() -> str:
    """Return the chapter."""
    head = "| rule | {} | harmless sessions with its fields | told in | share | attacks told in |\n" + "|---" * 6 + "|"
    parts, folder = [], data_folder()
    if folder is None:
        parts.append("Skipped: DETECTOR_DATA named no folder of recorded streams.")
    else:
        parts.append("\n".join([head.format("stream"), *_rates(list(_streams(folder)))]))
        parts.append("\n".join([head.format("recordings of"), *_rates(list(_recordings(folder)))]))
    lines = ["| events | rules | msgspec, us | rules, us | ratio |", "|---|---|---|---|---|"]
    on, everything = [RULES[name] for name in SHIPPED], list(RULES.values())
    recorded = [] if folder is None else _raw(folder, "agentdyn")
    for what, values, rules in (
        *(("of `agentdyn`", recorded, rules) for rules in (on, everything) if recorded),
        ("without the fields", made_up(50_000), on), ("without the fields", made_up(50_000), everything),
        ("with every field", _every_field(50_000), everything),
    ):  # fmt: skip
        base, ours, ratio = cost(values, rules)
        which = f"the {len(on)} that are on" if rules is on else f"all {len(everything)}"
        lines.append(f"| {what} | {which} | {base:.2f} | {ours:.2f} | **{ratio:.3f}** |")
    parts.append("\n".join(lines))
    return "\n\n".join([*parts, "\n".join(_alone(made_up(20_000), _every_field(20_000)))])
