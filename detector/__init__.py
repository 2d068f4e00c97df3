"""Streaming behavioural anomaly detection and containment for fleets of AI agents."""

import hashlib
import os
import shutil
from pathlib import Path

__version__ = "0.1.0"

_KERNEL_ROOMS = ("sketches", "intake", "memory", "channels", "scorers", "steps")


def _keep_kernels_apart() -> None:
    """Keep compiled kernels in a folder named after the sources they were made from.

    numba notices a change in a kernel's own file, not in the files of the kernels it calls: without
    this an edit, or an update in place, would go on running the old code.
    """
    package = Path(__file__).parent
    if "NUMBA_CACHE_DIR" in os.environ or not os.access(package, os.W_OK):
        return
    stats = [(str(path), path.stat()) for room in _KERNEL_ROOMS for path in sorted((package / room).glob("*.py"))]
    facts = [f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    folder = package / "__pycache__" / f"kernels-{digest}"
    if not folder.is_dir():
        for stale in folder.parent.glob("kernels-*"):
            shutil.rmtree(stale, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


_keep_kernels_apart()
