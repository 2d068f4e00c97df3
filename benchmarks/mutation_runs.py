"""Tests run on a changed module: in a forked process, the change in memory, so no file is ever touched.

A server process imports the libraries once and forks for every mutant: a child answers within milliseconds instead of
seconds, and whatever a mutant does to its process ends with it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.abc
import importlib.machinery
import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Literal, Self

import pytest

from benchmarks.mutations import Place

_GRACE_S = 20.0
_LIBRARIES = (
    "numba numpy pytest hypothesis msgspec pydantic pydantic_settings structlog stamina prometheus_client tomlkit "
    "typer sklearn.ensemble river.anomaly confluent_kafka aiokafka faust"
).split()
PASSED, OUT_OF_TIME = 0, 77
"""Exit statuses of a child whose tests found nothing: all have run, or the time was up."""


class _Changed(importlib.abc.Loader):
    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed source in the module's place."""
        exec(compile(self._text, self._file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - our own source


class _Finder(importlib.abc.MetaPathFinder):
    """Give out one module changed, and leave all others to the ordinary finders."""

    def __init__(self, module: str, text: str, file: str) -> None:
        self._module, self._loader, self._file = module, _Changed(text, file), file

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Return where the changed module comes from, None for every other."""
        if name != self._module:
            return None
        spec = importlib.machinery.ModuleSpec(name, self._loader, origin=self._file)
        spec.has_location = True
        return spec


class _Clock:
    """Ends a run between two tests when its time is up."""

    def __init__(self, limit_s: float) -> None:
        self._until = time.monotonic() + limit_s
        self.is_up = False

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Stop the session before a test that would begin too late."""
        if time.monotonic() > self._until:
            self.is_up = True
            item.session.shouldstop = "the time of this mutant is up"


def _child(order: dict[str, Any]) -> int:
    """Run the tests on the changed module; return 0 if they noticed nothing."""
    from numba import config

    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    os.setpgrp()
    config.DISABLE_JIT = int(order["plain"])
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-m", "not kafka and not integration"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins are imported already
    if order["plain"]:
        os.environ["NUMBA_DISABLE_JIT"] = "1"
        options += ["-W", "ignore::RuntimeWarning"]  # hashes wrap around, as they do in compiled code
    if order["text"] is not None:
        sys.meta_path.insert(0, _Finder(order["module"], order["text"], order["file"]))
    clock = _Clock(order["limit_s"])
    status = int(pytest.main([*options, *order["tests"]], plugins=[clock]))
    return OUT_OF_TIME if clock.is_up and status in {0, 2} else status


def serve() -> None:
    """Read orders, one a line, fork for each, write the exit status; a child that hangs is killed."""
    import detector  # noqa: F401 - names the folder of the kernels before numba reads it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _LIBRARIES:
            __import__(name)
    with contextlib.suppress(OSError):  # a benchmark before this one may have kept to one core
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                status = _child(order)
            os._exit(status)
        print(_ended(child, order["limit_s"] + _GRACE_S), flush=True)


def _ended(child: int, limit_s: float) -> str:
    """Return the exit status of a child, ``hung`` if it had to be killed; its own children go with it."""
    watch = os.pidfd_open(child)
    try:
        is_done = bool(select.select([watch], [], [], limit_s)[0])
    finally:
        os.close(watch)
    for victim in (os.killpg, os.kill):
        if not is_done or victim is os.killpg:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                victim(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return str(status) if is_done else "hung"


class Runner:
    """Servers, one a core, that run tests on changed modules.

    Parameters
    ----------
    root : Path
        The checkout; nothing in it is written.
    limit_s : float
        Seconds of tests for one mutant.
    """

    def __init__(self, root: Path, limit_s: float) -> None:
        self._root, self._limit_s = root, limit_s
        self.workers = max(1, os.cpu_count() or 1)
        self._free: list[subprocess.Popen[str]] = []
        self._all: list[subprocess.Popen[str]] = []
        self._lock = Lock()

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": str(self._root), "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-c", "from benchmarks.mutation_runs import serve; serve()"]
        for _ in range(self.workers):
            server = subprocess.Popen(
                command,
                cwd=self._root,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._all.append(server)
        for server in self._all:
            if server.stdout is None or server.stdout.readline() != "ready\n":
                msg = "a server of mutants must start, got an end: run `make test` first"
                raise RuntimeError(msg)
        self._free = list(self._all)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._all:
            server.kill()
            server.wait()
            for stream in (server.stdin, server.stdout):
                if stream is not None:
                    stream.close()

    def _run(self, order: dict[str, Any]) -> str:
        with self._lock:
            server = self._free.pop()
        try:
            assert server.stdin is not None  # noqa: S101 - opened above
            assert server.stdout is not None  # noqa: S101
            server.stdin.write(json.dumps(order) + "\n")
            server.stdin.flush()
            return server.stdout.readline().strip()
        finally:
            with self._lock:
                self._free.append(server)

    def _order(self, tests: Sequence[str], *, plain: bool) -> dict[str, Any]:
        return {"tests": list(tests), "plain": plain, "limit_s": self._limit_s, "text": None}

    def check_unchanged(self, tests: Sequence[str], places: Iterable[Place]) -> None:
        """Run the tests on the code as it is, in each way that its mutants will run; raise if they do not pass."""
        for plain in sorted({place.in_kernels for place in places}):
            limit_s = self._limit_s if plain else 10 * self._limit_s  # the first run may have to compile
            status = self._run({**self._order(tests, plain=plain), "limit_s": limit_s})
            if status not in {str(PASSED), str(OUT_OF_TIME)}:
                way = "in plain Python" if plain else "compiled"
                msg = f"tests {' '.join(tests)} must pass unchanged, {way}, got status {status}: run them by hand"
                raise RuntimeError(msg)

    def fate(self, place: Place, text: str, tests: Sequence[str]) -> Literal["killed", "hung", "survived"]:
        """Return what the tests made of a changed module."""
        order = self._order(tests, plain=place.in_kernels)
        status = self._run({**order, "module": place.module, "file": str(place.file), "text": text})
        if status == "hung":
            return "hung"
        return "survived" if status in {str(PASSED), str(OUT_OF_TIME)} else "killed"
