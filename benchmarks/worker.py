"""Throughput of a real worker process on a real broker, against a bare aiokafka ``getmany`` loop on the same topic.

Both read the same events from the same four partitions, one after the other; the broker is the
machine's other load. The worker decodes, scores, publishes alerts and checkpoints; the loop throws
away what it fetched. Checkpoints are two seconds apart (the default is five). Figures are CPU microseconds an event,
and events a second by the wall clock.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks import streams
from detector.local.ladder import open_broker
from tests.kafka.harness import Deployment, deployment

EVENTS = 600_000


class Throughput(NamedTuple):
    """Events, CPU microseconds an event and events a second of the bare loop and of the worker."""

    events: int
    bare_us: float
    bare_rate: float
    worker_us: float
    worker_rate: float


async def _fetch_all(bootstrap: str, topic: str, count: int) -> tuple[float, float]:
    """Return CPU and wall seconds that a bare loop takes from the first record to the last."""
    from aiokafka import AIOKafkaConsumer

    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    cpu, wall = time.process_time(), time.monotonic()
    seen = 0
    while seen < count:
        seen += sum(map(len, (await consumer.getmany(timeout_ms=1_000, max_records=2_000)).values()))
    taken = time.process_time() - cpu, time.monotonic() - wall
    await consumer.stop()
    return taken


def _worker(made: Deployment, count: int) -> tuple[float, float]:
    """Return CPU and wall seconds of a worker from its first committed event until all are committed."""
    worker = made.start(checkpoint_interval_s="2")
    process = psutil.Process(worker.pid)
    made.until(lambda: sum(made.committed()) > 0, "first commit")
    cpu, wall, begun = sum(process.cpu_times()[:2]), time.monotonic(), sum(made.committed())
    made.until_done(600)
    taken = sum(process.cpu_times()[:2]) - cpu, time.monotonic() - wall
    made.stop(worker)
    share = count / (count - begun)
    return taken[0] * share, taken[1] * share


def measure(count: int = EVENTS) -> Throughput:
    """Return the throughput of both on the made-up fleet's first `count` events."""
    events = streams.fleet()[:count]
    keyed = [(event.split(b'"agent_id":"', 1)[1].split(b'"', 1)[0], event) for event in events]
    with (
        tempfile.TemporaryDirectory() as folder,
        open_broker(print) as broker,
        deployment(broker, "bench", Path(folder)) as made,
    ):
        made.produce(keyed)
        bare = asyncio.run(_fetch_all(broker.bootstrap, made.names.events, count))
        worker = _worker(made, count)
    per_event = 1e6 / count
    return Throughput(count, bare[0] * per_event, count / bare[1], worker[0] * per_event, count / worker[1])


def table(found: Throughput) -> str:
    """Return the throughput as a Markdown table."""
    return "\n".join(
        [
            "| | CPU us/event | events/s | ratio to the bare loop (CPU; rate) |",
            "|---|---|---|---|",
            f"| bare aiokafka `getmany` | {found.bare_us:.1f} | {found.bare_rate:,.0f} | 1 |",
            (
                f"| worker | {found.worker_us:.1f} | {found.worker_rate:,.0f} "
                f"| **{found.worker_us / found.bare_us:.1f}**; {found.worker_rate / found.bare_rate:.2f} |"
            ),
        ]
    )
