"""What Codex wrote before a command's output: whether it ran, and how it ended. What was printed is not looked at."""

from __future__ import annotations

import json
from typing import Final

from detector.backfill.record import at

EXITED: Final = "Process exited with code "
_EXIT: Final = (EXITED, "Exit code: ")
_HEADS: Final = ("Chunk ID: ", "Wall time: ", *_EXIT)
"""How an output begins before which the program put its own lines; behind ``Output:`` is what the command printed."""
_MAX_HEAD: Final = 512


def read_output(output: object) -> tuple[str, int | None, bool]:
    """Return the beginning of an output, the exit code that the program put into it, and whether it says it failed."""
    if isinstance(output, dict):
        content = output.get("content")
        head, code, has_failed = read_output(content if isinstance(content, str) else None)
        return head, code, has_failed or output.get("success") is False
    if not isinstance(output, str):
        return "", None, False
    if output.startswith('{"output":') and (end := output.rfind('"metadata":')) > 0:
        # older releases: the output and, behind it, what became of it
        try:
            found = json.loads("{" + output[end:])
        except (ValueError, RecursionError):
            found = {}
        code = at(found, "metadata", "exit_code")
        return "", code if type(code) is int else None, False
    head = output[:_MAX_HEAD]
    own = head.partition("\nOutput:")[0] if head.startswith(_HEADS) else ""
    for mark in _EXIT:
        words = own.partition(mark)[2].split(maxsplit=1)
        if words and words[0].lstrip("-").isdecimal():
            return head, int(words[0]), False
    return head, None, False
