"""One record of the pipeline's second input."""

from __future__ import annotations

from typing import NamedTuple


class Control(NamedTuple):
    """A record that is no event but changes what is shown or decided, as it stands on its topic.

    Parameters
    ----------
    offset : int
        Its offset on its partition of the topic; the line in a file.
    value : bytes
        Its bytes.
    """

    offset: int
    value: bytes
