"""What can go wrong, told apart by who must act.

::

    DetectorError
    ├── EventError       the event is refused: dead letter, the stream goes on
    ├── ProfileError     the analyst's file is refused: the last good one stays
    ├── ArtifactError    a fitted model is refused: its scorer is left out
    ├── StateError       remembered state is refused: that part restarts cold
    ├── PipelineError    records broke the pipeline: the one is found and left out, or the worker ends
    ├── DeliveryError    the outside did not take it: offsets are held
    └── SetupError       the machine or the settings: nothing was started

Messages have one form: ``<parameter> of <thing> must be <rule>, got <value>``,
followed by what the operator can do about it.
"""

from __future__ import annotations


class DetectorError(Exception):
    """Root of every error this product raises on purpose."""


class EventError(DetectorError):
    """An event (or a record) is refused.

    Operator's action: read the dead letter, mend the producer.

    Parameters
    ----------
    reason : str
        One of :data:`detector.schema.event.REASONS`; a stable, countable name.
    detail : str
        What was found, in words; never the payload itself.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ProfileError(DetectorError):
    """A profile is refused; operator's action: mend the named field of the named file.

    Parameters
    ----------
    path : str
        File that was read.
    faults : list of str
        Every fault found, one sentence each.
    """

    def __init__(self, path: str, faults: list[str]) -> None:
        super().__init__(f"{path}: " + "; ".join(faults))
        self.path = path
        self.faults = faults


class ArtifactError(DetectorError):
    """A fitted model is refused; operator's action: refit it or restore the file."""


class StateError(DetectorError):
    """Remembered state is refused; operator's action: none, that part restarts cold and says so."""


class PipelineError(DetectorError):
    """Records broke the pipeline; operator's action: send the dead letter and the log to whoever keeps the detector.

    Parameters
    ----------
    message : str
        Topic, partition and offsets, and what broke.
    offsets : (int, int)
        First and last offset of the records, both included.
    """

    def __init__(self, message: str, offsets: tuple[int, int]) -> None:
        super().__init__(message)
        self.offsets = offsets


class DeliveryError(DetectorError):
    """The outside did not take an output; operator's action: look at the named receiver.

    Parameters
    ----------
    message : str
        What was refused by whom.
    retry_after : float or None
        Seconds after which another try makes sense; None if only a person can help.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SetupError(DetectorError):
    """The machine or the settings are not fit to start; the message says what to change."""
