"""What a record of OpenTelemetry costs on its way to a native event, beside the bare parse of its bytes.

The unit is CPU microseconds a record (a span or log record, mapped to an event or not), the best of sixty turns in one
process, in each of which everything is measured in its turn: *parse* is protobuf's own parser (upb), or msgspec's, and
nothing else; *read* makes records of the bytes, parse included; *map* chooses the table and rule and makes the event,
with trace memory, identity and the check for repeats. *Over the parse* is read and map without the parse. Batches of
about five hundred records, words and shapes known, as in a worker that runs: what is remembered rests on names and on
words of rules, not on what else a record says. *Least* is what stays over the parse if reading and mapping cost nothing
else: each attribute's name and value fetched once from upb's objects (msgspec's parse has fetched them), and the native
events made of ready fields and put into bytes once, for the check for repeats. *Native decodes* is read and map over
what `agent.events` costs: msgspec decoding one such event. A *line* is one of a session file in `detector backfill`:
parsed, read, mapped, put in order.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from detector.backfill.run import Backfill
from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from detector.schema.event import Event, StrictEvent

ROUNDS = 9
TURNS = 60
GOAL_US = 6.0
BATCH = 512
SCENARIOS: dict[str, str] = {
    "otlp/mixed-spans-protobuf": "otlp/mixed-512-spans-16-agents.otlp.pb.gz",
    "otlp/library-spans-protobuf": "otlp/[glops]*.otlp.pb.gz",
    "otlp/library-spans-json": "otlp/[glops]*.otlp.json.gz",
    "otlp/claude-code-logs-json": "agent-telemetry/claude-code/otlp/*_logs.json",
    "otlp/codex-logs-json": "agent-telemetry/codex/otlp/*_logs.json",
    "otlp/copilot-spans-json": "agent-telemetry/copilot-cli/otlp/*_traces.json",
}
"""Permanent id -> the recorded samples it is measured on."""


SESSION_FILES: dict[str, str] = {
    "backfill/claude-code": "agent-telemetry/claude-code/transcript/session.jsonl",
    "backfill/codex": "agent-telemetry/codex/rollout/session.jsonl",
    "backfill/gemini-cli": "agent-telemetry/gemini-cli/chat/session.jsonl",
    "backfill/copilot-cli": "agent-telemetry/copilot-cli/session-state/events.jsonl",
}
"""Permanent id -> the recorded session file it is measured on, many sessions of it."""
SESSIONS = 100


class MappingCost(NamedTuple):
    """CPU microseconds a record, and the share of records that became events; of a native event, its decoding."""

    parse_us: float
    read_us: float
    map_us: float
    fetch_us: float
    make_us: float
    decode_us: float
    mapped: float

    @property
    def over_us(self) -> float:
        """What a record costs over the bare parse."""
        return self.read_us + self.map_us - self.parse_us

    @property
    def least_us(self) -> float:
        """What of it no mapping saves: attributes fetched from the parser's objects, events made of ready fields."""
        return self.fetch_us + self.make_us

    @property
    def decodes(self) -> float:
        """What a record costs in all, in decodings of a native event."""
        return (self.read_us + self.map_us) / self.decode_us


def _best_us(work: Callable[[], object], records: int) -> float:
    taken = []
    for _ in range(ROUNDS):
        begin = time.process_time_ns()
        work()
        taken.append(time.process_time_ns() - begin)
    return min(taken) / records / 1_000


