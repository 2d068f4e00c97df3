"""How each agent is told no: its own deny contract, and the one that all four share.

An allowed call is answered with nothing at all: a hook that says `allow` would pass over the agent's own permission
prompt. Exit status 2 with the reason on standard error denies in all four programs, so it is what is said to a program
that is not known, at an event whose JSON is not known, and by the gate when nobody answers.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from detector.edge.calls import CLAUDE, CODEX, COPILOT, GEMINI, HookCall

EXIT_DENIED: Final = 2


class HookAnswer(NamedTuple):
    """What the hook command does: its exit status, and what it writes."""

    status: int = 0
    stdout: str = ""
    stderr: str = ""


ALLOWED: Final = HookAnswer()


def denial(call: HookCall, reason: str) -> HookAnswer:
    """Return how the program that asks is told no."""
    if call.product in {CLAUDE, CODEX} and call.event == "PreToolUse":
        said = {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
        return HookAnswer(stdout=json.dumps({"hookSpecificOutput": said}))
    if call.product == GEMINI and call.event == "BeforeTool":
        return HookAnswer(stdout=json.dumps({"decision": "deny", "reason": reason}))
    if call.product == COPILOT and not call.event:
        return HookAnswer(stdout=json.dumps({"permissionDecision": "deny", "permissionDecisionReason": reason}))
    return HookAnswer(EXIT_DENIED, stderr=reason + "\n")
