"""One line of a session file as the readers see it, and the telemetry records they make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from detector.otlp.item import MAX_DEPTH, Item

Record = dict[str, Any]

MAX_OPEN: Final = 4_096
"""Calls without a result, and model calls not yet complete, remembered of one file; the oldest is given up."""

USED, CONTEXT, CONTENT, DOUBLE, COPIED, INTERNAL, UNKNOWN = (
    "used", "context", "content", "double", "copied", "internal", "unknown",
)  # fmt: skip
WORDS: Final[Mapping[str, str]] = {
    USED: "tells an action",
    CONTEXT: "tells of the session, its model or its agent",
    CONTENT: "a text, or thinking: nothing that was done",
    DOUBLE: "another record tells the same",
    COPIED: "history of another session, copied into this one",
    INTERNAL: "book-keeping of the program",
    UNKNOWN: "of a type that is not known here: the one to look at",
}
"""What is counted of each record that could be read."""


class Additions(NamedTuple):
    """What whoever calls adds to what stands in the files.

    Parameters
    ----------
    resource : mapping of str to str
        As ``OTEL_RESOURCE_ATTRIBUTES`` would say it at the agent: ``enduser.id``, ``tenant``, ``agent.id`` ...
    is_like_telemetry : bool, default=False
        Leave out what telemetry of Gemini CLI and Copilot has only with content on: arguments, and so targets.
    """

    resource: Mapping[str, str] = {}
    is_like_telemetry: bool = False


class Taken(NamedTuple):
    """What a reader made of one record: the countable word for it, and telemetry."""

    word: str
    items: Sequence[Item] = ()


class Reader(Protocol):
    """Reads the records of one file of one format, in order."""

    unfinished: int
    """Calls that the file tells no result of."""

    def take(self, record: Record) -> Taken:
        """Return what became of a record. Never raises for what stands in it."""

    def finish(self) -> Sequence[Item]:
        """Return what was still open at the end of the file."""


def at(value: object, *names: str) -> Any:  # noqa: ANN401 - a JSON value
    """Return what stands under these names, one inside the other; None where there is none."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def word_at(value: object, *names: str) -> str | None:
    """Return the text under these names; None for anything else, and for an empty one."""
    found = at(value, *names)
    return found if isinstance(found, str) and found else None


def parts_of(content: object) -> list[Record]:
    """Return the parts of a message that are objects; a bare text is one part."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []


def length_of(content: object) -> int:
    """Return the length of a message's texts as JavaScript counts it, in units of UTF-16; never the text itself."""
    texts = (word_at(one, "text") or "" for one in parts_of(content))
    return sum(len(one.encode("utf-16-le", "surrogatepass")) // 2 for one in texts)


def log_item(asked: Additions, resource: Mapping[str, Any], attributes: Mapping[str, Any]) -> Item:
    """Return a log record with these attributes, and what was asked to be added on it and on its resource.

    What stands in a file cannot say who the agent is: what is added goes before it. Which program wrote it, it can.
    """
    known = {name: shallow(value) for name, value in attributes.items() if value is not None}
    about = {name: value for name, value in resource.items() if value is not None}
    return Item(signal="log", resource={**asked.resource, **about}, attributes={**known, **asked.resource})


def shallow(value: object, levels: int = MAX_DEPTH) -> Any:  # noqa: ANN401 - a JSON value
    """Return a JSON value with so many levels of lists and objects at most, as telemetry is read; deeper ones None."""
    if isinstance(value, dict):
        return None if levels == 0 else {name: shallow(one, levels - 1) for name, one in value.items()}
    if isinstance(value, list):
        return None if levels == 0 else [shallow(one, levels - 1) for one in value]
    return value


def push(open_ones: dict[str, Any], key: str, value: object) -> object:
    """Remember a value under a key, and return the oldest one if they had become too many; else None."""
    given_up = None
    if key not in open_ones and len(open_ones) >= MAX_OPEN:
        given_up = open_ones.pop(next(iter(open_ones)))
    open_ones[key] = value
    return given_up
