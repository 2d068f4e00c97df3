"""Alerts in a file."""

from __future__ import annotations

import resource
import signal
import stat
from pathlib import Path

import pytest

from detector.errors import DeliveryError
from detector.sinks.file import FileSender


def test_messages_are_lines_and_stand_after_what_was_there(tmp_path: Path) -> None:
    """Appending keeps what an earlier run wrote."""
    path = tmp_path / "alerts.jsonl"
    for text in (b"one", b"two"):
        with FileSender(path) as sender:
            sender.send(text)
    assert path.read_bytes() == b"one\ntwo\n"


def test_what_was_flushed_can_be_read(tmp_path: Path) -> None:
    """Before the file is closed."""
    sender = FileSender(tmp_path / "alerts.jsonl")
    sender.send(b"one")
    sender.flush()
    assert (tmp_path / "alerts.jsonl").read_bytes() == b"one\n"
    sender.close()
    sender.close()


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    """Alerts name agents and targets."""
    FileSender(tmp_path / "alerts.jsonl").close()
    assert stat.S_IMODE((tmp_path / "alerts.jsonl").stat().st_mode) == 0o600


def test_a_message_of_two_lines_is_refused(tmp_path: Path) -> None:
    """It would read as two alerts."""
    with FileSender(tmp_path / "alerts.jsonl") as sender, pytest.raises(ValueError, match="must be one line"):
        sender.send(b"one\ntwo")


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(DeliveryError, match="must be writable"):
        FileSender(tmp_path / "no" / "alerts.jsonl")


def test_a_full_disk_is_told() -> None:
    """/dev/full takes nothing."""
    sender = FileSender(Path("/dev/full"))
    sender.send(b"one")
    with pytest.raises(DeliveryError, match="No space left"):
        sender.flush()
    sender.close()


def test_a_write_that_breaks_off_leaves_no_half_line(tmp_path: Path) -> None:
    """A limit on the file's size stands for a disk that fills up."""
    path = tmp_path / "alerts.jsonl"
    sender = FileSender(path)
    sender.send(b"one")
    sender.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        sender.send(b"two" * 10)
        with pytest.raises(DeliveryError, match="File too large"):
            sender.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == b"one\n"
    sender.send(b"two")
    sender.close()
    assert path.read_bytes() == b"one\ntwo\n"
