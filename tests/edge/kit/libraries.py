"""The libraries that the kit listens to: of this environment, or of the one that DETECTOR_KIT_LIBRARIES names."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PACKAGES = (
    "'langchain-core>=1.8,<2' 'langgraph>=1.2,<2' 'mcp>=2.3,<3' 'openai-agents>=0.24,<0.25' 'pydantic-ai-slim>=2.68,<3'"
)
HOW = f"python -m venv DIR; DIR/bin/pip install {PACKAGES}; DETECTOR_KIT_LIBRARIES=DIR"


def library(module: str) -> Any:
    """Return a library's module; skip aloud where there is none, or fail if REQUIRE_KIT=1.

    They are no part of the lock: more than forty packages that nothing else here needs. What this environment has too
    comes from it, so the other should be of the same Python.

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
