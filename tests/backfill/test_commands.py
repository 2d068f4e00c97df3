"""``detector backfill`` as somebody types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.cli import EXIT_REFUSED, main
from tests.backfill.made import answer, result, second, use, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one session, cut off while it ran."""
    write(tmp_path / "in" / "s.jsonl", [answer(1, use("t1")), result(2, "t1"), '{"type": "use'], end="")
    return tmp_path / "in"


def _run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Return the exit status, what was printed, and what was said on the side."""
    try:
        main(["backfill", "-q", *map(str, words)])
    except SystemExit as left:
        out = capsys.readouterr()
        return int(left.code or 0), out.out, out.err
    pytest.fail("a command leaves with a status")


def test_without_a_place_to_write_to_it_only_says_what_there_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Look first: events, agent and what it was taken from, what could not be read, and what to type next."""
    status, out, err = _run(capsys, folder)
    assert (status, err) == (0, "")
    assert "2 events of 1 session, 2026-03-02T10:00:01Z to 2026-03-02T10:00:02Z" in out
    assert "agent claude-code: 2 events; taken from product; no user stands in these files" in out
    assert f"unreadable in {folder / 's.jsonl'}: 1 line cut_off: the last line ends in the middle" in out
    assert "nothing was written: add --out FILE, or --bootstrap BROKERS" in out


def test_events_go_to_a_file_and_the_summary_says_how_to_use_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trusted time is behind the last event, so that all of it is learned."""
    out_file = tmp_path / "past.jsonl"
    status, out, _ = _run(capsys, folder, "--out", out_file, "--resource", "enduser.id=ada")
    events = [json.loads(line) for line in out_file.read_text().splitlines()]
    assert (status, [event["agent_id"] for event in events]) == (0, ["claude-code/ada"] * 2)
    assert f"detector replay {out_file} --trusted-until {second(3).replace('.000', '')}" in out


def test_events_on_standard_output_stand_alone_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that they can be piped; the summary is on standard error, as JSON if wished."""
    status, out, err = _run(capsys, folder, "--out", "-", "--agent-id", "x", "--json")
    assert (status, [json.loads(line)["agent_id"] for line in out.splitlines()]) == (0, ["x", "x"])
    said = json.loads(err)
    assert (said["events"], said["files"][0]["unreadable"]) == (2, {"cut_off": 1})
    assert said["agents"] == [{"agent_id": "x", "taken_from": "resource:agent.id", "events": 2}]


def test_no_event_is_a_status_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script notices."""
    status, out, _ = _run(capsys, folder, "--since", second(9))
    assert status == 1
    assert "2 actions before_since" in out


def test_a_session_file_is_not_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its words are in the wrong place on the command line; an output of before is replaced as a whole."""
    session = folder / "s.jsonl"
    before = session.read_bytes()
    status, _, err = _run(capsys, folder, "--out", session)
    assert (status, session.read_bytes()) == (EXIT_REFUSED, before)
    assert "must be a file of its own" in err
    (folder / "past").write_text("an output of before\n" * 99)
    assert _run(capsys, folder, "--out", folder / "past")[0] == 0
    assert len((folder / "past").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "words", [["gone"], [".", "--since", "soon"], [".", "--out", "gone/x"], [".", "--resource", "x"]]
)
def test_what_is_refused_is_said_in_a_sentence(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback."""
    monkeypatch.chdir(tmp_path)
    status, out, err = _run(capsys, *words)
    assert (status, out) == (EXIT_REFUSED, "")
    assert err.startswith("detector: ")
    assert len(err.splitlines()) == 1
