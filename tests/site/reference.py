"""Pages made of the command line, of the settings and of the catalogue of channels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from detector.channels.catalogue import CHANNELS, MODELS, ChannelEntry, spoken_of
from detector.cli import COMMANDS, load
from detector.worker.settings import ENV_PREFIX, WorkerSettings

NOTE: Final = "<!-- made by `python -m tests.site.pages`; change what it is made of -->"
SETTINGS: Final = """
On the command line where `detector worker` has an option for it, else the variable, else the key of the TOML file,
which is the name in small letters without the prefix. `detector worker-settings` prints the same.
"""
COMMAND_LINE: Final = """
Each also answers `--help`. An option whose default is empty is left out, or asks the settings.
"""
MEASURED: Final = """
What is measured of an event, high is strange. A channel without its fields says nothing: it is *not ready*, which is
not zero. How each is computed stands in [science.md](../science.md); rules, which need no history, in
[rules.md](../rules.md). The weight is the one of `default/v1`; twins share a weight, and count once.
"""
REQUIRED: Final = "*required*"
DEFAULT_IN_HELP: Final = re.compile(r"\s*\(default: (.*?)\)$")


def opening(title: str, words: str) -> list[str]:
    """Return the lines that a made page begins with."""
    return [f"# {title}", "", NOTE, *words.splitlines(), ""]


def commands_page() -> str:
    """Return every command with its arguments, options and defaults, as the command line has them."""
    lines = opening("Every command", COMMAND_LINE)
    lines += ["| command | what it does |", "|---|---|"]
    lines += [f"| [`detector {name}`](#detector-{name}) | {_cell(entry.help)} |" for name, entry in COMMANDS.items()]
    for name in COMMANDS:
        lines += ["", *_command_lines(f"detector {name}", load(name), 2)]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Return every setting of a worker: its variable, its default, what it may be, what it means."""
    lines = opening("Settings of a worker", SETTINGS)
    lines += _table("variable", "default", "may be", "meaning")
    for name, field in WorkerSettings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`" if str(field.default) else "*empty*"
        kind = _kind(field.annotation) + _limits(field.metadata)
        lines.append(f"| `{ENV_PREFIX}{name.upper()}` | {default} | {kind} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


def channels_page() -> str:
    """Return every channel of the catalogue: what it measures, what it needs, what it counts."""
    lines = opening("Every channel", MEASURED)
    lines += _table("channel", "measures", "unit", "needs", "weight", "counts where", "OWASP, ATLAS")
    lines += [_channel_row(entry) for entry in CHANNELS]
    lines += ["", "Models that join with the channels:", "", *_table("model", "measures", "weight", "OWASP, ATLAS")]
    lines += [_model_row(one) for one in MODELS]
    return "\n".join(lines) + "\n"


def _channel_row(entry: ChannelEntry) -> str:
    needs = ", ".join(" or ".join(f"`{one}`" for one in field.split("|")) for field in entry.needs)
    spoken = spoken_of(entry.name)
    ids = ", ".join((*spoken.asi, *spoken.atlas))
    weight = f"that of `{entry.twin_of}`" if entry.weight is None else f"{entry.weight:g}"
    return (
        f"| `{entry.name}` | {_cell(entry.measures)} | {entry.unit} | {needs} | {weight} | {_voices(entry)} | {ids} |"
    )


def _model_row(entry: ChannelEntry) -> str:
    return f"| `{entry.name}` | {_cell(entry.measures)} | {entry.weight:g} | {', '.join((*entry.asi, *entry.atlas))} |"


def _voices(entry: ChannelEntry) -> str:
    words = {"plain": "origins unknown", "origin": "origins told"}
    return "everywhere" if len(entry.voices) == len(words) else ", ".join(words[one] for one in entry.voices)


def _command_lines(name: str, command: Any, level: int) -> Iterator[str]:
    """Yield the section of a command, and those of its own commands below it."""
    yield f"{'#' * level} {name}"
    yield ""
    yield from _prose(command.help or "")
    for title, wanted in (("argument", "argument"), ("option", "option")):
        params = [one for one in command.params if _sort(one) == wanted and not one.hidden]
        if params:
            yield ""
            yield from _table(title, "value", "default", "meaning")
            yield from (_param_row(one) for one in params)
    for inner, one in getattr(command, "commands", {}).items():
        yield ""
        yield from _command_lines(f"{name} {inner}", one, level + 1)


def _sort(param: Any) -> str:
    return "option" if param.opts[0].startswith("-") else "argument"


def _param_row(param: Any) -> str:
    names = ", ".join(f"`{flag}`" for flag in (*param.opts, *param.secondary_opts))
    told = DEFAULT_IN_HELP.search(param.help or "")
    meaning = DEFAULT_IN_HELP.sub("", param.help or "")
    default = REQUIRED if param.required else told.group(1) if told else _default(param)
    kind = "" if getattr(param, "is_flag", False) else _kind(param.type_descriptor.annotation)
    bounds = _bounds(param)
    return f"| {names} | {kind}{bounds} | {_cell(default)} | {_cell(meaning)} |"


def _default(param: Any) -> str:
    if getattr(param, "is_flag", False):
        on, off = param.opts[0], param.secondary_opts[0] if param.secondary_opts else "off"
        return f"`{on}`" if param.default else f"`{off}`" if off != "off" else "off"
    if param.default in (None, "", [], ()) or callable(param.default):
        return ""
    return f"`{param.default}`"


def _bounds(param: Any) -> str:
    low, high = param.min, param.max
    if low is not None and high is not None:
        return f", {low:g} to {high:g}"
    return f", from {low:g}" if low is not None else f", up to {high:g}" if high is not None else ""


def _limits(metadata: Sequence[Any]) -> str:
    """Return the bounds that a setting states."""
    words = {"gt": "above", "ge": "from", "le": "up to", "min_length": "at least", "max_length": "at most"}
    stated = [(words[name], getattr(one, name), name) for one in metadata for name in words if hasattr(one, name)]
    return "".join(f", {word} {value:g}{' long' if 'length' in name else ''}" for word, value, name in stated)


def _kind(annotation: Any) -> str:
    """Return in a word what a value may be."""
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(annotation))
    inner = [one for one in get_args(annotation) if isinstance(one, type) or get_origin(one)]
    if inner and annotation not in (int, float, str):
        if get_origin(annotation) is list:
            return f"{_kind(inner[0])}, may be repeated"
        return _kind(next(one for one in inner if one is not type(None)))
    named = {"SecretStr": "secret", "AwareDatetime": "time, RFC 3339"}
    words = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`", Path: "path"}
    return words.get(annotation, named.get(annotation.__name__, ""))


def _prose(text: str) -> Iterator[str]:
    """Yield a command's words with one empty line between paragraphs."""
    yield from re.sub(r"\n\s*\n", "\n\n", text.strip()).splitlines()


def _table(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")
