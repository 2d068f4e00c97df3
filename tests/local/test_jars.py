"""The jars of the real Kafka are those of the lock, byte for byte, or nothing starts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.local import jars
from detector.local.cache import cache_dir
from detector.local.jars import LockedJar, kafka_jars, read_lock


def test_the_lock_names_a_whole_kafka_and_no_host() -> None:
    """46 jars with digest and size; where they come from is the resolver's business."""
    locked = read_lock()
    assert len(locked) == 46
    assert {"kafka_2.13", "kafka-clients", "log4j-core", "log4j-slf4j-impl"} <= {jar.artifact for jar in locked}
    assert {jar.version for jar in locked if jar.group == "org.apache.kafka"} == {"4.1.1"}
    text = (Path(jars.__file__).parent / jars.LOCK_NAME).read_text()
    assert not re.search(r"https?:|\.com/|/repository", text)


@pytest.mark.parametrize("line", ["a:b:1", "a:b 00 1", f"a:b:1 {'0' * 64} many", f"a:b {'0' * 64} 1"])
def test_a_line_that_is_none_is_refused(line: str) -> None:
    """A damaged lock is said, not guessed at."""
    with pytest.raises(SetupError, match="must be 'group:artifact:version sha256 bytes'"):
        read_lock(line)


@pytest.fixture
def one_jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LockedJar:
    """A lock of one small jar, an empty cache, and no KAFKA_HOME."""
    body = b"jar"
    jar = LockedJar("org.example", "tiny", "1", hashlib.sha256(body).hexdigest(), len(body))
    monkeypatch.setattr(jars, "read_lock", lambda: [jar])
    monkeypatch.setenv("DETECTOR_CACHE", str(tmp_path))
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    return jar


def _serve(monkeypatch: pytest.MonkeyPatch, folder: Path, body: bytes) -> list[str]:
    """Let the resolver bring these bytes; return what it was asked for."""
    asked: list[str] = []

    class Resolver:
        def download(self, artifact: object) -> Path:
            path = folder / "maven" / "org" / "example" / "tiny" / "1" / "tiny-1.jar"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            asked.append(str(artifact))
            return path

    monkeypatch.setattr("jgo.maven.PythonResolver", Resolver)
    return asked


def test_a_jar_is_fetched_once_and_its_progress_is_said(
    one_jar: LockedJar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run takes it from the cache in silence."""
    asked = _serve(monkeypatch, tmp_path, b"jar")
    said: list[str] = []
    first = kafka_jars(said.append)
    assert first == kafka_jars(said.append)
    assert len(asked) == 1
    assert "1 of 1 jars" in said[-1]


def test_a_jar_that_differs_is_removed_and_nothing_starts(
    one_jar: LockedJar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same name, same length, other bytes."""
    _serve(monkeypatch, tmp_path, b"jam")
    with pytest.raises(SetupError, match="do not trust the repository"):
        kafka_jars(lambda _: None)
    assert list(tmp_path.rglob("*.jar")) == []


def test_a_jar_damaged_in_the_cache_is_fetched_again(
    one_jar: LockedJar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupted download left is not taken for the jar."""
    asked = _serve(monkeypatch, tmp_path, b"jar")
    (path,) = kafka_jars(lambda _: None)
    path.write_bytes(b"ja")
    kafka_jars(lambda _: None)
    assert (len(asked), path.read_bytes()) == (2, b"jar")


def test_an_unreachable_repository_says_what_else_could_be_done(
    one_jar: LockedJar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network, KAFKA_HOME, or the embedded broker."""

    class Resolver:
        def download(self, artifact: object) -> Path:
            raise ConnectionError("no route")

    monkeypatch.setattr("jgo.maven.PythonResolver", Resolver)
    with pytest.raises(SetupError, match="set KAFKA_HOME, or set DETECTOR_BROKER=embedded"):
        kafka_jars(lambda _: None)


def test_kafka_home_is_taken_as_it_is_and_refused_when_it_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unpacked Kafka wins over any download."""
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(SetupError, match="KAFKA_HOME"):
        kafka_jars(lambda _: None)
    (tmp_path / "libs").mkdir()
    jar = tmp_path / "libs" / "kafka_2.13-4.1.1.jar"
    jar.write_bytes(b"")
    assert kafka_jars(lambda _: None) == [jar]


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DETECTOR_CACHE, then XDG_CACHE_HOME, then the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("DETECTOR_CACHE", raising=False)
    assert cache_dir() == tmp_path / "xdg" / "agent-behaviour-detector"
    monkeypatch.setenv("DETECTOR_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DETECTOR_CACHE", str(tmp_path / "file" / "under"))
    with pytest.raises(SetupError, match="DETECTOR_CACHE"):
        cache_dir()
