"""The commands for people: what their help says and what they refuse."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from detector.desk.commands import app
from detector.errors import SetupError
from detector.sinks.renderings import RENDERINGS
from detector.sinks.transports import TRANSPORTS

RUN = CliRunner()


def test_the_help_of_siem_names_every_rendering_and_every_transport() -> None:
    """An entry of a table that nobody reads of is used by nobody."""
    told = RUN.invoke(app, ["siem", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert [name for name in RENDERINGS if name not in told] == []
    assert [scheme for scheme in TRANSPORTS if f"{scheme}://" not in told] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "syslog://siem", "--format", "cef"], "format of siem must be .*, got 'cef'"),
        (["--to", "relp://siem"], "target of siem must be syslog://HOST:PORT, .*, got scheme 'relp'"),
    ],
)
def test_siem_refuses_what_is_in_no_table(options: list[str], said: str) -> None:
    """Before a broker is asked for."""
    with pytest.raises(SetupError, match=said):
        RUN.invoke(app, ["siem", *options], catch_exceptions=False)
