"""Pages made of code and data say what the code and data say."""

from __future__ import annotations

import pytest

from detector.channels.catalogue import BY_NAME
from detector.cli import COMMANDS, load
from detector.edge.connect import SOURCES, plan_of
from detector.schema.event import Event
from detector.worker.settings import WorkerSettings
from tests.project.sources import ROOT
from tests.site.pages import PAGES
from tests.site.sources import ADVICE

VALUES = {
    "endpoint": "http://127.0.0.1:4318",
    "brokers": "kafka:9092",
    "tenant": "acme",
    "gate": "/opt/gate/detector-gate",
    "logs": "otlp.logs",
    "spans": "otlp.spans",
    "authz": "127.0.0.1:4319",
}


def _section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next of its level."""
    level = heading.split(" ", maxsplit=1)[0]
    return page.split(f"\n{heading}\n", 1)[1].split(f"\n{level} ", 1)[0]


@pytest.mark.parametrize("place", PAGES)
def test_a_made_page_is_up_to_date(place: str) -> None:
    """`python -m tests.site.pages` would change nothing."""
    assert (ROOT / "docs" / place).read_text(encoding="utf-8") == PAGES[place]()


def test_every_option_of_every_command_is_on_the_page() -> None:
    """Each in the section of its command, commands of groups too."""
    page = PAGES["reference/commands.md"]()
    for name in COMMANDS:
        command = load(name)
        section = _section(page, f"## detector {name}")
        for inner in getattr(command, "commands", {"": command}).values():
            missing = [flag for param in inner.params for flag in param.opts if f"`{flag}`" not in section]
            assert not missing, f"{name}: {missing}"


@pytest.mark.parametrize(
    ("command", "row"),
    [
        ("alerts", "| `--most` | whole number, from 1 | `50` |"),
        ("demo", "| `--view`, `--no-view` |  | `--view` |"),
        ("worker", "| `--mode` | `shadow`, `enforce` | the profile's |"),
        ("verdict", "| `finding` | text | *required* |"),
    ],
)
def test_an_option_is_told_with_its_kind_and_default(command: str, row: str) -> None:
    """Bounds, choices, what a flag is when left out, and a default that only the help tells."""
    assert row in _section(PAGES["reference/commands.md"](), f"## detector {command}")


def test_every_setting_is_on_the_page() -> None:
    """With its variable and what it may be."""
    page = PAGES["reference/settings.md"]()
    assert [name for name in WorkerSettings.model_fields if f"| `DETECTOR_{name.upper()}` |" not in page] == []
    assert "| `DETECTOR_MICRO_BATCH` | `512` | whole number, from 1, up to 10000 |" in page


def test_every_channel_and_model_is_on_the_page() -> None:
    """A twin is told with the ids of the channel whose words it shares."""
    page = PAGES["reference/channels.md"]()
    assert [name for name in BY_NAME if f"\n| `{name}` |" not in page] == []
    assert f"that of `novelty` | origins told | {', '.join(BY_NAME['novelty'].asi)}" in page


def test_every_field_of_the_event_is_on_the_page() -> None:
    """Five are required."""
    section = _section(PAGES["schema/README.md"](), "## event.json")
    assert [name for name in Event.__struct_fields__ if f"| `{name}` |" not in section] == []
    assert section.count("| yes |") == 5


@pytest.mark.parametrize("source", SOURCES)
def test_what_connect_says_is_unseen_stands_on_the_page(source: str) -> None:
    """Word for word, below the source."""
    section = _section(PAGES["sources.md"](), f"## {source}")
    assert [gap for gap in plan_of(source, VALUES).unseen if f"- {gap}\n" not in section] == []


def test_every_piece_of_advice_stands_on_the_page() -> None:
    """A source that the page does not know would be left out silently."""
    import tomllib

    told = tomllib.loads(ADVICE.read_text(encoding="utf-8"))
    assert set(told) - {"any", "names"} <= set(SOURCES)
    page = PAGES["sources.md"]()
    rows = [f"| `{field}` | {words} |" for fields in told.values() for field, words in fields.items()]
    assert [row for row in rows if row not in page] == []
