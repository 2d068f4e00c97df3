"""Libraries of others that tests ask: of this environment, or of the one that DETECTOR_KIT_LIBRARIES names."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

HOW = "`make kit` installs it apart and runs this test, or DETECTOR_KIT_LIBRARIES names an environment that has it"


def library(module: str) -> Any:
    """Return a library's module; skip aloud where there is none, or fail if REQUIRE_KIT=1.

    They stand in requirements-kit.lock, and are no part of the product's environment: Faust, for one, works otherwise
    where it finds orjson. So the Makefile runs every test file that imports this function in a process of its own. What
    this environment has too comes from it, in the same version.

    Parameters
    ----------
    module : str
        To import.
    """
    named = os.environ.get("DETECTOR_KIT_LIBRARIES", "")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = str(Path(named).absolute() / "lib" / version / "site-packages")
    if named and folder not in sys.path:
        sys.path.append(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries, about themselves
            return import_module(module)
    except ImportError as exc:
        if os.environ.get("REQUIRE_KIT") == "1":
            raise
        pytest.skip(f"needs {module}, got {exc}: {HOW}", allow_module_level=True)
