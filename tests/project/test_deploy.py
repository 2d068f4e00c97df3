"""The lasting form: compose file, image, Prometheus and Grafana, read strictly since no container runs here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.project.commands import problems_of_command
from tests.project.sources import ROOT

STRINGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
COMMAND: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "minItems": 1}
DURATION: dict[str, Any] = {"type": "string", "pattern": r"^([0-9]+(us|ms|s|m|h))+$"}
NAME = r"^[a-zA-Z0-9._-]+$"


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


SERVICE = _closed(
    {
        "image": {"type": "string"},
        "build": _closed({"context": {"type": "string"}, "dockerfile": {"type": "string"}}, "context"),
        "command": COMMAND,
        "entrypoint": COMMAND,
        "environment": {"type": "object", "additionalProperties": {"type": ["string", "number", "null"]}},
        "ports": {**STRINGS, "uniqueItems": True},
        "volumes": {**STRINGS, "uniqueItems": True},
        "depends_on": {
            "type": "object",
            "propertyNames": {"pattern": NAME},
            "additionalProperties": _closed(
                {"condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}},
                "condition",
            ),
        },
        "healthcheck": _closed(
            {
                "test": {**COMMAND, "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}], "minItems": 2},
                "interval": DURATION,
                "timeout": DURATION,
                "start_period": DURATION,
                "retries": {"type": "integer", "minimum": 1},
            },
            "test",
        ),
        "restart": {"type": "string", "pattern": r"^(no|always|unless-stopped|on-failure(:[0-9]+)?)$"},
        "stop_grace_period": DURATION,
        "cap_drop": {**STRINGS, "uniqueItems": True},
        "security_opt": {**STRINGS, "uniqueItems": True},
    },
    "image",
)
"""The part of the compose specification this file uses, closed: anything else is a mistake until it is added here."""

COMPOSE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": r"^[a-z0-9][a-z0-9_-]*$"},
        "services": {"type": "object", "propertyNames": {"pattern": NAME}, "additionalProperties": SERVICE},
        "volumes": {
            "type": "object",
            "propertyNames": {"pattern": NAME},
            "additionalProperties": {"type": "null"},
        },
    },
    "patternProperties": {"^x-": {}},
    "required": ["name", "services"],
    "additionalProperties": False,
}

EXACT_IMAGE = re.compile(r"^[a-z0-9./-]+(:v?\d+\.\d+\.\d+[a-z0-9.-]*|@sha256:[0-9a-f]{64})$")
METRIC = re.compile(r"\bdetector_[a-z_]+")
SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return the compose file, anchors and merges resolved as a container engine resolves them."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def _faults(document: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(COMPOSE).iter_errors(document)]


def test_the_compose_file_has_the_form_of_the_specification(compose: dict[str, Any]) -> None:
    """Known keys with values of the right kind, and nothing else."""
    assert _faults(compose) == []


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        ({"image": "a:1.2.3", "comand": ["x"]}, "comand"),
        ({"image": "a:1.2.3", "depends_on": {"b": {"condition": "healthy"}}}, "condition"),
        ({"image": "a:1.2.3", "healthcheck": {"test": ["curl", "x"]}}, "test"),
        ({"image": "a:1.2.3", "stop_grace_period": "60"}, "stop_grace_period"),
    ],
)
def test_a_mistake_in_the_compose_file_is_seen(service: dict[str, Any], fault: str) -> None:
    """A misspelt key, an invented condition, a test without CMD, a duration without a unit."""
    assert fault in "".join(_faults({"name": "x", "services": {"a": service}}))


def test_every_image_is_pinned(compose: dict[str, Any]) -> None:
    """An exact version or a digest; never a tag that moves."""
    images = [service["image"] for service in compose["services"].values()]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [image for image in images if not EXACT_IMAGE.match(image)] == []


def test_a_service_waits_only_for_what_can_happen(compose: dict[str, Any]) -> None:
    """Whoever is waited for exists; whoever must be healthy has a health check; whoever must end does not restart."""
    services = compose["services"]
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}"
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for the health of {other}"
            if wait["condition"] == "service_completed_successfully":
                assert services[other].get("restart", "no") in {"no", "on-failure"}, f"{other} never completes"


def test_every_mounted_path_and_volume_exists(compose: dict[str, Any]) -> None:
    """A bind mount is a file or folder of this repository, a volume is declared, and none is left over."""
    used = set()
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                used.add(source)
    assert used == set(compose["volumes"])


def test_nothing_is_reachable_from_another_machine(compose: dict[str, Any]) -> None:
    """The demo form has no passwords, so every published port is bound to the loopback."""
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_command_of_the_compose_file_is_one_of_ours(compose: dict[str, Any]) -> None:
    """The services of our image call commands and options that the command line has."""
    ours = {name: service for name, service in compose["services"].items() if "build" in service}
    assert set(ours) == {"topics", "worker", "bridge", "fleet"}
    for name, service in ours.items():
        assert problems_of_command(service["command"]) == [], name


def test_every_setting_of_the_compose_file_is_one_of_ours(compose: dict[str, Any]) -> None:
    """A ``DETECTOR_`` variable that no setting reads would be a silent mistake."""
    from detector.worker.settings import ENV_PREFIX, WorkerSettings

    known = {f"{ENV_PREFIX}{name.upper()}" for name in WorkerSettings.model_fields}
    for service in compose["services"].values():
        given = {name for name in service.get("environment", {}) if name.startswith(ENV_PREFIX)}
        assert given <= known


def test_prometheus_asks_each_service_at_the_port_it_shows(compose: dict[str, Any]) -> None:
    """A job names a service; its port is the worker's own or the one its command says; its health is asked there."""
    from detector.worker.settings import WorkerSettings

    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    asked = {job["dns_sd_configs"][0]["names"][0]: job["dns_sd_configs"][0]["port"] for job in jobs}
    command = compose["services"]["bridge"]["command"]
    told = int(command[command.index("--metrics-port") + 1])
    assert asked == {"worker": WorkerSettings.model_fields["listen_port"].default, "bridge": told}
    for name, port in asked.items():
        assert f"//127.0.0.1:{port}/" in compose["services"][name]["healthcheck"]["test"][-1]


