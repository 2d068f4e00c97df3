"""What the commands of this room share: which inventory is meant, and pages written to a file or the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from detector.clock import system_clock
from detector.errors import SetupError
from detector.registry.changes import Stamp
from detector.registry.store import Store
from detector.schema.topics import TopicNames

KAFKA: Final = "Kafka"
WHICH: Final = "Which inventory"

File = Annotated[
    Path | None,
    typer.Option("--file", help="Inventory in a YAML file, in place of Kafka; its log lies beside it.", dir_okay=False),
]
Bootstrap = Annotated[
    str | None,
    typer.Option(help="Brokers, host:port, comma-separated. (default: 127.0.0.1:9092)", rich_help_panel=KAFKA),
]
Prefix = Annotated[str | None, typer.Option(help="Stands before every topic name.", rich_help_panel=KAFKA)]
By = Annotated[str, typer.Option(help="Who answers for it.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the entry and in the log.")]
Owner = Annotated[
    list[str] | None,
    typer.Option(help="Who answers for those that name nobody: NAME, or TYPE=NAME of one type. May be repeated."),
]
Out = Annotated[Path | None, typer.Option(help="Write to this file; without it to the terminal.", dir_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, ASCII, with everything in it.")]


def store_of(file: Path | None, bootstrap: str | None, prefix: str | None) -> Store:
    """Return the inventory that is meant: a file, or the deployment's.

    Raises
    ------
    SetupError
        Both are named, or a setting is wrong.
    """
    if file is not None:
        if bootstrap is not None or prefix is not None:
            raise SetupError("inventory of the command must be --file or Kafka, got both")
        from detector.registry.file_store import FileStore

        return FileStore(file)
    from detector.registry.topic_store import TopicStore

    kafka, names = kafka_of(bootstrap, prefix)
    return TopicStore(kafka, names)


def kafka_of(bootstrap: str | None, prefix: str | None) -> tuple[dict[str, Any], TopicNames]:
    """Return the settings of a Kafka client and the names of the deployment."""
    from detector.worker.clients import confluent_options
    from detector.worker.settings import load_settings

    settings = load_settings({"bootstrap": bootstrap, "topic_prefix": prefix})
    return confluent_options(settings), settings.topics


def stamp_of(by: str, reason: str) -> Stamp:
    """Return the stamp of a change that is made now.

    Raises
    ------
    SetupError
        Nobody answers for it, or nothing says why.
    """
    for name, text in (("by", by), ("reason", reason)):
        if not text.strip() or len(text) > 1_024:
            raise SetupError(f"{name} of a change must be said in at most 1,024 letters, got {text[:40]!r}")
    return Stamp(system_clock(), by.strip(), reason.strip())


def put(lines: Iterable[str], out: Path | None) -> None:
    """Write lines to a file, or to standard output.

    Raises
    ------
    SetupError
        The file cannot be written.
    """
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SetupError(
            f"out of the command must be a file that can be written, got {out}: {error.strerror}"
        ) from error
