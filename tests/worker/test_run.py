"""How a worker ends: with a sentence, and not never."""

from __future__ import annotations

import http.client
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest
from faust.exceptions import ProducerSendError

from detector.errors import DeliveryError, SetupError
from detector.kernels import KernelStep
from detector.local.kafka import free_port
from detector.worker import run
from detector.worker.run import EXIT_CRASHED, EXIT_STUCK, _told
from detector.worker.settings import WorkerSettings

STUCK = """
import time
from types import SimpleNamespace
from detector.worker.run import _end_a_stuck_stop
_end_a_stuck_stop(SimpleNamespace(should_stop=True, fault={fault}), SimpleNamespace(should_stop=False), 0.1)
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("fault", "status", "sentence"),
    [
        ("None", EXIT_STUCK, "nothing is lost, start it again"),
        ("PermissionError('agent.alerts')", EXIT_CRASHED, "got PermissionError: agent.alerts"),
    ],
)
def test_a_stop_that_gets_stuck_is_ended_and_says_why(fault: str, status: int, sentence: str) -> None:
    """A client whose password was rotated, or whose rights are gone, waits for ever; the process does not."""
    code = STUCK.format(fault=fault)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == status
    assert sentence in ran.stderr


def test_what_ended_the_worker_is_told_in_one_sentence() -> None:
    """Our own errors speak for themselves; a client's is put into words."""
    ours = SetupError("say this")
    assert _told(ours) is ours
    told = _told(PermissionError("agent.alerts"))
    assert isinstance(told, DeliveryError)
    assert "PermissionError: agent.alerts" in str(told)
    assert isinstance(_told(ProducerSendError("agent.alerts: not authorized")), DeliveryError)


def test_a_fault_of_our_own_does_not_blame_the_broker() -> None:
    """Whoever reads the sentence must not look for rights that are in order."""
    told = _told(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError: division by zero" in str(told)
    assert "broker" not in str(told)


def test_probes_are_answered_while_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """An orchestrator does not restart a worker that compiles, and reads how far it is."""
    port, heard = free_port(), []

    def ask(path: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as asking:
            asking.request("GET", path)
            answer = asking.getresponse()
            return answer.status, answer.read().decode()

    class Compiling:
        def __init__(self, *_: object) -> None:
            heard.append(ask("/livez"))

        def warm_up(self, told: Callable[[KernelStep], None]) -> None:
            told(KernelStep("steps.look.observe", 3, 57))
            heard.append(ask("/livez"))
            heard.append(ask("/readyz"))

    def runs(*_: object) -> int:
        heard.append(ask("/readyz"))
        return 0

    monkeypatch.setattr(run, "check_broker", lambda *_, **__: heard.append(ask("/readyz")))
    monkeypatch.setattr(run, "ProfilePipelines", Compiling)
    monkeypatch.setattr(run, "run_app", runs)
    monkeypatch.setattr(run, "set_up_logging", lambda *_, **__: None)
    assert run.run_worker(WorkerSettings(listen_port=port, broker="embedded")) == 0
    assert heard == [
        (503, "checking topics and rights\n"),
        (200, "ok\n"),
        (200, "ok\n"),
        (503, "compiling 3 of 57 kernels: steps.look.observe\n"),
        (503, "no place in the consumer group yet\n"),
    ]


CRASH = """
import mode
from detector.worker.run import run_to_end

class Fetcher(mode.Service):
    @mode.Service.task
    async def _fetch(self):
        raise {fault}

class App(mode.Service):
    fault = None
    def on_init_dependencies(self):
        return [Fetcher()]

app = App()
worker = mode.Worker(app, quiet=True, daemon=True, loglevel="critical")
worker.spinner = None
try:
    print("status", run_to_end(app, worker))
except Exception as told:
    print("told", type(told).__name__, told)
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("fault", "kind"), [("ConnectionError('fetch')", "DeliveryError"), ("KeyError('fetch')", "DetectorError")]
)
def test_a_crash_inside_the_engine_is_told_with_its_reason(fault: str, kind: str) -> None:
    """Its fetcher ends with exit status 1 and a traceback; the sentence says what happened."""
    code = CRASH.format(fault=fault)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert f"told {kind} worker must" in ran.stdout, ran.stdout + ran.stderr
    assert f"got {fault.split('(', maxsplit=1)[0]}: " in ran.stdout


@pytest.mark.integration
@pytest.mark.parametrize("command", ["worker", "worker-settings", "topics", "siem", "release", "demo", "broker"])
def test_help_is_quick_and_imports_no_engine(command: str) -> None:
    """Nobody waits for Faust, numba, river or scikit-learn to read a line of help."""
    code = (
        "import sys\n"
        "from detector.cli import main\n"
        f"sys.argv = ['detector', {command!r}, '--help']\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "heavy = {'faust', 'numba', 'river', 'sklearn', 'confluent_kafka'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Usage: detector" in ran.stdout
