"""What the documents promise: commands, targets, links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.project.commands import options_of_all_commands, problems_of_command
from tests.project.sources import ROOT, name_of

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CHAPTERS = ["index.md", "data-path.md", "glossary.md", "threat-model.md", "operations.md"]


def _shell_lines(path: Path) -> list[str]:
    """Return the lines of the shell blocks, continuations joined, comments and prompts off."""
    blocks = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").replace("$(", ";").splitlines()]
    return [line.removeprefix("$ ").strip() for line in lines if line.strip()]


def _commands(path: Path, program: str) -> list[list[str]]:
    """Return the arguments of every call of a program, pipes and redirections cut."""
    found = []
    for line in _shell_lines(path):
        for part in re.split(r"\||&&|;", line):
            words = shlex.split(part, comments=True)
            names = [word.rsplit("/", 1)[-1] for word in words]
            if program in names:
                rest = words[names.index(program) + 1 :]
                found.append(rest[: rest.index(">")] if ">" in rest else rest)
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_quoted_command_is_understood(path: Path) -> None:
    """A reader can paste what the document shows."""
    problems = {tuple(words): problems_of_command(words) for words in _commands(path, "detector")}
    assert {words: found for words, found in problems.items() if found} == {}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_option_named_in_passing_is_one_of_ours(path: Path) -> None:
    """An option in running text is an option of some command, also when no command stands beside it."""
    named = set(re.findall(r"`(--[a-z-]+)", path.read_text("utf-8")))
    assert named - options_of_all_commands() == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_quoted_make_target_exists(path: Path) -> None:
    """``make x`` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    quoted = {word for words in _commands(path, "make") for word in words if re.fullmatch(r"[a-z]+", word)}
    assert quoted <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    """Relative links name files that exist."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


def test_the_readme_shows_both_commands() -> None:
    """A new user finds the two commands in the first screen."""
    first = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:40])
    assert "make demo" in first
    assert "make test" in first


def test_the_readme_mentions_every_command_of_the_command_line() -> None:
    """Nothing the product can do is left for the reader to guess."""
    from detector.cli import COMMANDS

    text = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"`detector {name}" not in text] == []


def test_the_index_leads_to_every_chapter() -> None:
    """No page of the documentation is an island."""
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert set(CHAPTERS) - {"index.md"} <= pages
    assert {page for page in pages if f"({page})" not in index} == set()


def test_nothing_of_a_developers_machine_is_in_the_tree() -> None:
    """No absolute path of somebody's disk, no registry's host."""
    pattern = re.compile(r"/(?:home|Users|root|work|opt/wheels)/|/tmp/[a-z]/|index-url *=|pypi\.org/simple")
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".lock", ".txt", ""}
    skipped = {".git", ".venv", "build", "__pycache__"}
    found = [
        f"{name_of(path)}: {match.group()}"
        for path in ROOT.rglob("*")
        if path.is_file() and path.suffix in kinds and not skipped & set(path.relative_to(ROOT).parts)
        if not any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts)
        if path != Path(__file__)
        if (match := pattern.search(path.read_text("utf-8", errors="replace")))
    ]
    assert found == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_source_a_page_names_is_there(page: Path) -> None:
    """A reader who is told a file finds it."""
    named = re.findall(
        r"(?<![\w/])(?:detector|tests|benchmarks|models)/[\w./-]*\.(?:py|toml)\b", page.read_text(encoding="utf-8")
    )
    missing = sorted(name for name in set(named) if not (ROOT / name).exists())
    assert not missing, missing


def test_every_room_stands_on_the_map() -> None:
    """A room that is added is drawn in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "detector").glob("*/__init__.py")}
    assert not sorted(room for room in rooms if f"`{room}`" not in text)


def test_every_rule_is_named_where_alerts_are_explained() -> None:
    """An analyst who may switch it on finds what there is."""
    from detector.rules import RULES

    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert not sorted(name for name in RULES if f"`{name}`" not in text)
