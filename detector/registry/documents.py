"""Files that people review: YAML or JSON read without surprises, and YAML written with comments nobody can break."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from detector.errors import SetupError
from detector.views.shown import shown

MAX_FILE_BYTES: Final = 64 * 1_024 * 1_024
"""A longer file is refused: an inventory of so much is no file that somebody reviews."""
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./@-]*")
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _OnceLoader(_LOADER):
    """Refuses a key that stands twice: of two limits a reader sees one and the parser takes the other."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401 - PyYAML's node
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        twice = [key for key, times in keys.items() if times > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"key {twice[0]!r} stands twice", node.start_mark)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def read_document(path: Path) -> Any:  # noqa: ANN401 - what a file holds is not known before it is read
    """Return what a YAML or JSON file holds, as plain values.

    Aliases (a few lines can stand for gigabytes), tags, keys that stand twice and more than one document are refused.

    Raises
    ------
    SetupError
        The file cannot be read, is too long, or is neither.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SetupError(f"path of the input must be a readable file, got {path}: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise SetupError(f"size of {path} must be at most {MAX_FILE_BYTES} bytes, got {len(raw)}")
    try:
        return document_of(raw)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        fault = " ".join(str(error).split()) or type(error).__name__
        raise SetupError(f"content of {path} must be YAML or JSON, got: {shown(fault, 300)}") from error


def document_of(raw: bytes) -> Any:  # noqa: ANN401 - see read_document
    """Return what bytes of YAML or JSON hold; JSON by lines is a list.

    Raises
    ------
    ValueError, yaml.YAMLError, RecursionError
        They are neither.
    """
    text = raw.decode("utf-8-sig")
    if text.lstrip()[:1] in {"{", "["}:
        return _json(text)
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(  # noqa: TRY004 - the file's fault, like every other
                f"it has an alias, *{event.anchor}: write out what it stands for"
            )
    return yaml.load(text, Loader=_OnceLoader)  # noqa: S506 - a safe loader, made stricter


def _json(text: str) -> Any:  # noqa: ANN401 - see read_document
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [json.loads(line, object_pairs_hook=_once) for line in lines]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"key {names.most_common(1)[0][0]!r} stands twice")
    return made


def seconds_in(value: Any) -> Any:  # noqa: ANN401 - what is no time is left to the model to refuse
    """Return a time as people or YAML write it as epoch seconds; anything else as it is.

    >>> seconds_in("2026-03-02T09:00:00Z"), seconds_in(12.5)
    (1772442000.0, 12.5)
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, datetime):
        # YAML's own times come without their offset where none is written: UTC is what we write
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return value


def scalar(value: str | float | bool | None) -> str:
    r"""Return one value as YAML on one line, in ASCII: read again it is the same, whatever letters it has.

    >>> print(scalar("read_file"), scalar("no"), scalar("a\n- b"), scalar(True))
    read_file "no" "a\n- b" true
    """
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
        return value
    quoted: str = yaml.dump(value, default_style='"', width=2**31, allow_unicode=False)
    return quoted.rstrip("\n")


def comment(text: str, indent: int = 0) -> str:
    r"""Return a line that is a comment and stays one: nothing an agent wrote begins a line of its own.

    >>> print(comment("seen: a\n- b"))
    # seen: a\n- b
    """
    return f"{' ' * indent}# {shown(text, 400)}"


def time_text(at: float) -> str:
    """Return epoch seconds as a time of a file, to the second where it is one.

    >>> time_text(1772442000.0)
    '2026-03-02T09:00:00Z'
    """
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return json.dumps(at)
    return moment.isoformat().replace("+00:00", "Z")


def exact_time(at: float) -> str | float:
    """Return a time as people write it if it reads back as it was, else the number: digests are of what is read."""
    text = time_text(at)
    return text if seconds_in(text) == at else at


def lines_of_mapping(body: Mapping[str, Any], indent: int) -> Iterable[str]:
    """Yield the lines of a mapping of plain values, lists and mappings, one value a line; nothing is folded."""
    pad = " " * indent
    for name, value in body.items():
        if isinstance(value, Mapping) and value:
            yield f"{pad}{scalar(name)}:"
            yield from lines_of_mapping(value, indent + 2)
        elif isinstance(value, list | tuple) and value:
            yield f"{pad}{scalar(name)}:"
            for one in value:
                yield from _item(one, indent + 2)
        else:
            yield f"{pad}{scalar(name)}: {_empty(value)}"


def _item(one: Any, indent: int) -> Iterable[str]:  # noqa: ANN401 - plain values
    pad = " " * indent
    if not isinstance(one, Mapping) or not one:
        yield f"{pad}- {_empty(one)}"
        return
    for number, line in enumerate(lines_of_mapping(one, indent + 2)):
        yield f"{pad}- {line[indent + 2 :]}" if number == 0 else line


def _empty(value: Any) -> str:  # noqa: ANN401 - plain values
    if isinstance(value, Mapping):
        return "{}"
    return "[]" if isinstance(value, list | tuple) else scalar(value)
