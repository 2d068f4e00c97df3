"""Another model than was asked for, a prompt that changed, and their harmless twins."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules.models import MOST_PROMPTS, is_version_of
from tests.rules.told import of_one
from tests.streams import Script, feed, quick

MODEL, PROMPT = {"enabled": ("model_substituted",)}, {"enabled": ("prompt_changed",)}
ASKED: dict[str, Any] = {
    "name": "chat",
    "kind": "llm_call",
    "model": "small-1",
    "attributes": {"requested_model": "large-2"},
}
FIRST: dict[str, Any] = {"name": "chat", "kind": "llm_call", "agent_version": "1", "prompt_hash": "aa"}


@pytest.mark.parametrize("name", ["requested_model", "gen_ai.request.model", "request.model"])
def test_another_model_than_was_asked_for_alerts_and_names_both(name: str) -> None:
    """Wherever the source says what was asked for."""
    (alert,) = of_one({**ASKED, "attributes": {name: "large-2"}}, **MODEL)
    assert (alert.detection, alert.severity) == ("rule.model_substituted", "high")
    assert alert.contributions[0].observed == "small-1 answered where large-2 was asked for"


@pytest.mark.parametrize(
    "body",
    [
        {**ASKED, "model": "large-2"}, {**ASKED, "model": "large-2-2026-08-06"}, {**ASKED, "attributes": {}},
        {**ASKED, "attributes": {"requested_model": "openai/small-1"}}, {**ASKED, "kind": "lifecycle"},
        {**ASKED, "model": "LARGE-2"}, {**ASKED, "attributes": {"requested_model": 3}},
    ],
)  # fmt: skip
def test_a_dated_version_and_a_providers_name_before_it_are_silent(body: dict[str, Any]) -> None:
    """The twins."""
    assert of_one(body, **MODEL) == []


@pytest.mark.parametrize(
    ("model", "asked", "same"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o", True), ("gpt-4o-mini", "gpt-4o", False), ("gpt-4.1", "gpt-4", False),
        ("gpt-45", "gpt-4", False), ("claude-x", "anthropic/claude-x", True), ("claude-x@20250101", "claude-x", True),
        ("claude-x", "claude-x-latest", True), ("llama-3-70b", "llama-3", False),
    ],
)  # fmt: skip
def test_versions_of_a_model_are_told_from_other_models(model: str, asked: str, same: bool) -> None:
    """A date, a number of a build or the word latest behind a name make a version of it."""
    assert is_version_of(model, asked) is same


def test_a_prompt_that_changed_under_one_version_alerts_and_says_from_what_to_what() -> None:
    """As with the definition of a tool."""
    (alert,) = of_one(FIRST, {**FIRST, "prompt_hash": "bb"}, **PROMPT)
    assert alert.causes == ("rule.prompt_changed/chat",)
    assert alert.contributions[0].observed == "the prompt behind chat is bb, before aa"


@pytest.mark.parametrize(
    "second",
    [FIRST, {**FIRST, "prompt_hash": "bb", "agent_version": "2"}, {**FIRST, "name": "plan", "prompt_hash": "bb"},
     {"name": "chat"}, {**FIRST, "prompt_hash": "bb", "agent_id": "a-2"}],
)  # fmt: skip
def test_a_deployment_another_act_and_another_agent_are_silent(second: dict[str, Any]) -> None:
    """The twins."""
    assert of_one(FIRST, second, **PROMPT) == []


def test_who_names_thousands_of_acts_keeps_the_first_ones_and_it_is_counted() -> None:
    """Notes are bounded."""
    script, pipeline = Script(), Pipeline(quick(rules=PROMPT))
    outcome = feed(pipeline, [script.event(**{**FIRST, "name": f"act-{n}"}) for n in range(3 * MOST_PROMPTS)])
    assert outcome.alerts == []
    assert outcome.counts["rule_notes_full"] == 2 * MOST_PROMPTS
