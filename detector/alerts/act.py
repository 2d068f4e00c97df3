"""What an alert shows of an act beside its name: sizes, who and what it was about, arguments to look at first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from detector.intake.columns import SIZES
from detector.schema.alert import Argument
from detector.schema.event import Event
from detector.schema.shown import shown

MOST_ARGUMENTS: Final = 8
"""Arguments of an act that are shown; how many more there were is told."""
MOST_NAME: Final = 64
"""Letters of an argument's name that are shown."""
MOST_VALUE: Final = 128
"""Letters of a value that are shown; of a longer one a digest says which it was."""
_ABOUT: Final = (
    "on_behalf_of",
    "peer_agent_id",
    "peer_zone",
    "data_class",
    "model",
    "tool_hash",
    "prompt_hash",
)


def shown_of(event: Event, first: Sequence[str] = ()) -> dict[str, Any]:
    """Return the fields of an evidence that show what matters of an act.

    Parameters
    ----------
    event : Event
        The act; every name and value of it was chosen by somebody who may want to hide.
    first : sequence of str, default=()
        Names of arguments that stood out: they are shown, however many others there are.

    Returns
    -------
    dict
        ``sizes``: the sizes that the event reports. ``about``: who and what it was about, by the event's own field
        names. ``arguments``: at most :data:`MOST_ARGUMENTS`; those that stood out, then what reads like an address,
        then numbers, then the rest, each in the event's order. ``arguments_left``: how many are not shown.
    """
    given = [(name, value) for name, value in event.attributes.items() if value is not None]
    given.sort(key=lambda one: _place(one[0], one[1], first))
    about = {name: value for name in _ABOUT if (value := getattr(event, name))}
    about |= {name: one.id for name, one in (("credential", event.credential), ("grant", event.grant)) if one}
    return {
        "sizes": {name: value for name in SIZES if (value := getattr(event, name)) is not None},
        "about": {name: shown(value, MOST_VALUE) for name, value in about.items()},
        "arguments": tuple(
            Argument(name=shown(name, MOST_NAME), value=shown(_text(value), MOST_VALUE))
            for name, value in given[:MOST_ARGUMENTS]
        ),
        "arguments_left": max(len(given) - MOST_ARGUMENTS, 0),
    }


def _place(name: str, value: str | float | bool, first: Sequence[str]) -> int:
    """Return how early an argument is shown, 0 first."""
    if name in first:
        return 0
    if isinstance(value, str):
        return 1 if _reads_like_an_address(value) else 3
    return 3 if isinstance(value, bool) else 2


def _reads_like_an_address(text: str) -> bool:
    """Tell whether a text may name a mailbox, a page, a path or a host; linear in the text, which may be long."""
    is_one_word = " " not in text
    return "@" in text or "://" in text or text.startswith(("/", "~")) or (is_one_word and "." in text.strip("."))


def _text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, int | float) else value
