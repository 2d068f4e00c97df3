"""The picture of who called whom around a finding: the same facts, the same bytes, and names are text in it."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from detector.cli import app
from detector.errors import SetupError
from detector.offline.drawing import picture
from detector.offline.neighbourhood import MOST_BESIDE, heard_in, neighbourhood
from detector.schema.alert import Alert
from detector.schema.tiding import Tiding, encode_tiding
from tests.offline.together import scene
from tests.response.hearings import heard as hear
from tests.response.hearings import stage, tiding
from tests.sinks.alerts import make

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs" / "pictures" / "path.svg"


def test_the_agents_of_a_path_come_first_in_its_order() -> None:
    """Those beside them follow; the end is critical, the calls of the path are numbered."""
    heard, path = scene()
    drawn = neighbourhood(heard, path.finding_uid[:8])
    assert [one.agent_id for one in drawn.agents if one.is_member] == ["mail-reader", "planner", "vault"]
    assert {one.agent_id for one in drawn.agents if not one.is_member} == {
        "desk", "billing", "search", "auditor", "archive"
    }  # fmt: skip
    assert [one.agent_id for one in drawn.agents if one.is_critical] == ["vault"]
    steps = {one.step: (one.source, one.sink) for one in drawn.calls if one.step}
    assert steps == {1: ("mail-reader", "planner"), 2: ("planner", "vault")}


def test_an_event_that_takes_anothers_id_is_no_step_of_a_path() -> None:
    """Ids are what their writers like: an act is known by where it stands."""
    news = [tiding("mail", "planner", 1_000.0), tiding("planner", "vault", 1_060.0)]
    (path,) = hear(stage(), *news)
    liar = tiding("innocent", "vault", 1_001.0, event_id=news[1].event_id, partition=1)
    drawn = neighbourhood([*news, liar, path], path.finding_uid)
    assert [one.agent_id for one in drawn.agents if one.is_member] == ["mail", "planner", "vault"]
    assert [one.step for one in drawn.calls if one.source == "innocent"] == [0]


def test_one_event_may_be_two_steps_of_a_path() -> None:
    """It says who had it done, and whom it called."""
    news = [tiding("planner", other, 1_000.0, event_id="e", is_caller=other == "vault") for other in ("mail", "vault")]
    (path,) = hear(stage(), *news)
    drawn = neighbourhood([*news, path], path.finding_uid)
    assert [one.agent_id for one in drawn.agents if one.is_member] == ["mail", "planner", "vault"]
    assert [(one.step, one.source) for one in drawn.calls] == [(1, "mail"), (2, "planner")]


def test_a_picture_is_the_same_in_whatever_order_its_facts_are_heard() -> None:
    """And as it stands in the docs: `python -m tests.offline.test_neighbourhood` writes that one anew."""
    heard, path = scene()
    drawn = picture(neighbourhood(heard, path.finding_uid))
    assert picture(neighbourhood(heard[::-1], path.finding_uid)) == drawn
    assert KEPT.read_text(encoding="utf-8") == drawn


def test_names_that_others_chose_are_text_and_nothing_else() -> None:
    """A name with markup, or longer than a line, breaks no picture."""
    name = "<script>alert(1)</script>\x1b[31m" + "x" * 300
    alert = make(name, 1.5, 5_000.0)
    drawn = picture(neighbourhood([alert, tiding(name, "b", 4_000.0)], alert.finding_uid))
    assert "<script" not in drawn
    assert "\x1b" not in drawn
    whole = ET.fromstring(drawn)  # noqa: S314 - ours
    assert {one.tag.rpartition("}")[2] for one in whole.iter()} <= {
        "svg", "title", "rect", "defs", "marker", "path", "text", "tspan", "circle"
    }  # fmt: skip


def test_agents_beyond_the_most_are_counted() -> None:
    """Whoever calls hundreds fills no picture; those with findings stay."""
    calls = [tiding("hub", f"w{n:03}", 4_000.0, is_new=False) for n in range(100)]
    alert = make("hub", 1.5, 5_000.0)
    drawn = neighbourhood([*calls, alert, make("w099", 1.5, 4_500.0, event_id="f-9")], alert.finding_uid)
    assert (len(drawn.agents), drawn.left_out) == (MOST_BESIDE + 1, 100 - MOST_BESIDE)
    assert "w099" in {one.agent_id for one in drawn.agents}
    assert "76 more agents" in picture(drawn)


def test_other_tenants_are_not_in_the_picture() -> None:
    """Nor calls after the finding, or of days before."""
    alert = make("a", 1.5, 500_000.0)
    heard: list[Alert | Tiding] = [
        alert,
        tiding("a", "b", 499_000.0),
        tiding("a", "c", 499_000.0, tenant="other"),
        tiding("a", "d", 500_001.0),
        tiding("a", "e", 100_000.0),
    ]
    assert [one.sink for one in neighbourhood(heard, alert.finding_uid).calls] == ["b"]


@pytest.mark.parametrize("uid", ["", "zz", "0"])
def test_a_finding_that_is_not_there_is_said(uid: str) -> None:
    """With what to do."""
    alerts = [make("a", finding_uid="0" * 32), make("b", finding_uid="0" * 31 + "1")]
    with pytest.raises(SetupError, match="detector alerts"):
        neighbourhood(alerts, uid)


def test_lines_that_are_neither_are_passed_over() -> None:
    """The tenants' topic holds releases too."""
    one, alert = tiding("a", "b", 1.0), make("a")
    lines = [b"{}", b"no json", encode_tiding(one), alert.model_dump_json().encode()]
    assert list(heard_in(lines)) == [one, alert]


def test_the_command_writes_a_picture_of_what_a_replay_heard(tmp_path: Path) -> None:
    """As `detector replay --heard` records it; an unknown finding ends with status 2."""
    heard, path = scene()
    file, out = tmp_path / "heard.jsonl", tmp_path / "path.svg"
    lines = [encode_tiding(one) if isinstance(one, Tiding) else one.model_dump_json().encode() for one in heard]
    file.write_bytes(b"\n".join(lines) + b"\n")
    done = CliRunner().invoke(app, ["graph", path.finding_uid, "--out", str(out), "--heard", str(file)])
    assert (done.exit_code, done.output.strip()) == (0, f"written: {out}")
    assert out.read_text(encoding="utf-8") == picture(neighbourhood(heard, path.finding_uid))


if __name__ == "__main__":
    told, finding = scene()
    KEPT.write_text(picture(neighbourhood(told, finding.finding_uid)), encoding="utf-8")
    sys.stdout.write(f"written: {KEPT}\n")
