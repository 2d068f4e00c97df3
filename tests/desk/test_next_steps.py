"""The commands that an alert tells are this program's: each is read as what it means, whoever named the agent."""

from __future__ import annotations

import shlex

import pytest
import typer.main

from detector.desk.commands import app
from detector.sinks.words import next_steps
from tests.sinks.alerts import make


def read(line: str) -> tuple[str, dict[str, object]]:
    """Return the command at the end of a step and its parameters, as the program reads them; nothing is run."""
    program, name, *words = shlex.split(line.partition(": ")[2])
    assert program == "detector"
    group = typer.main.get_command(app)
    command = group.commands[name]  # type: ignore[attr-defined]
    return name, command.make_context(name, words).params


@pytest.mark.parametrize("agent", ["agent-1", "--help", "-x", "a b", "it's; $(id)", "$HOME", "a: b"])
@pytest.mark.parametrize("tenant", ["default", "acme", "--by", "a b"])
def test_a_release_is_read_as_one_of_that_very_agent(agent: str, tenant: str) -> None:
    """An id is an attacker's text: it is no option and no second word."""
    name, told = read(next_steps(make(agent=agent, tenant=tenant))[-1])
    assert name == "release"
    assert (told["agent"], told["tenant"], told["by"], told["reason"]) == (agent, tenant, "NAME", "TEXT")


def test_the_verdicts_are_read_as_verdicts_on_the_finding() -> None:
    """All three."""
    alert = make()
    told = [read(line) for line in next_steps(alert)[1:4]]
    assert [name for name, _ in told] == ["verdict"] * 3
    assert [(one["finding"], one["kind"]) for _, one in told] == [
        (alert.finding_uid, kind) for kind in ("confirm", "dismiss", "safe")
    ]
