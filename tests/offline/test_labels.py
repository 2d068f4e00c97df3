"""Label files: what is read, and what is refused with words one can act on."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.offline.labels import EventLabel, Meta, SessionLabel, read_events, read_meta, read_sessions, seconds_of


def _file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_session_labels_are_read_plain_and_packed(tmp_path: Path) -> None:
    """Phase, label and kind; a file without phases is live as a whole."""
    text = "session_id,agent_id,agent_type,phase,label,attack_type\na,x,t,history,0,\nb,x,t,live,1,hijack\n"
    plain = _file(tmp_path / "s.csv", text)
    packed = tmp_path / "s.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    expected = {"a": SessionLabel("x", "t", False, False, ""), "b": SessionLabel("x", "t", True, True, "hijack")}
    assert read_sessions(plain) == read_sessions(packed) == expected
    short = read_sessions(_file(tmp_path / "short.csv", "session_id,label\nc,1\n"))
    assert short == {"c": SessionLabel("", "", True, True, "")}


def test_event_labels_are_read(tmp_path: Path) -> None:
    """By event id; an empty label is harmless."""
    path = _file(tmp_path / "e.csv", "event_id,session_id,label,attack_type\n1,a,0,\n2,a,1,scan\n3,a,,\n")
    assert read_events(path) == {"1": EventLabel(False, ""), "2": EventLabel(True, "scan"), "3": EventLabel(False, "")}


@pytest.mark.parametrize("text", ["id,label\na,1\n", "session_id,kind\na,1\n", ""])
def test_a_file_without_the_columns_is_refused(tmp_path: Path, text: str) -> None:
    """The sentence names the columns that are missing."""
    with pytest.raises(SetupError, match=r"must be a CSV with the columns session_id and label"):
        read_sessions(_file(tmp_path / "s.csv", text))


def test_a_label_that_is_no_number_is_refused(tmp_path: Path) -> None:
    """Guessing would change the figures."""
    with pytest.raises(SetupError, match="label is 0 or 1, got 'yes'"):
        read_sessions(_file(tmp_path / "s.csv", "session_id,label\na,yes\n"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No traceback for a wrong path."""
    with pytest.raises(SetupError, match=r"must be a readable file, got .*nowhere\.csv"):
        read_sessions(tmp_path / "nowhere.csv")


def test_the_live_start_is_epoch_seconds(tmp_path: Path) -> None:
    """Given as RFC 3339; a stream without one has none."""
    dated = _file(tmp_path / "m.json", '{"name": "s", "live_start": "2026-03-02T00:00:00.000Z"}')
    assert read_meta(dated) == Meta("s", 1_772_409_600.0)
    assert read_meta(_file(tmp_path / "n.json", '{"name": "t"}')) == Meta("t", None)


@pytest.mark.parametrize("text", ["[]", "{", '{"live_start": "soon"}', '{"live_start": "2026-03-02T00:00:00"}'])
def test_facts_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    """No object, no JSON, no time, no zone."""
    with pytest.raises(SetupError, match="must be"):
        read_meta(_file(tmp_path / "m.json", text))


def test_times_may_be_given_as_epoch_seconds() -> None:
    """Both forms of --trusted-until."""
    assert seconds_of("1772409600", "t") == seconds_of("2026-03-02T01:00:00+01:00", "t") == 1_772_409_600.0
