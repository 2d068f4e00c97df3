"""Programs nobody here wrote: pinned by what ships beside the code, made once, and whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from detector.errors import SetupError
from detector.local.programs import BUILDER, CODEX, COLLECTOR, Say, codex_command, collector_command

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


def test_versions_are_pinned_with_digests_and_no_address() -> None:
    """The lock of npm has the integrity of each package; the Collector's parts and its builder are of one release."""
    lock = json.loads((CODEX / "package-lock.json").read_text())
    package = json.loads((CODEX / "package.json").read_text())
    wanted = package["dependencies"]["@openai/codex"]
    assert wanted[0].isdigit()
    for name, one in lock["packages"].items():
        if name:
            assert one["version"].startswith(wanted)
            assert one["integrity"].startswith("sha512-")
            assert "resolved" not in one
    built = yaml.safe_load((COLLECTOR / "builder.yaml").read_text())
    version = built["dist"]["version"]
    assert BUILDER.endswith(f"@v{version}")
    parts = [one["gomod"] for kind in ("receivers", "processors", "exporters") for one in built[kind]]
    assert {one.rsplit(" v", 1)[1] for one in parts} == {version}


@pytest.mark.parametrize(("command", "said"), [(codex_command, "Node.js"), (collector_command, "Go")])
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
