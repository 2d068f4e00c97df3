"""Programs nobody here wrote: pinned by what ships beside the code, made once, and whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from detector.errors import SetupError
from detector.local.programs import (
    BUILDER,
    CODEX,
    COLLECTOR,
    GEMINI,
    Say,
    codex_command,
    collector_command,
    gemini_command,
)

SILENT = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of the PATH; the cache is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DETECTOR_CACHE", str(tmp_path / "cache"))
    return folder


def _command(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(("folder", "named"), [(CODEX, "@openai/codex"), (GEMINI, "@google/gemini-cli")])
def test_a_program_of_npm_is_pinned_with_digests_and_no_address(folder: Path, named: str) -> None:
    """Its lock has one version and the integrity of each package, and asks whatever registry is configured."""
    lock = json.loads((folder / "package-lock.json").read_text())
    wanted = json.loads((folder / "package.json").read_text())["dependencies"][named]
    assert wanted[0].isdigit()
    assert lock["packages"][f"node_modules/{named}"]["version"] == wanted
    for name, one in lock["packages"].items():
        if name:
            assert one["version"][0].isdigit()
            assert one["integrity"].startswith("sha512-")
            assert "resolved" not in one


def test_the_collector_is_of_one_release() -> None:
    """Its parts and its builder."""
    built = yaml.safe_load((COLLECTOR / "builder.yaml").read_text())
    version = built["dist"]["version"]
    assert BUILDER.endswith(f"@v{version}")
    parts = [one["gomod"] for kind in ("receivers", "processors", "exporters") for one in built[kind]]
    assert {one.rsplit(" v", 1)[1] for one in parts} == {version}


@pytest.mark.parametrize(
    ("command", "said"), [(codex_command, "Node.js"), (gemini_command, "Node.js"), (collector_command, "Go")]
)
def test_a_missing_tool_is_named_with_what_it_is_for(
    command: Callable[[Say], list[str]], said: str, path: Path
) -> None:
    """Nothing is fetched for a machine that could not run it."""
    del path
    with pytest.raises(SetupError, match=said):
        command(print)


@pytest.mark.integration
def test_what_failed_leaves_nothing_and_is_tried_again(path: Path, tmp_path: Path) -> None:
    """A folder of the cache is whole: the next call makes it, and the one after only looks."""
    _command(path, "node", SILENT)
    _command(path, "npm", "#!/bin/sh\necho no network >&2\nexit 1\n")
    with pytest.raises(SetupError, match="no network"):
        codex_command(print)
    assert [one.name for one in (tmp_path / "cache" / "codex").iterdir()] == [".lock"]
    _command(path, "npm", SILENT)
    said: list[str] = []
    first = codex_command(said.append)
    assert len(said) == 1
    _command(path, "npm", "#!/bin/sh\nexit 1\n")
    assert codex_command(said.append) == first
    assert len(said) == 1
    assert (Path(first[1]).parents[4] / "package-lock.json").is_file()
