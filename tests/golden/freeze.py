"""Freeze what the pipeline makes of a small stream: ``python -m tests.golden.freeze`` from the root of the checkout.

A change of scores is a decision: freeze anew, and say so in the CHANGELOG under "Changed scores".
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from detector.checks.determinism import outcome_of
from detector.pipeline import Pipeline
from tests.streams import fleet_stream, quick, records_of

FILE = Path(__file__).with_name("pipeline.json")


def digest_of(shards: dict[str, bytes]) -> str:
    """Return one hash of all shards; the forest's file is left out: how well it is compressed is not ours."""
    whole = hashlib.sha256()
    for name, shard in sorted(shards.items()):
        if shard and name != "forest":
            whole.update(name.encode() + b"\0" + hashlib.sha256(shard).digest())
    return whole.hexdigest()


def frozen() -> dict[str, Any]:
    """Return scores, alerts and a digest of the state, as they are kept in the file."""
    run = outcome_of(Pipeline(quick(), seed=0), records_of(fleet_stream()), range(97, 10_000, 97))
    alerts = [json.loads(alert) for alert in run.alerts]
    return {
        "scores": [f"{score:.6f}" for score in run.scores],
        "alerts": [f"{one['finding_uid']} {one['counter']} {one['activity']} {one['score']:.6f}" for one in alerts],
        "state": digest_of(run.state),
        "final": digest_of(run.final),
    }


def main() -> None:
    """Write the file."""
    FILE.write_text(json.dumps(frozen(), indent=0) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
