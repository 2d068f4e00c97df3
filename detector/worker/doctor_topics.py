"""The doctor's chapter of topics: whether each is there, as wide as its neighbours, and kept as its content asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource, ResourceType

from detector.worker.doctor_report import ASK_S, Patient, Remark
from detector.worker.receipt import broker_time_command
from detector.worker.rights import Right, topic_rights, worker_rights
from detector.worker.startup import widened
from detector.worker.topics import BROKERS_TIME, DAY_MS, TIME_SETTING, TopicSpec, topic_specs

LEAST_MESSAGE_BYTES = 1_048_588
"""Kafka's own default; the largest event record is 1 MiB, and no shard of the state comes near it."""

Config = Mapping[str, str]


def topics(patient: Patient) -> Iterator[Remark]:
    """Yield a line for each topic, and one for each thing that is amiss with it."""
    specs = topic_specs(patient.names, patient.partitions.get(patient.names.events, 4))
    configs = _configs(patient, [spec.name for spec in specs])
    for spec in specs:
        if spec.name not in patient.partitions:
            yield _unseen(patient, spec)
            continue
        config = configs[spec.name]
        faults = [*_width(patient, spec), *(_kept(patient, spec, config) if config else ())]
        is_wrong = any(one.status == "wrong" for one in faults)
        if not is_wrong:
            yield Remark("topics", spec.name, "good", _summary(patient.partitions[spec.name], config))
        yield from faults
    blind = [name for name, config in configs.items() if config is None and name in patient.partitions]
    if blind:
        yield Remark(
            "topics",
            "settings of topics",
            "note",
            f"not known of {len(blind)} topics: the worker's user may not read them",
            patient.grant(*(Right("topic", name, "DescribeConfigs") for name in blind)),
        )


def _configs(patient: Patient, names: list[str]) -> dict[str, Config | None]:
    resources = {name: ConfigResource(ResourceType.TOPIC, name) for name in names}
    asked = patient.admin.describe_configs(list(resources.values()), request_timeout=ASK_S)
    configs: dict[str, Config | None] = {}
    for name, resource in resources.items():
        try:
            configs[name] = {entry.name: str(entry.value) for entry in asked[resource].result().values()}
        except KafkaException:
            configs[name] = None
    return configs


def _unseen(patient: Patient, spec: TopicSpec) -> Remark:
    settings = patient.settings
    prefix = f" --topic-prefix {settings.topic_prefix}" if settings.topic_prefix else ""
    make = f"detector topics --bootstrap {settings.bootstrap} --group {settings.group}{prefix}"
    needed = [right for right in worker_rights(patient.names) if right.name == spec.name]
    says = "not there, or the worker's user may not see it"
    return Remark(
        "topics",
        spec.name,
        "wrong" if needed else "note",
        says if needed else f"{says}; it is for enforcement points",
        f"{make}\n{patient.grant(*(needed or topic_rights(spec.name, 'Describe')))}",
    )


def _summary(partitions: int, config: Config | None) -> str:
    width = f"{partitions} partition{'s' if partitions != 1 else ''}"
    if config is None:
        return width
    kept = config["cleanup.policy"]
    days = f", {_days(config)}" if "delete" in kept else ""
    return f"{width}, {kept}{days}, {config[TIME_SETTING]}, records up to {int(config['max.message.bytes']):,} bytes"


def _days(config: Config) -> str:
    kept_ms = int(config["retention.ms"])
    return "for ever" if kept_ms < 0 else f"{kept_ms / DAY_MS:.4g} days"


def _width(patient: Patient, spec: TopicSpec) -> Iterator[Remark]:
    names, has = patient.names, patient.partitions
    events = has.get(names.events)
    if spec.name not in {names.state, names.feedback, names.registry} or events is None or has[spec.name] == events:
        return
    narrow, most = (spec.name if has[spec.name] < events else names.events), max(events, has[spec.name])
    says = f"{has[spec.name]} partitions, must be as many as {names.events} ({events})"
    yield Remark("topics", spec.name, "wrong", says, widened(patient.settings.bootstrap, narrow, most))


def _kept(patient: Patient, spec: TopicSpec, config: Config) -> Iterator[Remark]:
    def amiss(status: str, setting: str, should: str, why: str) -> Remark:
        says = f"{setting} is {config[setting]}, {why}"
        return Remark(
            "topics",
            spec.name,
            "wrong" if status == "wrong" else "note",
            says,
            patient.configure(spec.name, f"{setting}={should}"),
        )

    policy = spec.config["cleanup.policy"]
    if config["cleanup.policy"] != policy:
        lost = "what it holds is lost in time" if policy == "compact" else "what it holds is no whole by key"
        yield amiss("wrong", "cleanup.policy", policy, f"must be {policy}: {lost}")
    kept_ms, wanted_ms = int(config["retention.ms"]), int(spec.config.get("retention.ms", "0"))
    if "delete" in config["cleanup.policy"] and 0 <= kept_ms < wanted_ms:
        yield amiss(
            "note", "retention.ms", str(wanted_ms), f"shorter than the {wanted_ms // DAY_MS} days it is made with"
        )
    if int(config["max.message.bytes"]) < LEAST_MESSAGE_BYTES:
        least = str(LEAST_MESSAGE_BYTES)
        yield amiss(
            "wrong", "max.message.bytes", least, f"must be at least {least}: a worker's records would be refused"
        )
    if TIME_SETTING in spec.config and config[TIME_SETTING] != BROKERS_TIME:
        is_events = spec.name == patient.names.events
        yield Remark(
            "topics",
            spec.name,
            "wrong" if is_events else "note",
            f"{TIME_SETTING} is {config[TIME_SETTING]}: "
            + ("senders own the clock" if is_events else "the age of checkpoints is what their writer says"),
            broker_time_command(patient.settings.bootstrap, spec.name),
        )
