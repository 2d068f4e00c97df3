"""The jars of a real Kafka: fetched once by jgo's pure-Python Maven resolver, checked against a lock with sha256."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from detector.errors import SetupError
from detector.local.cache import cache_dir, cache_lock

LOCK_NAME = "kafka-jars.lock"
PARALLEL_DOWNLOADS = 4
"""Jars fetched at a time: 46 small files wait for the network, not for the processor."""

Say = Callable[[str], None]


class LockedJar(NamedTuple):
    """One line of the lock: Maven coordinate, digest and size of one jar."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def path_in_repository(self) -> Path:
        """Where a Maven repository keeps this jar."""
        return Path(*self.group.split("."), self.artifact, self.version, f"{self.artifact}-{self.version}.jar")


def read_lock(text: str | None = None) -> list[LockedJar]:
    """Return the jars the checked-in lock names, in its order.

    Parameters
    ----------
    text : str, optional
        Text of a lock; the one shipped with the package if None.

    Raises
    ------
    SetupError
        A line is not ``group:artifact:version sha256 bytes``.
    """
    if text is None:
        text = importlib.resources.files("detector.local").joinpath(LOCK_NAME).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [_parse(line) for line in lines]


def _parse(line: str) -> LockedJar:
    parts = line.split()
    names = parts[0].split(":") if parts else []
    if len(parts) != 3 or len(names) != 3 or len(parts[1]) != 64 or not parts[2].isdigit():
        msg = f"line of {LOCK_NAME} must be 'group:artifact:version sha256 bytes', got {line!r}: restore the file"
        raise SetupError(msg)
    return LockedJar(names[0], names[1], names[2], parts[1], int(parts[2]))


def kafka_jars(say: Say) -> list[Path]:
    """Return the class path of a Kafka broker as paths of verified jars.

    ``KAFKA_HOME`` wins (its own ``libs`` are taken as they are); otherwise every jar of the lock is taken from the
    cache folder, or fetched into it, and its digest is compared each time.

    Parameters
    ----------
    say : callable
        Is told, in whole sentences, what is downloaded and how far it is.

    Raises
    ------
    SetupError
        ``KAFKA_HOME`` holds no Kafka, ``jgo`` is missing, the repository cannot be reached, or a digest differs.
    """
    home = os.environ.get("KAFKA_HOME")
    if home:
        return _jars_of_home(Path(home))
    folder = cache_dir() / "maven"
    folder.mkdir(exist_ok=True)
    jars = read_lock()
    with cache_lock(folder):
        missing = [jar for jar in jars if not _is_intact(folder / jar.path_in_repository, jar)]
        if missing:
            _fetch_all(missing, folder, say)
    return [folder / jar.path_in_repository for jar in jars]


def _jars_of_home(home: Path) -> list[Path]:
    found = sorted((home / "libs").glob("*.jar"))
    if not any(path.name.startswith("kafka_2.13-") for path in found):
        msg = (
            f"KAFKA_HOME of the environment must be an unpacked Apache Kafka with libs/kafka_2.13-*.jar, got {home}: "
            "correct it, or unset it to let the jars be fetched"
        )
        raise SetupError(msg)
    return found


def _is_intact(path: Path, jar: LockedJar) -> bool:
    if not path.exists() or path.stat().st_size != jar.size:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256


def _fetch_all(jars: list[LockedJar], folder: Path, say: Say) -> None:
    fetch = _fetcher(folder)
    total_mb = sum(jar.size for jar in jars) / 1e6
    say(f"Apache Kafka: fetching {len(jars)} jars ({total_mb:.1f} MB) from the Maven repository into {folder}, once")
    done_mb = 0.0
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        waiting = {pool.submit(fetch, jar): jar for jar in jars}
        try:
            for count, future in enumerate(as_completed(waiting), start=1):
                future.result()
                done_mb += waiting[future].size / 1e6
                say(f"Apache Kafka: {count} of {len(jars)} jars, {done_mb:.1f} of {total_mb:.1f} MB")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetcher(folder: Path) -> Callable[[LockedJar], None]:
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as exc:
        msg = (
            "jgo of this Python must be installed to fetch Apache Kafka, got no such package: "
            "pip install 'agent-behaviour-detector[local]', or set KAFKA_HOME, or set DETECTOR_BROKER=embedded"
        )
        raise SetupError(msg) from exc
    context = MavenContext(resolver=PythonResolver(), repo_cache=folder, local_repos=[], timeout=60)

    def fetch(jar: LockedJar) -> None:
        path = folder / jar.path_in_repository
        path.unlink(missing_ok=True)  # what a broken download left would be taken for the jar
        try:
            context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (OSError, RuntimeError) as exc:
            msg = (
                f"{path.name} of the Maven repository must be reachable, got {type(exc).__name__}: "
                "check the network or proxy, set KAFKA_HOME, or set DETECTOR_BROKER=embedded"
            )
            raise SetupError(msg) from exc
        if not _is_intact(path, jar):
            path.unlink(missing_ok=True)
            msg = (
                f"sha256 of {path.name} must be {jar.sha256}, got another: the file was removed and nothing "
                "was started; try again, and if it differs again do not trust the repository"
            )
            raise SetupError(msg)

    return fetch
