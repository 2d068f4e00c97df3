"""What is wrong with a deployment, and what to do about it: looked at once, as the worker would see it."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr

from detector.clock import Clock, system_clock
from detector.errors import SetupError
from detector.worker.clients import confluent_options
from detector.worker.doctor_report import ASK_S, Patient, Remark, Report
from detector.worker.doctor_state import clocks, states
from detector.worker.doctor_topics import topics
from detector.worker.rights import principal_of
from detector.worker.settings import WorkerSettings
from detector.worker.startup import missing_rights


def examine(settings: WorkerSettings, clock: Clock = system_clock) -> Report:
    """Return what is found of the deployment that a worker with these settings would work in.

    Nothing is changed, but for a tombstone under the key ``doctor`` in ``<group>.state``, by which the broker tells its
    time; no worker reads it.

    Parameters
    ----------
    settings : WorkerSettings
        As loaded.
    clock : Clock
        This machine's.
    """
    shown, about = masked(settings), list(_about_settings(settings))
    try:
        patient, broker = _reached(settings, clock)
    except (KafkaException, SetupError) as exc:
        return Report(shown, (*about, _unreachable(settings, exc)), is_reached=False)
    chapters = (topics, rights, clocks, states)
    return Report(shown, (*about, broker, *(one for look in chapters for one in look(patient))))


def masked(settings: WorkerSettings) -> dict[str, str]:
    """Return each setting as text; of a secret only whether there is one."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return {
        name: "(not set)" if value is None else "********" if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }


def _about_settings(settings: WorkerSettings) -> Iterator[Remark]:
    is_open = settings.security_protocol == "PLAINTEXT"
    if is_open:
        yield Remark(
            "settings",
            "security_protocol",
            "note",
            "PLAINTEXT: the broker asks nobody who they are; whoever reaches it may write anything",
            "DETECTOR_SECURITY_PROTOCOL=SASL_SSL with user, password and authorities",
        )
    if settings.state_key is not None:
        yield Remark("settings", "state_key", "good", "state is guarded by a secret")
        return
    yield Remark(
        "settings",
        "state_key",
        "note" if is_open or settings.allow_unkeyed_state else "wrong",
        "not set: state is guarded against accidents, not against forgers, and the key of the hashes is public",
        "DETECTOR_STATE_KEY with a secret of your own, the same for all workers of the group",
    )


def _reached(settings: WorkerSettings, clock: Clock) -> tuple[Patient, Remark]:
    admin = AdminClient(confluent_options(settings))
    found = admin.list_topics(timeout=ASK_S)
    partitions = {name: len(topic.partitions) for name, topic in found.topics.items() if topic.error is None}
    missing = frozenset(missing_rights(admin, settings.topics))
    says = f"answers {principal_of(settings)}; cluster {found.cluster_id}, brokers: {len(found.brokers)}"
    return Patient(settings, admin, partitions, missing, clock), Remark("broker", settings.bootstrap, "good", says)


def _unreachable(settings: WorkerSettings, exc: Exception) -> Remark:
    why = exc.args[0].str() if isinstance(exc, KafkaException) else str(exc)
    do = "check the address, security_protocol, user and password, certificates, and that the broker runs"
    return Remark("broker", settings.bootstrap, "wrong", f"no answer: {why}", do)


def rights(patient: Patient) -> Iterator[Remark]:
    """Yield what the worker must do and may not, with the command that lets it; the broker was asked, nothing tried."""
    seen = (right for right in patient.missing if right.kind == "group" or right.name in patient.partitions)
    for right in sorted(seen):
        what = f"{right.operation} on {right.kind} {right.name}"
        yield Remark("rights", what, "wrong", "missing", patient.grant(right))
    if not patient.missing:  # of a topic that is not seen, the chapter of topics speaks
        who = principal_of(patient.settings)
        yield Remark("rights", who, "good", f"may do all that a worker does in group {patient.names.group}")