def measure(values: Sequence[bytes]) -> MappingCost:
    """Return the cost of export requests, one a value, all of one encoding."""
    parse = msgspec.json.decode if values[0][:1] == b"{" else ExportTraceServiceRequest.FromString
    records = sum(1 for value in values for _ in read(value))
    copies = max(1, BATCH // records)
    batches = [[item for value in values for item in read(value)] for _ in range(copies)]
    mapper = Mapper()
    verdicts = mapper.map(batches[0])
    events = [verdict.event for verdict in verdicts if verdict.event is not None]
    ready = [{name: got for name in one.__struct_fields__ if (got := getattr(one, name)) is not None} for one in events]
    native = [msgspec.json.encode(one) for one in events]
    decode = msgspec.json.Decoder(StrictEvent).decode

    def mapped() -> None:
        for batch in batches:
            mapper._ids.clear()  # noqa: SLF001 - the same records again are no repeats here
            mapper.map(batch)

    def fetched() -> None:
        for span in _spans(values):
            _ = [(pair.key, pair.value.string_value) for pair in span.attributes]

    def parsed_spans() -> None:
        for _ in _spans(values):
            pass

    parse_us, read_us, map_us, make_us, decode_us, fetch_us, walk_us = _best_in_turn(
        [
            (lambda: [parse(value) for _ in range(copies) for value in values], records * copies),
            (lambda: [list(read(value)) for _ in range(copies) for value in values], records * copies),
            (mapped, records * copies),
            (
                lambda: [hash(msgspec.json.encode(Event(**fields))) for _ in range(copies) for fields in ready],
                records * copies,
            ),
            (lambda: [decode(one) for _ in range(copies) for one in native], len(native) * copies),
            (fetched, records),
            (parsed_spans, records),
        ]
    )
    return MappingCost(parse_us, read_us, map_us, fetch_us - walk_us, make_us, decode_us, len(events) / records)


def _best_in_turn(works: Sequence[tuple[Callable[[], object], int]]) -> list[float]:
    """Return CPU microseconds of each work, the best of many turns that all take: who else runs slows all alike."""
    best = [float("inf")] * len(works)
    for _ in range(TURNS):
        for place, (work, records) in enumerate(works):
            begin = time.process_time_ns()
            work()
            best[place] = min(best[place], (time.process_time_ns() - begin) / records / 1_000)
    return best


def _spans(values: Sequence[bytes]) -> Iterator[Any]:
    """Yield the spans of protobuf as upb gives them; none of JSON."""
    if values[0][:1] != b"{":
        for value in values:
            for group in ExportTraceServiceRequest.FromString(value).resource_spans:
                for scope in group.scope_spans:
                    yield from scope.spans


def values_of(pattern: str) -> list[bytes]:
    """Return the unpacked samples that a pattern names under DETECTOR_DATA; none where it is not set."""
    root = os.environ.get("DETECTOR_DATA")
    paths = sorted(Path(root).glob(pattern)) if root else []
    return [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in paths]


def _line_us(path: Path) -> tuple[float, float]:
    """Return CPU microseconds a line of a session file, and kilobytes a line."""
    raw = path.read_bytes()
    ids = {value for line in raw.splitlines() for value in _session_ids(msgspec.json.decode(line))}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(SESSIONS):
            copy = raw
            for value in ids:
                copy = copy.replace(value.encode(), f"{number:08d}{value[8:]}".encode())
            Path(folder, f"{number}.jsonl").write_bytes(copy)

        def read_all() -> None:
            with Backfill() as run:
                run.read([Path(folder)])
                sum(map(len, run.events()))

        lines = SESSIONS * len(raw.splitlines())
        return _best_us(read_all, lines), len(raw) * SESSIONS / lines / 1_024


def _session_ids(record: dict[str, Any]) -> Iterator[str]:
    """Yield the session's ids in a record: each copy is a session of its own."""
    for holder in (record, record.get("payload"), record.get("data")):
        if isinstance(holder, dict):
            yield from (holder[name] for name in ("sessionId", "session_id") if isinstance(holder.get(name), str))


def backfill_table() -> str:
    """Return the table of session files; one without its sample says so."""
    root = os.environ.get("DETECTOR_DATA")
    rows = ["| scenario | CPU us a line | KiB a line |", "|---|---|---|"]
    for name, where in SESSION_FILES.items():
        path = Path(root or ".", where)
        if root is None or not path.exists():
            rows.append(f"| {name} | skipped: DETECTOR_DATA names no {where} | |")
            continue
        cost, size = _line_us(path)
        rows.append(f"| {name} | **{cost:.0f}** | {size:.1f} |")
    return "\n".join(rows)


def table() -> str:
    """Return the chapter's tables; a scenario without its samples says so."""
    costs: list[MappingCost] = []
    rows = [
        "| scenario | parse | read | map | over the parse | least | times the parse | native decodes | events |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, pattern in SCENARIOS.items():
        values = values_of(pattern)
        if not values:
            rows.append(f"| {name} | skipped: DETECTOR_DATA names no {pattern} | | | | | | | |")
            continue
        cost = measure(values)
        costs.append(cost)
        whole = cost.read_us + cost.map_us
        rows.append(
            f"| {name} | {cost.parse_us:.1f} | {cost.read_us:.1f} | {cost.map_us:.1f} | **{cost.over_us:.1f}** | "
            f"{cost.least_us:.1f} | {whole / cost.parse_us:.1f} | {cost.decodes:.1f} | {cost.mapped:.0%} |"
        )
    load = f"Load average of the machine when it was measured: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    return "\n".join(rows) + _judged(costs) + f"\n\n{load}\n\n" + backfill_table()


def _judged(costs: Sequence[MappingCost]) -> str:
    """Return the table's last words: whether the goal was met, and what it means for a worker."""
    if not costs:
        return ""
    worst = max(cost.over_us for cost in costs)
    whole = max(cost.read_us + cost.map_us for cost in costs)
    best = min(cost.over_us for cost in costs)
    said = "met: the most is" if worst <= GOAL_US else f"missed: from {best:.1f} to"
    return (
        f"\n\nGoal, {GOAL_US:g} us over the parse: {said} {worst:.1f}. "
        f"10,000 records a second take {whole / 100:.0%} of a core at most."
    )
