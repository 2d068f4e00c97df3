"""A call's arguments become a target and a few short values: coarse, bounded, never the text somebody wrote."""

from __future__ import annotations

import ast
import json
from typing import Any, Final
from urllib.parse import urlsplit

from detector.otlp.facts import MAX_JSON
from detector.otlp.values import MAX_ATTRIBUTE, REDACTED, text
from detector.schema.amends import clean
from detector.schema.event import MAX_STRING

PREFIX: Final = "arg."
"""Before the name of an argument among an event's attributes."""
MAX_ARGUMENTS: Final = 16
MAX_VALUE: Final = 128
"""Characters of an argument that is kept; longer ones are texts."""
MAX_REPR: Final = 2_048
"""Characters of what Python printed that is read back."""
MAX_BRACKETS: Final = 32
"""Brackets in it: the parser of Python is no place for deep nesting."""
PLACES: Final = (
    "url", "uri", "href", "endpoint", "file_path", "filepath", "absolute_path", "notebook_path", "path", "file",
    "filename", "dir_path", "directory", "full_command", "command", "cmd", "script", "to", "recipient", "recipients",
    "email", "address", "channel", "host", "hostname", "domain", "bucket", "table", "database", "db", "repo",
    "repository", "resource", "resource_id", "target", "agent_name", "agent", "pattern", "key", "name", "id",
)  # fmt: skip
"""Names of arguments that say where a call goes, the surest first; ``*_id`` and ``*_name`` come after them."""
WRITTEN: Final = frozenset({
    "body", "content", "contents", "text", "message", "prompt", "question", "task", "description", "code", "input",
    "instructions", "subject", "title", "summary", "old_string", "new_string", "new_source", "data", "patch", "diff",
    "reason", "thought", "thoughts", "query",
})  # fmt: skip
"""Names of arguments that hold what somebody wrote: kept neither as target nor as a value."""
WRAPPERS: Final = ("inputs", "kwargs", "arguments", "args", "input_str", "tool_input", "input", "parameters")
"""Where libraries put the arguments inside what they record of a call."""
_WRAPPED_BY: Final = frozenset({"sanitize_inputs_outputs", "tool_name", "tags", "metadata", "input_str"})
"""Names that stand beside such a wrapper: without one of them, ``input`` is an argument like any other."""
SHELLS: Final = frozenset({"full_command", "command", "cmd", "script"})
"""Names of arguments that hold a command line."""
_MAX_BARE: Final = 256
_RANK: Final = {name: rank for rank, name in enumerate(PLACES)}
_NUMBER: Final = (int, float)
_PLAIN: Final = (str, int, float)


def read_arguments(value: object) -> dict[str, Any] | str | None:
    r"""Return a call's arguments by name, or the one value that was recorded without a name; None for none.

    Read are objects, JSON, and what Python prints of a dictionary, also inside a library's wrapper.

    Examples
    --------
    >>> read_arguments('{"input_str": "{\'ticket_id\': \'T-1\'}", "tags": []}')
    {'ticket_id': 'T-1'}
    """
    found = _read(value)
    for _ in range(2):
        if not isinstance(found, dict) or not (_WRAPPED_BY & found.keys()):
            break
        full = (found[name] for name in WRAPPERS if name in found and found[name] not in ([], {}, ""))
        inner = next((read for one in full if (read := _read(one)) is not None), None)
        if inner is None:
            return {} if "input_str" in found else found
        found = inner
    return found


def _read(value: object) -> dict[str, Any] | str | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, _NUMBER) and not isinstance(value, bool):
        return text(value)
    if not isinstance(value, str) or not value or value in REDACTED or len(value) > MAX_JSON:
        return None
    if value[0] not in "{[":
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = _printed(value)
    if not isinstance(found, dict):
        return None
    return found if all(type(name) is str for name in found) else {k: v for k, v in found.items() if type(k) is str}


def _printed(value: str) -> object:
    """Return the dictionary that Python printed; None for anything else, long or deep."""
    if len(value) > MAX_REPR or sum(map(value.count, "([{")) > MAX_BRACKETS:
        return None
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def target_of(arguments: dict[str, Any] | str | None) -> str | None:
    """Return where a call goes: the argument that says so, without query and credentials of an address.

    An argument whose name says nothing counts if it is one word: a sentence is no place.

    Examples
    --------
    >>> target_of({"url": "https://me:pw@api.example.com/v1/orders?id=7"}), target_of({"question": "what is it?"})
    ('https://api.example.com/v1/orders', None)
    """
    if isinstance(arguments, str):
        return _bare(arguments)
    if not arguments:
        return None
    for name in sorted((one for one in arguments if one in _RANK), key=_RANK.__getitem__):
        value = arguments[name]
        if name in SHELLS and isinstance(value, list):
            value = " ".join(one for one in value[:MAX_ARGUMENTS] if isinstance(one, str))
        if (found := _value(value)) is not None:
            return found if name in SHELLS else coarse(found)
    rest = [(name, value) for name, value in arguments.items() if name not in WRITTEN][:MAX_ARGUMENTS]
    for ending in ("_id", "_path", "_url", "_name", ""):
        for name, value in rest:
            if name.lower().endswith(ending) and (found := _bare(_value(value))) is not None:
                return found
    return None


def coarse(place: str) -> str:
    """Return an address without credentials, query and fragment; anything else as it is.

    >>> coarse("https://a:b@h.example/x?k=1#f"), coarse("/etc/hostname")
    ('https://h.example/x', '/etc/hostname')
    """
    if "://" not in place or " " in place:
        return place
    try:
        found = urlsplit(place)
    except ValueError:
        return place.split("?", 1)[0]
    return f"{found.scheme}://{found.netloc.rpartition('@')[2]}{found.path}"


def short_values(arguments: dict[str, Any] | str | None, target: str | None) -> dict[str, str | float | bool]:
    """Return the arguments that are short and no text somebody wrote, by their prefixed names; not the target again."""
    if not isinstance(arguments, dict):
        return {}
    found: dict[str, str | float | bool] = {}
    for name, value in list(arguments.items())[: 4 * MAX_ARGUMENTS]:
        if name in WRITTEN or len(found) >= MAX_ARGUMENTS:
            continue
        if isinstance(value, bool):
            found[clean(PREFIX + name[:MAX_VALUE])] = value
        elif (short := _value(value)) is not None and len(short) <= MAX_VALUE and coarse(short) != target:
            found[clean(PREFIX + name[:MAX_VALUE])] = coarse(short)
    return found


def _value(value: object) -> str | None:
    """Return an argument as text: a text, a number, or a list of such."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return text([one for one in value[:MAX_ARGUMENTS] if isinstance(one, _PLAIN)], MAX_STRING)
    return text(value) if isinstance(value, _NUMBER) and not isinstance(value, bool) else None


def _bare(value: str | None) -> str | None:
    """Return a value of one word that could be a place."""
    if value is None or len(value) > min(_MAX_BARE, MAX_ATTRIBUTE) or not value or any(map(str.isspace, value)):
        return None
    return coarse(value)
