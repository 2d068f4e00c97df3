"""Freeze what the pipeline makes of a small stream: ``python -m tests.golden.freeze`` from the root of the checkout.

A change of scores is a decision: freeze anew, and say so in the CHANGELOG under "Changed scores".
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from detector.checks.determinism import outcome_of
from detector.pipeline import Pipeline
from detector.steps.threshold import BudgetThreshold
from tests.streams import fleet_stream, quick, records_of

FILE = Path(__file__).with_name("pipeline.json")


def digest_of(pipeline: Pipeline) -> str:
    """Return one hash of what is remembered once every session has closed, field by field: layouts may change."""
    memory, standing = pipeline.state.memory, pipeline.state.standing
    agents, groups = memory.agents[: int(memory.used[0])], memory.groups[: int(memory.used[1])]
    whose = ("first_open", "group", "bare", "is_home")  # where a row lies, and whose it is
    kept = {f"agent {name}": agents[name] for name in agents.dtype.names or () if name not in whose}
    kept |= {f"group {name}": groups[name] for name in groups.dtype.names or ()}
    kept |= {"survival": memory.survival, "sample": memory.sample, "clock": memory.clock}
    threshold = pipeline.state.threshold
    assert isinstance(threshold, BudgetThreshold)
    totals = np.append(standing.totals, float(threshold.promises.held[0].alerted))
    kept |= {"window": standing.rolling.ordered, "totals": totals}
    whole = hashlib.sha256()
    for name, array in sorted(kept.items()):
        # a last bit of a logarithm may differ between two machines; a millionth may not
        exact = np.round(array.astype(np.float64), 6) + 0.0 if array.dtype.kind == "f" else array
        whole.update(name.encode() + b"\0" + np.ascontiguousarray(exact).tobytes())
    return whole.hexdigest()


def frozen() -> dict[str, Any]:
    """Return scores, alerts, all that they say, a digest of the state, as they are kept in the file."""
    pipeline = Pipeline(quick(), seed=0)
    run = outcome_of(pipeline, records_of(fleet_stream()), range(97, 10_000, 97))
    alerts = [json.loads(alert) for alert in run.alerts]
    return {
        "scores": [f"{score:.6f}" for score in run.scores],
        "alerts": [f"{one['finding_uid']} {one['counter']} {one['activity']} {one['score']:.6f}" for one in alerts],
        "said": [hashlib.sha256(alert.encode()).hexdigest()[:16] for alert in run.alerts],
        "state": digest_of(pipeline),
    }


def main() -> None:
    """Write the file."""
    FILE.write_text(json.dumps(frozen(), indent=0) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
