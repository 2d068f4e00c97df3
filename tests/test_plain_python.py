"""One code path: with NUMBA_DISABLE_JIT=1 the same functions run in plain Python and give the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUN = """
import sys
import numpy as np
from detector.pipeline import Pipeline
from tests.streams import Script, feed, ordinary, quick
from numba import config
np.seterr(all="ignore")  # hashes wrap around, as they do in compiled code
script = Script()
told = {"target": "tool", "to": "user"}
odd = [
    {"name": "send", "target": f"x{n}@evil.example", "outcome": "denied" if n % 2 else "ok", "bytes_out": 9e8,
     "attributes": {"lines": 900.5, "to": "Zz9!", "on": True}, "arg_origin": told}
    for n in range(6)
]
values = [*ordinary(script, 28), *script.session("odd", odd, agent_id="a-1")]
pipeline = Pipeline(quick(half_space={"window": 20}))
outcome = feed(pipeline, values)
closed = pipeline.finish()
lines = [f"{score:.6f}" for score in outcome.scores] + [one.model_dump_json() for one in outcome.alerts + closed.alerts]
sys.stdout.write(f"{bool(config.DISABLE_JIT)}\\n" + "\\n".join(lines))
"""


def output(flag: str) -> list[str]:
    """Return what a process of its own writes."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::RuntimeWarning", "-c", RUN],
        env={**os.environ, "NUMBA_DISABLE_JIT": flag, "PYTHONPATH": str(ROOT)},
        cwd=ROOT, capture_output=True, check=True, timeout=240, text=True,
    ).stdout.split("\n")  # fmt: skip


@pytest.mark.integration
def test_plain_python_gives_the_scores_and_alerts_of_the_compiled_kernels() -> None:
    """A hundred and fifty events, an attack among them."""
    compiled, plain = output("0"), output("1")
    assert (compiled[0], plain[0]) == ("False", "True")
    assert compiled[1:] == plain[1:]
    assert len(set(plain)) > 80
    assert any('"activity":"create"' in line for line in plain)
