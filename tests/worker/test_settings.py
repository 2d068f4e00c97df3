"""Settings come from arguments, environment and file, and every fault is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.errors import SetupError
from detector.worker import run as worker_run
from detector.worker.clients import aiokafka_options, confluent_options, ssl_context
from detector.worker.commands import app
from detector.worker.settings import OTHERS, WorkerSettings, load_settings
from tests.project.sources import python_files


def test_defaults_listen_on_loopback_and_shadow_nothing_by_themselves() -> None:
    """Without settings: the local broker, metrics on 127.0.0.1, the profile's own mode."""
    settings = load_settings()
    assert (settings.bootstrap, settings.listen_host, settings.mode) == ("127.0.0.1:9092", "127.0.0.1", None)


def test_the_command_line_wins_over_environment_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strongest first: argument, DETECTOR_..., TOML."""
    file = tmp_path / "worker.toml"
    file.write_text('group = "file"\ntopic_prefix = "file."\nseed = 5\n')
    monkeypatch.setenv("DETECTOR_CONFIG", str(file))
    monkeypatch.setenv("DETECTOR_TOPIC_PREFIX", "env.")
    monkeypatch.setenv("DETECTOR_GROUP", "env")
    settings = load_settings({"group": "argument", "mode": None})
    assert (settings.group, settings.topic_prefix, settings.seed) == ("argument", "env.", 5)


def test_a_file_named_on_the_command_line_is_the_one_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it wins over one that the environment names; without it the environment's stays."""
    named, other = tmp_path / "named.toml", tmp_path / "other.toml"
    named.write_text("seed = 7\n")
    other.write_text("seed = 8\n")
    ran: list[WorkerSettings] = []

    def run(settings: WorkerSettings) -> int:
        ran.append(settings)
        return 0

    monkeypatch.setattr(worker_run, "run_worker", run)
    monkeypatch.setenv("DETECTOR_CONFIG", str(other))
    for arguments in (["worker", "--group", "g"], ["worker", "--group", "g", "--config", str(named)]):
        assert CliRunner().invoke(app, arguments).exit_code == 0
    assert [settings.seed for settings in ran] == [8, 7]


def test_names_of_topics_follow_prefix_and_group() -> None:
    """Shared topics carry the prefix, internal ones the group."""
    topics = WorkerSettings(topic_prefix="staging.", group="blue").topics
    assert (topics.events, topics.state, topics.by_tenant) == ("staging.agent.events", "blue.state", "blue.by-tenant")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"mode": "loud"}, r"mode \(DETECTOR_MODE\): .*'shadow' or 'enforce', got 'loud'"),
        ({"listen_port": 70_000}, r"listen_port .* got 70000"),
        ({"group": "a b"}, r"group \(DETECTOR_GROUP\)"),
        ({"checkpoint_interval_s": 0}, r"checkpoint_interval_s .* greater than 0"),
        ({"trusted_until": "yesterday"}, r"trusted_until"),
        ({"security_protocol": "SASL_SSL"}, r"sasl_username and sasl_password must be set"),
        ({"ssl_certificate": "c.pem"}, r"ssl_certificate and ssl_key must be set together"),
        ({"unheard_of": 1}, r"unheard_of"),
    ],
)
def test_a_fault_is_named_with_its_variable(given: dict[str, object], sentence: str) -> None:
    """The message says which setting, by both its names, and what was found."""
    with pytest.raises(SetupError, match=sentence):
        load_settings(given)


