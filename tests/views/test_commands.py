"""The commands of this room: exit statuses, options, the shell's completion."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from detector import cli
from detector.errors import SetupError
from detector.views.commands import app
from tests.sinks.alerts import make
from tests.views.deployment import names_of, put, tell

RUN = CliRunner()


def test_each_command_reads_the_deployment_it_is_given(kafka: dict[str, Any]) -> None:
    """Lines to paste reach the same brokers; status 1 says that something is not known."""
    names = names_of(kafka, "commands.")
    tell(kafka, names, make("a-1"))
    put(kafka, names.deadletter, "a-1", b"{}", headers=[("reason", b"empty")])
    where = ["--bootstrap", kafka["bootstrap.servers"], "--topic-prefix", "commands."]
    alerts = RUN.invoke(app, ["alerts", *where])
    assert alerts.exit_code == 0, alerts.output
    line = f"confirm --by NAME --reason TEXT --bootstrap={kafka['bootstrap.servers']} --topic-prefix=commands."
    assert line in alerts.stdout
    letters = RUN.invoke(app, ["deadletters", *where])
    assert (letters.exit_code, letters.stdout.count("empty  1")) == (0, 1)
    assert RUN.invoke(app, ["deadletters", "--json", *where]).stdout.startswith('{"reason": "empty"')
    nowhere = RUN.invoke(app, ["status", *where[:2], "--topic-prefix", "nothing."])
    assert nowhere.exit_code == 1
    assert "unread     alerts: topic nothing.agent.alerts must be there" in nowhere.stdout


def test_a_wrong_time_is_refused() -> None:
    """Before a broker is asked."""
    for command in ("alerts", "deadletters"):
        with pytest.raises(SetupError, match="since must be"):
            RUN.invoke(app, [command, "--since", "soon"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("typed", "at", "offered"),
    [("detector dead", 1, "deadletters"), ("detector alerts --fol", 2, "--follow"), ("detector profile sh", 2, "show")],
)
def test_the_shell_completes_commands_and_options(typed: str, at: int, offered: str) -> None:
    """Names come from the table, options from the command itself."""
    asked = {"_DETECTOR_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(at)}
    assert offered in RUN.invoke(cli.app, [], env=asked, prog_name="detector").stdout.split()