def test_the_worker_has_time_to_stop(compose: dict[str, Any]) -> None:
    """The engine kills later than the worker gives up, so the last checkpoint is made."""
    from detector.worker.settings import WorkerSettings

    grace = compose["services"]["worker"]["stop_grace_period"]
    assert float(grace.removesuffix("s")) > WorkerSettings.model_fields["stop_timeout_s"].default


def test_the_image_copies_only_what_exists_and_is_let_in() -> None:
    """Each COPY names files of the repository that .dockerignore does not hold back."""
    let_in = {
        line[1:].rstrip("/")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.+)$", text, flags=re.MULTILINE) for word in line.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source in let_in, source


def test_the_image_does_not_run_as_root() -> None:
    """The last USER is a numbered one, so an orchestrator can verify it."""
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert users
    assert int(users[-1].split(":")[0]) > 0


def _known_metrics() -> set[str]:
    from detector.worker.metrics import WorkerMetrics

    return {metric.name for metric in WorkerMetrics().registry.collect()}


def _base(metric: str) -> str:
    for suffix in SUFFIXES:
        if metric.endswith(suffix):
            return metric.removesuffix(suffix)
    return metric


def _expressions(path: Path) -> list[str]:
    if path.suffix == ".json":
        panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
        return [target["expr"] for panel in panels for target in panel.get("targets", [])]
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


QUERIES = ["deploy/prometheus/rules.yml", "deploy/grafana/dashboards/detector.json"]


@pytest.mark.parametrize("name", QUERIES)
def test_every_metric_asked_for_is_one_the_worker_has(name: str) -> None:
    """A renamed metric breaks this test, not a dashboard at three in the morning."""
    asked = {_base(metric) for expression in _expressions(ROOT / name) for metric in METRIC.findall(expression)}
    assert asked
    assert asked <= _known_metrics()


def test_every_counter_is_asked_for_by_its_exposed_name() -> None:
    """The client library exposes a counter with the suffix ``_total``; without it a query finds nothing."""
    from detector.worker.metrics import WorkerMetrics

    counters = {metric.name for metric in WorkerMetrics().registry.collect() if metric.type == "counter"}
    for name in QUERIES:
        for expression in _expressions(ROOT / name):
            assert not counters & set(METRIC.findall(expression)), expression


def test_every_rule_points_at_a_chapter_of_the_runbook() -> None:
    """Each alert's runbook link is a file of docs/ and a heading in it."""
    groups = yaml.safe_load((ROOT / QUERIES[0]).read_text(encoding="utf-8"))["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        file, anchor = rule["annotations"]["runbook"].split("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
        anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in anchors, rule["alert"]


def test_grafana_finds_its_data_source_and_its_dashboards(compose: dict[str, Any]) -> None:
    """The provisioned names agree: source, folder of dashboards, home dashboard."""
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text("utf-8"))
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/detector.yml").read_text("utf-8"))
    dashboard = json.loads((ROOT / QUERIES[1]).read_text(encoding="utf-8"))
    uid = source["datasources"][0]["uid"]
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"] if panel["type"] != "row"} == {uid}
    grafana = compose["services"]["grafana"]
    folder = provider["providers"][0]["options"]["path"]
    assert f"./deploy/grafana/dashboards:{folder}:ro" in grafana["volumes"]
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/detector.json"


def test_panels_do_not_lie_on_each_other() -> None:
    """Every cell of the dashboard's grid belongs to one panel at most."""
    panels = json.loads((ROOT / QUERIES[1]).read_text(encoding="utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_gauge_asked_for_is_one_the_pipeline_shows() -> None:
    """``detector_pipeline{name="..."}`` names a gauge that exists."""
    from detector.pipeline import Pipeline
    from detector.profile.load import load_profile

    shown = set(Pipeline(load_profile()).gauges())
    asked = {
        name
        for file in QUERIES
        for expression in _expressions(ROOT / file)
        for name in re.findall(r'detector_pipeline\{[^}]*name="([a-z_]+)"', expression)
    }
    assert asked
    assert asked <= shown
