"""What the demo knows of each program: its ordinary days are everyday, and its odd act is found in its telemetry."""

from __future__ import annotations

import random

import pytest

from detector.demo.agents import PROGRAMS
from detector.demo.codex import CODEX
from detector.demo.dialects import COMMAND
from detector.demo.errands import SECRETS, odd_act
from detector.demo.gemini_cli import GEMINI_CLI
from detector.demo.program import Program
from detector.demo.recorded import read_recording
from detector.edge.connect import plan_of
from detector.otlp.explain import explain
from tests.edge.test_connect import VALUES

EACH = pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
ODD = odd_act("http://127.0.0.1:1")


@EACH
def test_errands_are_everyday_and_the_odd_act_is_none_of_them(program: Program) -> None:
    """The same chance is the same errand; the odd act names files that the errands never do."""
    first, again = (program.work.errand(random.Random(3)) for _ in range(2))
    assert first == again
    assert 4 <= len(first) <= 8
    assert all(name in ODD.arguments[COMMAND] for name in SECRETS)
    everything = [*program.work.looking, *program.work.working, *program.work.waiting]
    assert not any(name in value for call in everything for value in call.arguments.values() for name in SECRETS)


@EACH
def test_no_event_of_the_recorded_ordinary_days_is_the_odd_act(program: Program) -> None:
    """Or the times that are counted from it would be another call's."""
    sessions = read_recording(program.recording, program.session_id)
    told = [one.event for session in sessions for one in explain(session.request.SerializeToString())]
    events = [{"name": event.name, "target": event.target} for event in told if event is not None]
    assert len(events) > 200
    assert not any(program.is_act(event, ODD) for event in events)


@pytest.mark.parametrize(
    ("program", "event", "is_act"),
    [
        (CODEX, {"name": "exec_command", "target": ODD.arguments[COMMAND][:20]}, True),
        (CODEX, {"name": "exec_command", "target": "ls"}, False),
        (CODEX, {"name": "config", "target": None}, False),
        (CODEX, {"name": "config"}, False),
        (GEMINI_CLI, {"name": "run_shell_command"}, True),
        (GEMINI_CLI, {"name": "read_file"}, False),
        (GEMINI_CLI, {}, False),
    ],
)
def test_the_odd_act_is_known_by_what_the_program_tells_of_it(
    program: Program, event: dict[str, object], is_act: bool
) -> None:
    """Codex says the command, Gemini CLI no more than the tool."""
    assert program.is_act(event, ODD) is is_act


@EACH
def test_each_printed_file_of_a_program_has_its_place(program: Program) -> None:
    """What `detector connect` prints for the agent's machine is what the demo lays below its own /etc."""
    of_machine = {one.to.split(" ")[0] for one in plan_of(program.source, VALUES).files if one.to[0] == "/"}
    known = tuple(program.places)
    assert of_machine
    assert all(place.startswith(known) for place in of_machine)
