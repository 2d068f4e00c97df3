"""One program or several: what is asked for, in which order, and what is kept and shown of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector.demo import agents_run
from detector.demo.agents import PROGRAMS, AgentsOptions
from detector.demo.agents_run import named_programs, run_agents_demo
from detector.demo.agents_summary import AgentsSummary, Told
from detector.errors import SetupError
from detector.schema.topics import TopicNames

BOTH = ("codex", "gemini-cli")


class Story:
    """A scene that was played elsewhere: `failing` names the program whose story fails."""

    def __init__(self, options: AgentsOptions, failing: str) -> None:
        self._options, self._failing = options, failing

    def play(self) -> AgentsSummary:
        """Return figures that name their program."""
        name = self._options.program
        made = Told(TopicNames(), {}).summary(self._options.seed)
        return replace(made, agent_id=f"{name}/ada", failures=("no alert",) if name == self._failing else ())


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put played stories in the place of scenes; return what was opened, and a word that names what fails."""
    heard: dict[str, Any] = {"options": [], "failing": ""}

    @contextmanager
    def scene(options: AgentsOptions, _: object) -> Iterator[Story]:
        heard["options"].append(options)
        if options.keep is not None:
            options.keep.mkdir(parents=True)
        yield Story(options, heard["failing"])

    made = {name: replace(one, command=lambda _: []) for name, one in PROGRAMS.items()}
    monkeypatch.setattr(agents_run, "PROGRAMS", made)
    monkeypatch.setattr(agents_run, "scene", scene)
    return heard


@pytest.mark.parametrize(
    ("text", "names"),
    [("codex", ("codex",)), ("gemini-cli, codex", ("gemini-cli", "codex")), ("codex,codex", ("codex",))],
)
def test_a_list_names_programs_in_its_order_each_once(text: str, names: tuple[str, ...]) -> None:
    """Spaces beside a comma are nothing."""
    assert named_programs(text) == names


@pytest.mark.parametrize("text", ["", "codex,", "claude", "codex;gemini-cli"])
def test_a_name_that_is_no_programs_is_refused_with_those_that_are(text: str) -> None:
    """Before anything is started."""
    with pytest.raises(SetupError, match="must be one of codex, gemini-cli, or several with commas, got"):
        named_programs(text)


def test_several_are_played_in_turn_and_kept_apart(
    played: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same seed for each; a list of summaries on standard output, in their order."""
    assert run_agents_demo(BOTH, AgentsOptions(seed=7, keep=tmp_path / "kept"), is_json=True) == 0
    folders = [tmp_path / "kept" / name for name in BOTH]
    wanted = [AgentsOptions(name, 7, keep) for name, keep in zip(BOTH, folders, strict=True)]
    assert played["options"] == wanted
    shown = json.loads(capsys.readouterr().out)
    assert [one["agent_id"] for one in shown] == ["codex/ada", "gemini-cli/ada"]
    assert [json.loads((one / "summary.json").read_text()) for one in folders] == shown


def test_one_is_kept_and_shown_as_itself(
    played: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object, and a folder that holds no other."""
    assert run_agents_demo(["codex"], AgentsOptions(keep=tmp_path / "kept"), is_json=True) == 0
    assert played["options"] == [AgentsOptions("codex", 1, tmp_path / "kept")]
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "kept" / "summary.json").read_text())


@pytest.mark.parametrize("failing", BOTH)
def test_one_story_that_fails_fails_the_run_and_hides_none(
    played: dict[str, Any], failing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other is played all the same, before it or after it."""
    played["failing"] = failing
    assert run_agents_demo(BOTH, AgentsOptions(), is_json=True) == 1
    shown = json.loads(capsys.readouterr().out)
    assert {one["agent_id"]: bool(one["failures"]) for one in shown} == {
        f"{name}/ada": name == failing for name in BOTH
    }
