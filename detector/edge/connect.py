"""`detector connect`: what to set at an agent or gateway, so that it is seen and, where it has a hook, can be stopped.

The settings are data: one folder a source in `detector/edge/sources`, `source.toml` and its files. In a file
``@{name}`` stands for a value; a value has only characters that need no quoting in JSON, TOML, YAML or a shell.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from detector.errors import SetupError

FOLDER: Final = Path(__file__).with_name("sources")
SHARED: Final = FOLDER / "shared"
SOURCES: Final = ("claude-code", "codex", "copilot", "gemini-cli", "litellm", "agentgateway", "envoy", "collector")
DEFAULT_PORT: Final = 4318
"""Of OTLP over HTTP; OTLP over gRPC has the port before it, here as by default."""
PLACE: Final = re.compile(r"@\{(\w+)\}")

RULES: Final = {
    "endpoint": (r"https?://[A-Za-z0-9.:\[\]-]+", "an OTLP/HTTP address without a path, such as http://127.0.0.1:4318"),
    "brokers": (r"[A-Za-z0-9.:\[\]_-]+(,[A-Za-z0-9.:\[\]_-]+)*", "host:port, several separated by commas"),
    "tenant": (r"[A-Za-z0-9._-]+", "letters, digits, dot, dash, underscore"),
    "gate": (r"/[A-Za-z0-9._/-]+", "an absolute path of plain characters"),
    "logs": (r"[A-Za-z0-9._-]+", "a topic's name"),
    "spans": (r"[A-Za-z0-9._-]+", "a topic's name"),
    "authz": (r"(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}", "HOST:PORT of loopback, where the edge answers gateways"),
}
"""What each value must look like, as a pattern and in words."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to be set: its name, where it goes, why, and its content."""

    name: str
    to: str
    why: str
    text: str


@dataclass(frozen=True, slots=True)
class ConnectPlan:
    """Everything about one source.

    Attributes
    ----------
    title : str
        What it is and how it arrives.
    has_gate : bool
        Whether its calls can be denied: by the gate in its hook, or by what the gateway asks.
    files : tuple of SourceFile
        To be set.
    unseen : tuple of str
        What will not be seen, or not be stopped.
    cites : tuple of str
        Where this is from.
    """

    title: str
    has_gate: bool
    files: tuple[SourceFile, ...]
    unseen: tuple[str, ...]
    cites: tuple[str, ...]


def plan_of(source: str, values: dict[str, str]) -> ConnectPlan:
    """Return what is to be set for a source.

    Parameters
    ----------
    source : str
        One of :data:`SOURCES`.
    values : dict of str
        By the names of :data:`RULES`; `gate` is the path of the gate's file.

    Raises
    ------
    SetupError
        The source is not known, or a value is no legal one.
    """
    if source not in SOURCES:
        raise SetupError(f"source of connect must be one of {', '.join(SOURCES)}, got {source!r}")
    known = _checked(values)
    told = tomllib.loads((FOLDER / source / "source.toml").read_text(encoding="utf-8"))
    return ConnectPlan(
        title=told["title"],
        has_gate=told["has_gate"],
        files=tuple(
            SourceFile(one["name"], one["to"], one["why"], _filled(_template(source, one["name"]), known))
            for one in told["files"]
        ),
        unseen=tuple(told["unseen"]["list"]),
        cites=tuple(told["cites"]["list"]),
    )


def text_of(plan: ConnectPlan, rights: Sequence[str], *, with_files: bool) -> str:
    """Return a plan for a person: files, least rights on Kafka, what will not be seen, sources.

    Parameters
    ----------
    plan : ConnectPlan
        The plan.
    rights : sequence of str
        Commands that grant the least rights.
    with_files : bool
        Whether the files' content is shown, or only where each goes.
    """
    lines = [f"# {plan.title}", ""]
    for number, one in enumerate(plan.files, start=1):
        lines += [f"## {number}. {one.name} -> {one.to}", f"{one.why}", ""]
        lines += [*one.text.rstrip().splitlines(), ""] if with_files else []
    lines += ["## Least rights on Kafka", "", *rights, "", "## What will not be seen, or not be stopped", ""]
    lines += [f"- {one}" for one in plan.unseen]
    lines += ["", "## From", "", *(f"- {one}" for one in plan.cites)]
    return "\n".join(lines)


def write_plan(plan: ConnectPlan, folder: Path) -> list[Path]:
    """Return the files that were written into a folder; those that stand there as they are to be are left.

    Raises
    ------
    SetupError
        A file of the same name says something else, or cannot be written; then none is written.
    """
    different = [
        str(folder / one.name)
        for one in plan.files
        if (folder / one.name).exists() and (folder / one.name).read_text(encoding="utf-8") != one.text
    ]
    if different:
        raise SetupError(f"files of --out must be new, got others at {', '.join(different)}: choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in plan.files:
            (folder / one.name).write_text(one.text, encoding="utf-8")
    except OSError as exc:
        raise SetupError(f"folder of --out must be writable, got {folder} ({exc.strerror}): choose another") from exc
    return [folder / one.name for one in plan.files]


def _checked(values: dict[str, str]) -> dict[str, str]:
    """Return the values, and those that follow from them."""
    for name, (rule, words) in RULES.items():
        if not re.fullmatch(rule, values[name]):
            raise SetupError(f"{name} of connect must be {words}, got {values[name]!r}")
    try:
        address = urlsplit(values["endpoint"])
        http_port = DEFAULT_PORT if address.port is None else address.port
    except ValueError as exc:
        raise SetupError(f"endpoint of connect must have a port up to 65535, got {values['endpoint']!r}") from exc
    if http_port <= 1:
        raise SetupError(f"endpoint of connect must leave a port below it for gRPC, got {values['endpoint']!r}")
    authz_host, _, authz_port = values["authz"].rpartition(":")
    return {
        **values,
        "brokers": values["brokers"].replace(",", '", "'),
        "gate": f"/usr/bin/python3 -I -S {values['gate']}",
        "gate_folder": str(Path(values["gate"]).parent),
        "http_port": str(http_port),
        "grpc_port": str(http_port - 1),
        "collector": f"{address.hostname or ''}:{http_port - 1}",
        "authz_host": authz_host.strip("[]").replace("localhost", "127.0.0.1"),
        "authz_port": authz_port,
    }


def _template(source: str, name: str) -> str:
    own = FOLDER / source / name
    return (own if own.exists() else SHARED / name).read_text(encoding="utf-8")


def _filled(template: str, values: dict[str, str]) -> str:
    return PLACE.sub(lambda place: values[place.group(1)], template)
