"""Recorded runs of the real programs, again: what they sent and asked leads to the same command and the same denial.

Recorded with Codex CLI 0.169.0, Gemini CLI 0.61.0, the Collector 0.155.0 and Kafka 4.1.1 by
``python -m tests.demo.record_agents``. Here everything of theirs is read from files, and everything of ours runs,
without Kafka and without a clock.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from detector.bridge.stage import staged
from detector.demo.agents import FLEET, PROGRAMS
from detector.demo.program import Program
from detector.demo.recorded import history, read_recording
from detector.edge.metrics import EdgeMetrics
from detector.edge.point import EnforcementPoint, HookRequest
from detector.edge.view import PolicyView
from detector.otlp.mapper import Mapper
from detector.pipeline import Pipeline
from detector.profile.load import load_profile
from detector.response.stage import ResponseStage
from detector.schema.acks import PolicyAck
from detector.schema.alert import Alert
from detector.schema.command import PolicyState
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector_gate import options_of, subjects_of
from tests.edge.states import SetClock, record

FOLDER = Path(__file__).with_name("recorded")
NAMES = TopicNames()


class Replayed(NamedTuple):
    """What was recorded of a program, and what our side made of the telemetry."""

    facts: dict[str, Any]
    hooks: list[dict[str, Any]]
    alerts: list[Alert]
    states: list[PolicyState]


def _is_denied(hook: dict[str, Any]) -> bool:
    return hook["status"] != 0 or '"deny"' in hook["stdout"]


def replayed(program: Program, *, has_history: bool = True) -> Replayed:
    """Return what becomes of the recorded live telemetry, behind the history the operator vouched for, or without."""
    facts = json.loads((FOLDER / f"{program.source}.json").read_text(encoding="utf-8"))
    lines = (FOLDER / f"{program.source}-hooks.jsonl").read_text(encoding="utf-8").splitlines()
    profile, sessions = load_profile(), read_recording(program.recording, program.session_id)
    before = list(history(sessions, FLEET, facts["until"], facts["seed"])) if has_history else []
    live = gzip.decompress((FOLDER / f"{program.source}-live.otlp.gz").read_bytes())
    mapper, pipeline = Mapper(), Pipeline(profile, trusted_until=facts["until"] if has_history else None)
    stage = ResponseStage(profile.response, profile.id, profile.levels, "enforce")
    alerts: list[Alert] = []
    states: list[PolicyState] = []
    for raw in [*before, live]:
        outputs, _ = staged([Record(raw)], mapper, NAMES)
        outcome = pipeline.process([Record(one.value, one.key) for one in outputs if one.topic == NAMES.events])
        assert not outcome.refusals
        for alert in outcome.alerts:
            alerts.append(alert)
            states += [one for one in stage.on_alert(alert).records if isinstance(one, PolicyState)]
    return Replayed(facts, [json.loads(line) for line in lines], alerts, states)


@pytest.fixture(scope="module", params=PROGRAMS.values(), ids=list(PROGRAMS))
def program(request: pytest.FixtureRequest) -> Program:
    """Return each program."""
    found = request.param
    assert isinstance(found, Program)
    return found


@pytest.fixture(scope="module")
def again(program: Program) -> Replayed:
    """Return the replay, made once a program."""
    return replayed(program)


class Point:
    """An enforcement point that hears and is asked as the recorded one was."""

    def __init__(self, now: float) -> None:
        self.acks: list[PolicyAck] = []
        view = PolicyView(SetClock(now), SetClock(1_000.0))
        self.point = EnforcementPoint(view, "edge/demo", EdgeMetrics(), self._take)
        self.point.confirmed(1_000.0)

    def _take(self, ack: PolicyAck) -> bool:
        self.acks.append(ack)
        return True

    def ask(self, hook: dict[str, Any], user: str = "root") -> tuple[int, str]:
        """Return status and standard output of a recorded call, asked as the gate asks."""
        options = options_of(hook["options"])
        subjects = subjects_of(options, user, {"OTEL_RESOURCE_ATTRIBUTES": hook["resource"].replace("root", user)})
        body = json.dumps(hook["input"]).encode()
        status, stdout, _ = self.point.answer(HookRequest(body, tuple(subjects), options.product))
        return status, stdout


def test_the_recorded_odd_act_alerts_and_nothing_else_does(again: Replayed) -> None:
    """One session of four, with the finding and the severity that the live run had, and its score.

    To a tenth: by the broker's receipt times, which a file has none of, the live run had closed a session less.
    """
    told = again.facts["summary"]
    assert len({alert.finding_uid for alert in again.alerts}) == 1
    first = again.alerts[0]
    assert first.agent_id == told["agent_id"]
    assert first.title == told["why"]
    assert first.severity == told["severity"].lower()
    assert first.score is not None
    assert first.score == pytest.approx(told["score"], abs=0.1)


def test_without_the_history_the_same_act_commands_nothing(program: Program) -> None:
    """The harmless twin of the learning phase: who is not vouched for is learning, and nobody is contained for it."""
    assert replayed(program, has_history=False).states == []


def test_the_recorded_call_is_denied_again_in_the_same_words(again: Replayed) -> None:
    """Before the command every recorded call passes; after it the recorded one is denied, command id and all."""
    hooks, acks = again.hooks, again.facts["acks"]
    denied = [hook for hook in hooks if _is_denied(hook)]
    before = hooks[: hooks.index(denied[0])]
    assert len(denied) == 1
    assert before
    scene = Point(acks[0]["first_at"])
    assert {scene.ask(hook) for hook in before} == {(0, "")}
    scene.point.heard(*record(again.states[0]))
    status, stdout = scene.ask(denied[0])
    assert (status, json.loads(stdout)) == (denied[0]["status"], json.loads(denied[0]["stdout"]))
    assert scene.ask(denied[0], user="ada") == (0, "")


def test_the_point_acknowledges_what_the_recorded_one_did(again: Replayed) -> None:
    """Applied, denied, and applied again where the finding grew: the recorded command, session and call."""
    wanted = again.facts["acks"]
    scene = Point(wanted[0]["first_at"])
    scene.point.heard(*record(again.states[0]), written_at=wanted[0]["first_at"])
    scene.ask(next(hook for hook in again.hooks if _is_denied(hook)))
    for state in again.states[1:]:
        scene.point.heard(*record(state), written_at=wanted[-1]["first_at"])
    same = ("command_id", "revision", "subject", "status", "tier", "product", "tool", "session_id", "call_id", "why")
    told = [one.model_dump(mode="json", by_alias=True) for one in scene.acks]
    assert [[ack[name] for name in same] for ack in told] == [[ack[name] for name in same] for ack in wanted]


@pytest.mark.parametrize("name", ["{}.json", "{}-hooks.jsonl", "{}-live.otlp.gz"])
def test_a_recording_holds_no_place_of_the_machine_it_was_made_on(program: Program, name: str) -> None:
    """Paths of the run's folders are renamed; prompts and answers never stood in it."""
    raw = (FOLDER / name.format(program.source)).read_bytes()
    text = gzip.decompress(raw) if name.endswith(".gz") else raw
    assert b"/tmp/" not in text.replace(b"/.gemini/tmp/", b"")  # a folder of that name is the program's own
    assert b"made up for this run" not in text
    assert b"return sum(bills)" not in text
    if program.sees_commands or "hooks" in name:
        assert b"id_ed25519" in text
    else:
        assert b"id_ed25519" not in text  # what its telemetry never says