def test_an_unknown_key_of_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt key does not pass for a default."""
    file = tmp_path / "worker.toml"
    file.write_text("checkpoint_intervall_s = 5\n")
    monkeypatch.setenv("DETECTOR_CONFIG", str(file))
    with pytest.raises(SetupError, match=r"checkpoint_intervall_s: no setting .* did you mean checkpoint_interval_s"):
        load_settings()


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignored, it would leave a worker in the wrong group or without its secret; the value is nobody's business."""
    monkeypatch.setenv("DETECTOR_GRUOP", "blue")
    monkeypatch.setenv("DETECTOR_SASL_PASWORD", "hunter2")
    with pytest.raises(SetupError, match=r"DETECTOR_GRUOP: did you mean DETECTOR_GROUP\?") as refused:
        load_settings()
    assert "DETECTOR_SASL_PASWORD: did you mean DETECTOR_SASL_PASSWORD?" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_variable_that_is_like_no_setting_is_told_and_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else's; those that Kubernetes sets for a Service, and the product's own others, are not mentioned."""
    for name in ("DETECTOR_VERSION", "DETECTOR_SERVICE_HOST", "DETECTOR_PORT_9464_TCP_ADDR", "DETECTOR_CACHE"):
        monkeypatch.setenv(name, "x")
    load_settings()
    assert capsys.readouterr().err == "detector: warning: DETECTOR_VERSION is no setting and is ignored\n"


def test_every_variable_the_product_reads_is_known() -> None:
    """A variable that a source reads and that is neither a setting nor one of the others would be warned of."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in python_files())
    read = set(re.findall(r'environ(?:\.get\(|\[)"DETECTOR_([A-Z_]+)"', text))
    assert read
    assert read <= {*OTHERS, *(name.upper() for name in WorkerSettings.model_fields)}


def test_a_misspelt_secret_of_the_file_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an unknown key holds may be what nobody should read."""
    file = tmp_path / "worker.toml"
    file.write_text('sasl_pasword = "hunter2"\nmotto = "swordfish"\n')
    monkeypatch.setenv("DETECTOR_CONFIG", str(file))
    with pytest.raises(SetupError, match="did you mean sasl_password") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)
    assert "swordfish" not in str(refused.value)


def test_a_pipe_gets_whole_names() -> None:
    """One setting a line, tabs between: for grep and cut, whatever the width of a terminal."""
    result = CliRunner().invoke(app, ["worker-settings"], env={"COLUMNS": "40"})
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == [f"DETECTOR_{name.upper()}" for name in WorkerSettings.model_fields]
    assert {len(row) for row in rows} == {3}


@pytest.mark.parametrize(("text", "sentence"), [(None, "must be a TOML file"), ("= x", "must be TOML")])
def test_a_file_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, sentence: str
) -> None:
    """A missing or broken file is said before anything starts."""
    file = tmp_path / "worker.toml"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("DETECTOR_CONFIG", str(file))
    with pytest.raises(SetupError, match=sentence):
        load_settings()


def test_no_secret_stands_in_an_error_or_a_representation() -> None:
    """Passwords and keys do not reach a log."""
    settings = WorkerSettings(
        security_protocol="SASL_PLAINTEXT", sasl_username="w", sasl_password="hunter2", state_key="swordfish"
    )
    assert "hunter2" not in repr(settings)
    assert "swordfish" not in repr(settings)
    with pytest.raises(SetupError) as refused:
        load_settings({"sasl_password": 12_345})
    assert "12345" not in str(refused.value)


def test_one_credential_is_spelt_for_each_client() -> None:
    """SASL without TLS reaches librdkafka and aiokafka in their own words."""
    settings = WorkerSettings(security_protocol="SASL_PLAINTEXT", sasl_username="w", sasl_password="p")
    confluent, aiokafka = confluent_options(settings), aiokafka_options(settings)
    assert (confluent["sasl.mechanism"], confluent["sasl.password"]) == ("SCRAM-SHA-512", "p")
    assert (aiokafka["sasl_plain_username"], aiokafka["sasl_plain_password"]) == ("w", "p")
    assert ssl_context(settings) is None


def test_a_missing_certificate_is_named_before_the_start(tmp_path: Path) -> None:
    """TLS with a file that is not there stops with a sentence, not in a client's thread."""
    with pytest.raises(SetupError, match="PEM"):
        ssl_context(WorkerSettings(security_protocol="SSL", ssl_ca=tmp_path / "none.pem"))


def test_tls_refuses_what_is_older_than_1_2() -> None:
    """The context does not fall back."""
    context = ssl_context(WorkerSettings(security_protocol="SSL"))
    assert context is not None
    assert context.minimum_version.name == "TLSv1_2"
