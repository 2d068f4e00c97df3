"""Decode against bare msgspec: what the named reasons, keys and lines cost on events that are well-formed.

Run: ``python benchmarks/decode.py [EVENTS.jsonl.gz]``; without a file, events of about 450 bytes are made up.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from detector.schema.decode import decode
from detector.schema.event import Event
from detector.schema.record import Record

BATCH = 512


class DecodeCost(NamedTuple):
    """CPU microseconds an event, medians over the rounds, and the median of the per-round ratios."""

    bare_us: float
    decode_us: float
    ratio: float
    events: int


def made_up(count: int) -> list[bytes]:
    """Return `count` well-formed events of about 450 bytes, one JSON document each."""
    return [
        json.dumps(
            {
                "event_id": f"e{number:010d}",
                "ts": f"2026-03-02T09:{number // 60 % 60:02d}:{number % 60:02d}.123Z",
                "agent_id": f"support-agent-{number % 1_000:05d}",
                "agent_type": "support",
                "agent_version": "2.4.1",
                "tenant": "default",
                "zone": "eu-1",
                "session_id": f"s{number // 20:08d}",
                "kind": "tool_call",
                "name": "update_ticket",
                "target": f"ticket/{number * 7 % 9_973}",
                "outcome": "ok",
                "duration_ms": 120.5 + number % 37,
                "tokens_in": 512 + number % 211,
                "tokens_out": 64 + number % 17,
                "bytes_in": 2_048 + number % 977,
                "bytes_out": 512 + number % 311,
                "attributes": {"state": "open", "priority": number % 5, "comment": "customer asked for news"},
            },
            separators=(",", ":"),
        ).encode()
        for number in range(count)
    ]


def decode_cost(events: Sequence[bytes], rounds: int = 9) -> DecodeCost:
    """Return what :func:`detector.schema.decode.decode` costs beside msgspec, both keeping a batch's events alive.

    Parameters
    ----------
    events : sequence of bytes
        Well-formed events, one a record; each record carries its agent id as key, as Kafka's do.
    rounds : int, default=9
        Interleaved rounds, the order turned from round to round. The clock is the process's CPU time.
    """
    bare = msgspec.json.Decoder(Event).decode
    plain = [list(events[start : start + BATCH]) for start in range(0, len(events), BATCH)]
    keyed = [[Record(one, bare(one).agent_id.encode()) for one in batch] for batch in plain]

    def base() -> float:
        begin = time.process_time()
        for batch in plain:
            [bare(one) for one in batch]
        return time.process_time() - begin

    def ours() -> float:
        begin = time.process_time()
        for batch in keyed:
            decode(batch)
        return time.process_time() - begin

    base(), ours()
    pairs = []
    for number in range(rounds):
        if number % 2:
            second = ours()
            first = base()
        else:
            first = base()
            second = ours()
        pairs.append((first, second))
    scale = 1e6 / len(events)
    return DecodeCost(
        bare_us=statistics.median(first for first, _ in pairs) * scale,
        decode_us=statistics.median(second for _, second in pairs) * scale,
        ratio=statistics.median(second / first for first, second in pairs),
        events=len(events),
    )


def main() -> None:
    """Print one line: microseconds and the ratio."""
    if len(sys.argv) > 1:
        with gzip.open(Path(sys.argv[1])) as stream:
            events = [line.strip() for line in stream]
    else:
        events = made_up(50_000)
    cost = decode_cost(events)
    size = sum(map(len, events)) / len(events)
    print(f"events {cost.events} of {size:.0f} bytes: msgspec {cost.bare_us:.3f} us, decode {cost.decode_us:.3f} us")
    print(f"ratio {cost.ratio:.3f}")


if __name__ == "__main__":
    main()
