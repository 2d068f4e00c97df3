"""Settings of a worker: from the command line, the environment (``DETECTOR_...``) and a TOML file, in that order."""

from __future__ import annotations

import difflib
import os
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from detector.errors import SetupError
from detector.schema.topics import TopicNames

ENV_PREFIX = "DETECTOR_"
FILE_VARIABLE = "DETECTOR_CONFIG"
OTHERS = ("CONFIG", "BROKER", "CACHE", "DATA", "AGENTS", "GATEWAYS", "KIT_LIBRARIES", "SYSLOG_COLLECTOR")
"""Variables of the product that are no settings of a worker: the file of settings; the demo's broker and its downloads;
the recorded streams of tests, benchmarks and notebooks; programs of others, for tests."""
SERVICE_LINK = re.compile(r"([A-Z0-9_]+_)?(SERVICE_(HOST|PORT)|PORT)(_.*)?")
"""What Kubernetes sets in every pod for a Service called "detector": no setting, and no misspelling of one."""
NEAR = 0.75
"""Likeness (difflib's ratio) from which an unknown name is a misspelt one; chosen: GRUOP is .8 like GROUP."""
NAME = r"^[A-Za-z0-9._-]*$"

Seconds = Annotated[float, Field(gt=0)]
Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class WorkerSettings(BaseSettings):
    """Everything a worker is told; each field is also ``DETECTOR_<FIELD>`` and a key of the TOML file."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    # what is read and written
    bootstrap: str = Field("127.0.0.1:9092", description="Kafka brokers, host:port, several separated by commas.")
    broker: Literal["kafka", "embedded"] = Field(
        "kafka", description="embedded: the demo's broker without admin calls."
    )
    group: str = Field("detector", min_length=1, max_length=200, pattern=NAME, description="Consumer group.")
    topic_prefix: str = Field("", max_length=100, pattern=NAME, description="Stands before every topic name.")

    # how it judges
    profile: str = Field("default/v1", description="Profile, name/version.")
    models: Path | None = Field(None, description="Folder with profiles and forests; the shipped one if absent.")
    mode: Literal["shadow", "enforce"] | None = Field(None, description="Commands: shadow or enforce; the profile's.")
    seed: int = Field(0, ge=0, description="Seed of everything random; part of the state.")
    trusted_until: AwareDatetime | None = Field(None, description="Before this event time everything is learnt.")
    time_tolerance_s: Seconds | None = Field(None, description="Refuse events further than this from Kafka's time.")
    poison_per_hour: int = Field(10, ge=0, description="Records a partition may leave out an hour, then it stops.")

    # durability and patience
    checkpoint_interval_s: Seconds = Field(5.0, description="Seconds between checkpoints.")
    state_key: SecretStr | None = Field(
        None, description="Keys the digest over checkpoints and all hashes of names; keep secret."
    )
    allow_unkeyed_state: bool = Field(
        False, description="Without state_key on a broker with authentication: who may write the state forges it."
    )
    micro_batch: int = Field(512, ge=1, le=10_000, description="Most records scored at once.")
    max_poll_records: int = Field(2_000, ge=1, description="Most records taken from a fetch.")
    fetch_max_wait_ms: int = Field(500, ge=1, description="How long a broker may wait for data.")
    session_timeout_s: Seconds = Field(30.0, description="Silence after which the group drops a worker.")
    output_timeout_s: Seconds = Field(60.0, description="How long an output may stay unacknowledged.")
    assignment_timeout_s: Seconds = Field(90.0, description="How long a worker may be without a place in the group.")
    stop_timeout_s: Seconds = Field(45.0, description="How long an orderly stop may take.")

    # what it shows
    listen_host: str = Field("127.0.0.1", description="Address of /metrics, /livez and /readyz.")
    listen_port: int = Field(9464, ge=0, le=65_535, description="Port of the same; 0 turns them off.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_json: bool = Field(False, description="One JSON object a line instead of text.")

    # how it proves who it is
    security_protocol: Protocol = Field("PLAINTEXT", description="As Kafka's security.protocol.")
    sasl_mechanism: Mechanism = Field("SCRAM-SHA-512", description="As Kafka's sasl.mechanism.")
    sasl_username: str | None = Field(None, description="User of SASL.")
    sasl_password: SecretStr | None = Field(None, description="Password of SASL.")
    ssl_ca: Path | None = Field(None, description="PEM file of the authorities trusted.")
    ssl_certificate: Path | None = Field(None, description="PEM file of the client's certificate.")
    ssl_key: Path | None = Field(None, description="PEM file of the client's key.")

    @property
    def topics(self) -> TopicNames:
        """Names of all topics of this deployment."""
        return TopicNames(self.topic_prefix, self.group)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, strongest first: arguments, environment, TOML file."""
        del dotenv_settings, file_secret_settings
        named = os.environ.get(FILE_VARIABLE)
        toml = TomlConfigSettingsSource(settings_cls, toml_file=Path(named) if named else None)
        return init_settings, env_settings, toml

    @model_validator(mode="after")
    def _credentials_are_whole(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError("sasl_username and sasl_password must be set when security_protocol is SASL")
        if (self.ssl_certificate is None) != (self.ssl_key is None):
            raise ValueError("ssl_certificate and ssl_key must be set together")
        return self


def load_settings(given: dict[str, Any] | None = None) -> WorkerSettings:
    """Return the settings, with what was given on the command line on top.

    Parameters
    ----------
    given : dict, optional
        Options of the command line; those that are None are left to environment and file.

    Raises
    ------
    SetupError
        One sentence that names every fault and where the value came from; a variable that is a misspelt setting is
        one. Other unknown variables of the prefix are told on standard error.
    """
    _look_for_misspelt(os.environ)
    file = os.environ.get(FILE_VARIABLE)
    if file and not Path(file).is_file():
        raise SetupError(f"{FILE_VARIABLE} of the environment must be a TOML file, got {file}: correct or unset it")
    chosen = {name: value for name, value in (given or {}).items() if value is not None}
    try:
        return WorkerSettings(**chosen)
    except ValidationError as exc:
        raise SetupError(f"settings of the worker are refused: {_faults(exc)}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise SetupError(f"file of {FILE_VARIABLE} must be TOML, got {file} ({exc}): correct it") from exc


def _look_for_misspelt(environment: Iterable[str]) -> None:
    """Refuse variables that are nearly a setting, tell of others that are none; no value is shown."""
    known = {*OTHERS, *(name.upper() for name in WorkerSettings.model_fields)}
    given = {name.upper().removeprefix(ENV_PREFIX) for name in environment if name.upper().startswith(ENV_PREFIX)}
    unknown = sorted(name for name in given - known if not SERVICE_LINK.fullmatch(name))
    misspelt = {name: near for name in unknown if (near := _nearest(name, known))}
    if misspelt:
        faults = "; ".join(f"{ENV_PREFIX}{name}: did you mean {ENV_PREFIX}{near}?" for name, near in misspelt.items())
        raise SetupError(f"variables of the environment must be settings of the worker, got {faults}")
    for name in unknown:
        sys.stderr.write(f"detector: warning: {ENV_PREFIX}{name} is no setting and is ignored\n")


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, sorted(known), 1, NEAR)), None)


def _faults(error: ValidationError) -> str:
    return "; ".join(
        _unknown(str(fault["loc"][0]))
        if fault["type"] == "extra_forbidden"
        else _sentence(fault["loc"], fault["msg"], fault.get("input"))
        for fault in error.errors()
    )


def _unknown(name: str) -> str:
    """Return what is said of an unknown key; never its value, which may be the secret of a misspelt one."""
    near = _nearest(name, WorkerSettings.model_fields)
    return f"{name}: no setting has this name" + (f"; did you mean {near}?" if near else "")


def _sentence(location: tuple[int | str, ...], rule: str, value: object) -> str:
    if not location:
        return rule.removeprefix("Value error, ")
    name = str(location[0])
    shown = "a secret" if "password" in name or "key" in name else repr(value)
    return f"{name} ({ENV_PREFIX}{name.upper()}): {rule}, got {shown}"
