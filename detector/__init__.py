"""Streaming behavioural anomaly detection and containment for fleets of AI agents."""

import hashlib
import os
import shutil
from pathlib import Path

__version__ = "0.1.0"

_KERNEL_ROOMS = ("sketches", "intake", "memory", "channels", "scorers", "steps")
_KERNEL_FILES = ("pipeline.py", "schema/event.py", "schema/marks.py")
"""Rooms of kernels; files elsewhere that hold one, or constants that one is compiled with. A test finds both anew."""


def _digest_of_kernels(package: Path) -> str:
    """Return a digest of what the kernels are made from, by name and content: a copy or a touch changes nothing."""
    rooms = [path for room in _KERNEL_ROOMS for path in (package / room).glob("*.py")]
    whole = hashlib.sha256()
    for path in sorted([*rooms, *(package / name for name in _KERNEL_FILES)]):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:12]


def _keep_kernels_apart() -> None:
    """Keep compiled kernels in a folder named after the sources they were made from.

    numba notices a change in a kernel's own file, not in the files of the kernels it calls: without
    this an edit, or an update in place, would go on running the old code.
    """
    package = Path(__file__).parent
    if "NUMBA_CACHE_DIR" in os.environ or not os.access(package, os.W_OK):
        return
    folder = package / "__pycache__" / f"kernels-{_digest_of_kernels(package)}"
    if not folder.is_dir():
        for stale in folder.parent.glob("kernels-*"):
            shutil.rmtree(stale, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


_keep_kernels_apart()
