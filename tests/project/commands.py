"""Command lines that documents and files quote, held against the real command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import detector_gate
from detector.cli import COMMANDS, load

OF_THE_PROGRAM = ("--help", "--version", "--install-completion", "--show-completion")


def problems_of_command(words: Sequence[str]) -> list[str]:
    """Return what the command line would not understand; empty if it would.

    Parameters
    ----------
    words : sequence of str
        The words after ``detector``; values of options are not judged.
    """
    if not words or words[0].startswith("-"):
        return [] if words and words[0] in {*OF_THE_PROGRAM, "-h"} else ["no command"]
    if words[0] not in COMMANDS:
        return [f"no command {words[0]!r}"]
    command, rest = load(words[0]), list(words[1:])
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return [f"no command {words[0]} {name!r}"]
        command = command.commands[name]
    known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)} | {"--help", "-h"}
    given = [word.split("=")[0] for word in rest if word.startswith("-") and word != "-"]
    return [f"no option {flag!r} of {words[0]}" for flag in given if flag not in known]


@cache
def options_of_all_commands() -> frozenset[str]:
    """Return every option of every command, those of the program itself, and those of the gate."""
    found = {*OF_THE_PROGRAM, *re.findall(r"--[a-z]+", detector_gate.HELP)}
    waiting = [load(name) for name in COMMANDS]
    while waiting:
        one = waiting.pop()
        waiting += getattr(one, "commands", {}).values()
        found.update(flag for option in one.params for flag in (*option.opts, *option.secondary_opts))
    return frozenset(found)
