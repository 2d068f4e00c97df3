"""Each agent is told no in its own form, exactly; a call that may happen is answered with nothing."""

from __future__ import annotations

import json

import pytest

from detector.edge.calls import PRODUCTS, HookCall, read_call
from detector.edge.contracts import ALLOWED, denial
from tests.edge.recordings import recorded

CLAUDE = {
    "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": "why",
    }
}
EXPECTED = {
    "claude-code": CLAUDE,
    "codex": CLAUDE,
    "gemini-cli": {"decision": "deny", "reason": "why"},
    "copilot-cli": {"permissionDecision": "deny", "permissionDecisionReason": "why"},
}


@pytest.mark.data
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_recorded_call_is_denied_in_the_form_of_its_program(product: str) -> None:
    """Exit status 0, one JSON object on standard output, nothing on standard error."""
    judged = [call for raw in recorded(product) if (call := read_call(raw)).is_judged]
    assert judged
    for call in judged:
        answer = denial(call, "why")
        assert (answer.status, json.loads(answer.stdout), answer.stderr) == (0, EXPECTED[product], "")


@pytest.mark.parametrize(
    "call",
    [
        HookCall(""),
        HookCall("", "PreToolUse"),
        HookCall("claude-code"),
        HookCall("claude-code", "UserPromptSubmit"),
        HookCall("gemini-cli", "PreToolUse"),
        HookCall("copilot-cli", "PreToolUse"),
    ],
)
def test_where_the_form_is_not_certain_the_status_denies(call: HookCall) -> None:
    """Status 2 with the reason on standard error denies in all four programs."""
    assert denial(call, "why") == (2, "", "why\n")


def test_an_allowed_call_says_nothing() -> None:
    """A hook that said `allow` would pass over the agent's own question to its user."""
    assert ALLOWED == (0, "", "")
