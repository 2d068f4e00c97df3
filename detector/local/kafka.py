"""A real one-node Apache Kafka (KRaft, broker and controller in one process) that lives as long as its owner."""

from __future__ import annotations

import base64
import os
import random
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from detector.errors import SetupError
from detector.local.jars import kafka_jars
from detector.local.java import find_java
from detector.local.probe import answering_cluster

HEAP = "512m"
"""Enough for 300,000 messages (0.36 GB resident measured); small enough for a laptop."""
START_S = 90.0
QUIET_PORTS = range(20_000, 32_000)
TRIES = 20
"""Ports of these that are tried before the system is asked for one."""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
num.partitions=4
default.replication.factor=1
min.insync.replicas=1
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=2000
num.network.threads=2
num.io.threads=4
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
"""
LOGGING = """\
status = warn
appender.f.type = File
appender.f.name = F
appender.f.fileName = {folder}/logs/server.log
appender.f.layout.type = PatternLayout
appender.f.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.f.ref = F
"""


def _silent(_: str) -> None:
    """Say nothing."""


class LocalKafka:
    """One Kafka node on loopback; a context manager that has started it and stops it.

    The broker ends with the process that started it (``detector.local.guard``), so an interrupted run leaves nothing
    behind.
    Data stay in the folder: started again on it, the same cluster goes on.

    Parameters
    ----------
    folder : Path
        Configuration, data, logs and ``broker.pid``; made if missing.
    port : int, optional
        Port of the listener on 127.0.0.1; a free one if None. Kept over restarts on the same folder.
    say : callable, optional
        Is told what is downloaded and started.
    extra : str, optional
        Further lines of ``server.properties``; they win over ours.

    Raises
    ------
    SetupError
        No Java, no jars, the folder is in use, or the broker does not come up.
    """

    def __init__(
        self, folder: Path, port: int | None = None, say: Callable[[str], None] = _silent, extra: str = ""
    ) -> None:
        self.folder = Path(folder).resolve()
        self.extra = extra
        self.say = say
        self.port = port or free_port()
        self._guard: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients, ``host:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Return itself once the broker answers; a folder used before is continued."""
        self._refuse_a_used_folder()
        self._refuse_a_taken_port()
        command = [str(find_java()), *self._java_options(kafka_jars(self.say))]
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._configure(command)
        self.say(f"Apache Kafka: starting on {self.bootstrap}")
        guard = self._spawn([*command, "kafka.Kafka", str(self.folder / "server.properties")])
        try:
            self._wait_until_it_answers(guard)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Shut the broker down in an orderly way; nothing happens if it is down."""
        self._end(is_orderly=True)

    def kill(self) -> None:
        """End the broker at once, as ``kill -9`` does; its data stay."""
        self._end(is_orderly=False)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, *, is_orderly: bool) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        if not is_orderly and self.pid is not None and guard.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        for pipe in (guard.stdin, guard.stdout):  # the guard ends the broker when its input closes
            if pipe is not None:
                pipe.close()
        guard.wait()
        self.pid = None
        (self.folder / "broker.pid").unlink(missing_ok=True)

    def _refuse_a_used_folder(self) -> None:
        pid = running_pid(self.folder)
        if pid is not None:
            msg = f"folder of the local Kafka must be free, got {self.folder} in use by {pid}: stop it or name another"
            raise SetupError(msg)

    def _refuse_a_taken_port(self) -> None:
        self.port = self._kept_port() or self.port
        with socket.socket() as probe:
            # as Java binds: what a stopped broker leaves in TIME_WAIT is no obstacle
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as exc:
                msg = (
                    f"port of the local Kafka must be free, got {self.port} ({exc.strerror}): "
                    "stop what listens there, or name another port and folder"
                )
                raise SetupError(msg) from exc

    def _kept_port(self) -> int | None:
        """Return the port of the cluster that lies in the folder, None if there is none: the two belong together."""
        try:
            text = (self.folder / "server.properties").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return int(text.split("advertised.listeners=PLAINTEXT://127.0.0.1:")[1].split()[0])

    def _java_options(self, jars: list[Path]) -> list[str]:
        return [
            f"-Xms{HEAP}",
            f"-Xmx{HEAP}",
            "-XX:+UseG1GC",
            "-Djava.awt.headless=true",
            f"-Dkafka.logs.dir={self.folder}/logs",
            f"-Dlog4j2.configurationFile=file:{self.folder}/log4j2.properties",
            "-cp",
            os.pathsep.join(map(str, jars)),
        ]

    def _configure(self, command: list[str]) -> None:
        properties = self.folder / "server.properties"
        if properties.exists():
            return
        (self.folder / "log4j2.properties").write_text(LOGGING.format(folder=self.folder), encoding="utf-8")
        text = PROPERTIES.format(port=self.port, controller_port=free_port(self.port), folder=self.folder) + self.extra
        draft = properties.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        # 22 characters of URL-safe base64 that never begin with '-', which would read as an option
        cluster = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(draft), "--ignore-formatted"]
        ran = subprocess.run([*command, *tool], capture_output=True, text=True, timeout=START_S, check=False)
        if ran.returncode:
            said = [line for line in (ran.stderr or ran.stdout).splitlines() if line and not line.startswith("\tat ")]
            last = said[-1:]  # without the stack: its last frame is always the same
            msg = f"folder of the local Kafka must be formattable, got {self.folder} ({last}): free the disk"
            raise SetupError(msg)
        draft.rename(properties)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "logs" / "stdout.log").open("ab") as log:
            guard = self._guard = subprocess.Popen(
                [sys.executable, "-m", "detector.local.guard", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C goes to the owner, who stops the broker last
            )
        self.pid = int(guard.stdout.readline() or 0) or None if guard.stdout else None
        (self.folder / "broker.pid").write_text(str(self.pid), encoding="utf-8")
        return guard

    def _wait_until_it_answers(self, guard: subprocess.Popen[bytes]) -> None:
        found = answering_cluster(self.bootstrap, START_S, lambda: guard.poll() is None)
        if found is None:
            ended = guard.poll()
            what = "no answer" if ended is None else f"exit status {ended}"
            msg = (
                f"local Kafka of {self.folder} must answer within {START_S:.0f} s, got {what}: "
                f"read {self.folder}/logs/server.log and stdout.log"
            )
            raise SetupError(msg)
        ours = _cluster_of(self.folder)
        if found != ours:
            msg = (
                f"node that answers on {self.bootstrap} must be the one started (cluster {ours}), got cluster {found}: "
                "another broker took the port; stop it, or name another port and folder"
            )
            raise SetupError(msg)


def _cluster_of(folder: Path) -> str:
    """Return the id of the cluster that was formatted in a folder."""
    lines = (folder / "data" / "meta.properties").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id="))


def running_pid(folder: Path) -> int | None:
    """Return the process id of the broker that runs on a folder, None if none does."""
    try:
        pid = int((folder / "broker.pid").read_text(encoding="utf-8"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(folder).encode() in command else None


def free_port(other_than: int = 0) -> int:
    """Return a port of 127.0.0.1 nobody listens on now, and not one that is promised already.

    Below those that the system gives to connections on their way out: one of these would take it before it is used.
    """
    while True:
        for tried in (*random.sample(QUIET_PORTS, TRIES), 0):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", tried))
                except OSError:
                    continue
                port = int(probe.getsockname()[1])
            if port != other_than:
                return port
