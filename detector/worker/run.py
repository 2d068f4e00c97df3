"""Runs a worker from its settings to its exit status."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from detector.clock import system_clock
from detector.errors import DeliveryError, DetectorError
from detector.kernels import KernelStep, at_times
from detector.profile.model import Profile
from detector.response.joined import JoinedStage
from detector.response.ladder import mode_of
from detector.worker.clients import confluent_options
from detector.worker.factory import ProfilePipelines, profile_of
from detector.worker.health import Health
from detector.worker.log_setup import logging_config, set_up_logging
from detector.worker.metrics import WorkerMetrics
from detector.worker.parts import WorkerParts, nothing_to_ask
from detector.worker.ports import Stage
from detector.worker.probes import serve
from detector.worker.receipt import ClockWatch, time_setting
from detector.worker.settings import WorkerSettings
from detector.worker.startup import check_broker, check_state_key

log = structlog.get_logger("detector.worker")

EXIT_CRASHED = 2
"""Exit status of a refusal or a crash, as the command line gives it for every error of ours."""
AFTER_CRASH_S = 10.0
EXIT_STUCK = 3
"""Exit status when an orderly stop took too long; nothing is lost, the next start goes on from the checkpoint."""


def run_worker(settings: WorkerSettings) -> int:
    """Return the exit status: 0 after an orderly stop; a crash is raised, and a stop that gets stuck ends with 3.

    Answers probes first; then checks topics and rights, loads the profile, compiles the kernels, and only then joins
    the group.

    Raises
    ------
    DetectorError
        Something is missing before the start, or ended the worker; the message says what to do.
    """
    set_up_logging(settings.log_level, is_json=settings.log_json)
    check_state_key(settings)
    health, metrics = Health(settings.checkpoint_interval_s), WorkerMetrics()
    health.starting("checking topics and rights")
    with _served(settings, health, metrics), tempfile.TemporaryDirectory(prefix="detector-worker-") as folder:
        parts = _prepared(settings, health, metrics)
        health.started()
        return run_app(settings, parts, Path(folder))


@contextmanager
def _served(settings: WorkerSettings, health: Health, metrics: WorkerMetrics) -> Iterator[None]:
    """Within the block probes are answered: from the first moment, also while kernels are compiled."""
    if not settings.listen_port:
        yield
        return
    server = serve((settings.listen_host, settings.listen_port), health, metrics)
    try:
        yield
    finally:
        server.shutdown()


def _prepared(settings: WorkerSettings, health: Health, metrics: WorkerMetrics) -> WorkerParts:
    """Return the parts of a worker whose topics and rights are in order and whose kernels are compiled."""
    client, events, is_kafka = confluent_options(settings), settings.topics.events, settings.broker == "kafka"
    check_broker(client, settings.topics, has_admin=is_kafka)
    watch = ClockWatch(lambda: time_setting(client, events), metrics.senders_clock, settings.bootstrap, events)
    look = watch.look if is_kafka else nothing_to_ask
    look()
    health.starting("loading the profile and its kernels")
    profile = profile_of(settings)
    pipelines = ProfilePipelines(profile, settings)
    logged = at_times(_log_compiling)

    def told(step: KernelStep) -> None:
        health.starting(f"compiling {step.begun} of {step.of} kernels: {step.kernel}")
        logged(step)

    pipelines.warm_up(told)
    log.info("worker starts", group=settings.group, profile=profile.id, mode=profile.response.mode)
    return WorkerParts(pipelines, stage_maker(profile), metrics, health, system_clock, look)


def _log_compiling(step: KernelStep) -> None:
    log.info("compiling kernels", step=step.begun, of=step.of, kernel=step.kernel)


def stage_maker(profile: Profile) -> Callable[[], Stage]:
    """Return what makes a response stage of a profile; only a stable profile may enforce."""
    levels = profile.levels
    mode = mode_of(profile.profile.status, profile.response.mode)
    return lambda: JoinedStage(profile.response, profile.id, levels, mode)


def run_app(settings: WorkerSettings, parts: WorkerParts, folder: Path) -> int:
    """Return the exit status of the app once it has stopped."""
    from detector.worker.app import build_app

    app = build_app(settings, parts, folder)
    worker = app.Worker(
        loglevel="warn",
        logging_config=logging_config(settings.log_level, is_json=settings.log_json),
        redirect_stdouts=False,
        quiet=True,
    )
    worker.spinner = None  # it would write cursor codes into a log
    watch = threading.Thread(target=_end_a_stuck_stop, args=(app, worker, settings.stop_timeout_s), daemon=True)
    watch.start()
    status = run_to_end(app, worker)
    log.info("worker stopped", status=status)
    return status


def run_to_end(app: Any, worker: Any) -> int:  # noqa: ANN401
    """Return the exit status once the app has stopped in good order; raise what ended it otherwise.

    What breaks in our own parts is in ``app.fault``. What breaks inside Faust (its fetcher, say) reaches us as exit
    status 1 only: then the reason is the one the app, or the worker around it, crashed with.
    """
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        inside = ended.__context__
    except BaseException as exc:  # noqa: BLE001 - mode re-raises what crashed it
        status, inside = 1, exc
    fault = _fault_of(app) or (_fault_of(worker) or inside if status else None)
    if fault is not None:
        raise _told(fault) from fault
    return status


def _fault_of(service: Any) -> BaseException | None:  # noqa: ANN401
    """Return why a service ended, as far as it knows: what our parts said first, or what it crashed with."""
    fault: BaseException | None = getattr(service, "fault", None) or getattr(service, "crash_reason", None)
    return fault


def _told(fault: BaseException) -> DetectorError:
    if isinstance(fault, DetectorError):
        return fault
    from aiokafka.errors import KafkaError
    from faust.exceptions import ProducerSendError

    got = f"{type(fault).__name__}: {fault}"
    if isinstance(fault, OSError | KafkaError | ProducerSendError):  # a timeout is an OSError
        return DeliveryError(
            f"worker must be able to write its outputs and state, got {got}; "
            "nothing is lost, start it again once the broker and its rights are in order"
        )
    return DetectorError(
        f"worker must run without faults of its own, got {got}; nothing is lost, start it again, and send the log to "
        "whoever keeps the detector"
    )


def _end_a_stuck_stop(app: Any, worker: Any, within_s: float) -> None:  # noqa: ANN401
    """End the process when a stop that began does not end: a client without credentials or rights waits for ever.

    After a crash there is nothing left to save, so little time is given and the reason is told.
    """
    while app.fault is None and not (app.should_stop or worker.should_stop):
        time.sleep(0.5)  # the flags belong to another loop; there is nothing to wait on from a thread
    limit_s = within_s if app.fault is None else min(within_s, AFTER_CRASH_S)
    time.sleep(limit_s)  # a deadline, and nothing else: an orderly end leaves the process before it
    fault = _fault_of(app)
    late = f"the stop took more than {within_s:.0f} s; nothing is lost, start it again"
    sys.stderr.write(f"detector: {late if fault is None else _told(fault)}\n")
    sys.stderr.flush()
    os._exit(EXIT_STUCK if fault is None else EXIT_CRASHED)
