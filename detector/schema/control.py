"""Controls, the pipeline's second input, and the journal that says where each of them took effect."""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple

import msgspec

from detector.errors import StateError

MAX_CONTROL_BYTES = 64 * 1_024
"""A longer record of the control topic is refused before it is journaled: the journal keeps the records themselves."""


Source = Literal["feedback", "registry"]
"""Which of the two control topics a control came from: `agent.feedback` or `agent.registry`."""


class Control(NamedTuple):
    """One record of the second input; of the registry several that were read together.

    Parameters
    ----------
    offset : int
        Its offset on the control topic's partition, of several the last one's; in a file, its number among the lines of
        its partition.
    value : bytes
        The record as it stands on the topic; of the registry as :func:`detector.schema.declaration.pack_declarations`
        writes them.
    source : {"feedback", "registry"}, default="feedback"
        Which topic.
    """

    offset: int
    value: bytes
    source: Source = "feedback"


class JournalEntry(msgspec.Struct, frozen=True):
    """Where a control took effect: after every record before `input_offset`, before that record and all later ones.

    The same struct is a line of a journal file and, sealed, a record of `<group>.state`.

    Parameters
    ----------
    partition : int
        Partition of the events and of the controls.
    input_offset : int
        Offset of the first record of the events that was processed after the control.
    control_offset : int
        Offset of the control on its topic's partition.
    digest : str
        SHA-256 of the control's bytes, hexadecimal.
    value : str or None
        The control itself; a file may leave it out.
    sequence : int
        Number of the entry within its partition, from 0; in a file the order of the lines counts.
    generation : int
        Generation of the group in which it was written: of two entries of one number the later generation's stands.
    source : {"feedback", "registry"}, default="feedback"
        Topic of the control.
    """

    partition: int
    input_offset: int
    control_offset: int
    digest: str
    value: str | None = None
    sequence: int = 0
    generation: int = 0
    source: Source = "feedback"

    def control(self) -> Control:
        """Return the control, its bytes held against the digest.

        Raises
        ------
        StateError
            They are missing, or not those that were journaled.
        """
        value = (self.value or "").encode()
        if digest_of(value) != self.digest:
            raise StateError(
                f"control {self.control_offset} of partition {self.partition} must have the digest {self.digest} that "
                f"was journaled, got {digest_of(value)}: it is not the record that took effect"
            )
        return Control(self.control_offset, value, self.source)


def digest_of(value: bytes) -> str:
    """Return the SHA-256 of a control's bytes, hexadecimal.

    Examples
    --------
    >>> digest_of(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(value).hexdigest()
