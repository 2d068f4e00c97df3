"""What an agent is made of: another model than was asked for, a prompt that changed without a version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.rules.rule import Hit, RuleScene, short
from detector.rules.unversioned import changed
from detector.schema.marks import OF_FIELD, OF_KIND

MOST_PROMPTS: Final = 16
"""Acts of an agent whose prompt is held, by name; of more the first ones."""
REQUESTED: Final = ("requested_model", "gen_ai.request.model", "request.model")
"""Attributes that name the model that was asked for."""


def model_substituted(scene: RuleScene) -> Iterator[Hit]:
    """Yield the model calls that another model answered than was asked for; one cause a pair of them."""
    for i in scene.places.where(OF_KIND["llm_call"], OF_FIELD["model"], OF_FIELD["attributes"]):
        event = scene.events[i]
        for name in REQUESTED:
            asked = event.attributes.get(name)
            if isinstance(asked, str) and asked and not is_version_of(model := event.model or "", asked):
                yield Hit(i, f"{short(asked)}/{short(model)}", {"asked": short(asked), "model": model})
                break


def is_version_of(model: str, asked: str) -> bool:
    """Tell whether a model is what was asked for: it, a dated version of it, or it behind a provider's name.

    Examples
    --------
    >>> is_version_of("gpt-4o-2024-08-06", "openai/gpt-4o"), is_version_of("gpt-4o-mini", "gpt-4o")
    (True, False)
    """
    got, wanted = (one.lower().rpartition("/")[2] for one in (model, asked))
    if got == wanted:
        return True
    longer, shorter = (got, wanted) if len(got) > len(wanted) else (wanted, got)
    rest = longer.removeprefix(shorter)
    if rest == longer or rest[0] not in "-:@":
        return False
    return all(part.isdigit() or part == "latest" for part in rest[1:].split("-"))


def prompt_changed(scene: RuleScene) -> Iterator[Hit]:
    """Yield the acts under another prompt than this agent's version had for them; one cause a name of an act."""
    yield from changed(scene, "prompt_hash", MOST_PROMPTS)
