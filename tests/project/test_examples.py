"""Examples in docstrings run, and say what they show."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.project.sources import ROOT, name_of, python_files

WITH_EXAMPLES = [path for path in python_files("detector") if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.integration
@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name_of)
def test_every_example_in_a_docstring_is_true(path: Path) -> None:
    """What a docstring shows is what the reader gets."""
    module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
    assert result.attempted > 0
