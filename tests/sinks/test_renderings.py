"""The table of renderings."""

from __future__ import annotations

import pytest

from detector.errors import SetupError
from detector.sinks.renderings import RENDERINGS, rendering_of


@pytest.mark.parametrize("name", ["", "cef", "OCSF"])
def test_an_unknown_rendering_is_refused_with_the_list(name: str) -> None:
    """Nobody gets OCSF who asked for something else."""
    with pytest.raises(SetupError, match=f"format of siem must be {' or '.join(RENDERINGS)}, got"):
        rendering_of(name)


def test_a_rendering_is_found_by_its_name() -> None:
    """The table is the only list."""
    assert all(rendering_of(name) is one for name, one in RENDERINGS.items())
