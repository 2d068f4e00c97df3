"""The chapters on decisions and robustness: what stands in their tables, and what a decoy is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as chapters
from benchmarks import decisions, robustness
from benchmarks.decisions import Figures, figures, keep, kept_before
from benchmarks.quality import STREAMS
from benchmarks.robustness import cases, with_decoys
from detector.offline.analyst import Analyst
from detector.offline.episodes import seconds
from detector.offline.labels import SessionLabel
from detector.offline.reshape import LabelledStream
from tests.offline.stand_in import event


def _part(judged: float, n: int = 500, **more: Any) -> dict[str, Any]:
    spent = {name: {"value": judged, "interval": (judged / 2, judged * 2)} for name in ("closed", "judged")}
    return {
        "n": n, "positives": 20, "live_recall": 0.4, "ranking_recall_at_same_rate": 0.5, "recall_at_1pct": 0.6,
        "incident_rate": 0.02,
        "of_promise": {**spent, "incidents": {"value": judged / 2}}, **more,
    }  # fmt: skip


def _report(judged: float, **groups: dict[str, Any]) -> dict[str, Any]:
    met = {"seconds": {"median": 30.0}, "named_attack_act": 0.9}
    return {"session": _part(judged), "by_peer_group": groups, "time_to_alert": met}


def test_figures_are_means_with_the_spread_of_the_seeds() -> None:
    """The interval is the first seed's own; recall is held against the ranking."""
    found = figures([_report(1.0), _report(2.0)])
    assert (found["judged"], found["incidents"], found["range"], found["interval"]) == (
        1.5,
        0.75,
        [1.0, 2.0],
        (0.5, 2.0),
    )
    assert (found["recall"], found["ratio"], found["ranking_at_promise"]) == (0.4, 0.8, 0.6)
    assert (found["seconds"], found["named"]) == (30.0, 0.9)


def test_the_worst_group_has_enough_harmless_sessions() -> None:
    """Of 219 sessions with 20 attacks nothing is said."""
    groups = {"few": _part(9.0, 219), "worst": _part(3.0, 220), "good": _part(0.5)}
    assert figures([_report(1.0, **groups)])["worst"] == ["worst", 3.0]
    assert figures([_report(1.0, few=_part(9.0, 219))])["worst"] is None


def test_streams_without_attacks_have_no_recall() -> None:
    """Dashes, not zeros."""
    report = _report(1.0)
    report["session"] |= dict.fromkeys(("live_recall", "ranking_recall_at_same_rate", "recall_at_1pct"))
    found = figures([report])
    assert (found["recall"], found["ratio"]) == (None, None)
    assert "| - | - | - | - |" in decisions.table([("s", "nobody", found)], {})


def test_the_table_shows_the_earlier_rule_beside_the_one_of_today(tmp_path: Path) -> None:
    """Kept with the commit, read back, found under stream and verdicts."""
    rows: list[tuple[str, str, Figures]] = [("s", "nobody", figures([_report(1.0)]))]
    keep(tmp_path / "kept.json", rows, "abc123")
    commit, before = kept_before(tmp_path / "kept.json")
    assert commit == "abc123"
    (line,) = decisions.table([("s", "nobody", figures([_report(3.0)]))], before).splitlines()[2:]
    assert "| s | 500 (20) | nobody | 3.00 / **3.00** [1.5, 6.0] / 1.50 |" in line
    assert line.endswith("| 1.00, 20.0, 0.400, 0.80 |")
    assert kept_before(tmp_path / "none.json") == ("", {})


def test_what_was_kept_of_the_earlier_rule_fits_the_tables() -> None:
    """Every row of today has its row of before; else the column would be silently empty."""
    _, of_decisions = kept_before(decisions.BEFORE)
    _, of_robustness = kept_before(robustness.BEFORE)
    named = {key.split(", ")[0].removesuffix(decisions.WITH_ORIGINS) for key in of_decisions}
    assert named == set(STREAMS)
    tried = {f"{one.name}; {who}" for one in cases() for who, _ in one.analysts}
    assert set(of_robustness) == {f"{stream}, {what}" for stream in robustness.STREAMS for what in tried}
    assert all(row["judged"] is not None for row in (*of_decisions.values(), *of_robustness.values()))


def test_every_case_of_the_issue_is_tried() -> None:
    """Shares, wave, decoys, wrong and missing verdicts."""
    tried = {one.name: [who for who, _ in one.analysts] for one in cases()}
    assert set(tried) >= {f"attacks {share} %" for share in (".1", "1", "5", "30")} | {
        "wave of 12 h", "decoys of 1 agents", "decoys of 3 agents", "decoys of 6 agents",
    }  # fmt: skip
    assert all(set(who) >= {"nobody", "60 %"} for who in tried.values())
    analysts = dict(cases()[0].analysts)
    assert analysts[robustness.MANY_WRONG] == Analyst(0.6, 0.3, 50)


@pytest.mark.parametrize("agents", [1, 3])
def test_decoys_come_from_agents_that_are_there_and_repeat_nothing(agents: int) -> None:
    """Five in a hundred live sessions, in order of time, none labelled, whatever else is there untouched."""
    lines = [event(n * 60, session_id=f"s{n}", agent_id=f"a{n % 7}", agent_type="x") for n in range(200)]
    labels = {f"s{n}": SessionLabel("", "", n >= 100, False, "") for n in range(200)}
    made = with_decoys(LabelledStream(lines, labels), agents, 0)
    bodies = [json.loads(line) for line in made.lines]
    decoys = [body for body in bodies if body["event_id"].startswith("decoy-")]
    assert [line for line in made.lines if b"decoy-" not in line] == lines
    times = [seconds(body["ts"]) for body in bodies]
    assert times == sorted(times)
    assert len(decoys) == 5
    assert len({body["agent_id"] for body in decoys}) == agents
    assert {body["agent_type"] for body in decoys} == {"x"}
    for name in ("session_id", "name", "target"):
        assert Counter(body[name] for body in decoys).most_common(1)[0][1] == 1
    assert not {body["session_id"] for body in decoys} & set(made.sessions)


def test_a_part_of_a_chapter_is_printed_and_not_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The results are whole chapters; a stream alone is for whoever tunes."""
    monkeypatch.setattr(chapters, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(chapters, "PARTS", {"decisions": lambda only: f"part {only}"})
    chapters.main(["decisions", "--only", "oas", "--only", "nab"])
    assert capsys.readouterr().out == "part ['oas', 'nab']\n"
    assert not (tmp_path / "RESULTS.md").exists()
    for wrong in (["--only", "oas"], ["speed", "--only", "oas"]):
        with pytest.raises(SystemExit):
            chapters.main(wrong)
        assert "--only needs chapters of decisions" in capsys.readouterr().err


def test_a_stream_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    """With those there are."""
    with pytest.raises(SystemExit, match=r"--only must be of agentdyn, .*; got mine"):
        decisions.named_streams(tmp_path, ["mine"])
    assert decisions.named_streams(tmp_path, ["oas"]) == ["oas"]
