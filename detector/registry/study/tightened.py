"""What becomes of a tightening: policies of other engines, and what it would have denied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from detector.errors import SetupError
from detector.registry.options import put
from detector.registry.pages import ReviewItem
from detector.registry.study.allowed import Denials
from detector.registry.study.cedar import policies_of
from detector.registry.study.events import EventSource, watched
from detector.registry.study.opa import data_of, policy
from detector.registry.study.usage import Usage
from detector.schema.registry import RegistryEntry
from detector.views.shown import count_of, shown

MOST_TOLD: Final = 100
"""Denials that are listed; the rest are counted."""


def check_repeatable(source: EventSource) -> None:
    """Return if events can be read twice.

    Raises
    ------
    SetupError
        They come from standard input.
    """
    if not source.is_repeatable:
        raise SetupError("events of tighten must be files or a topic, got standard input: they are read twice")


def write_policies(entries: Iterable[RegistryEntry], usage: Usage, opa: Path | None, cedar: Path | None) -> None:
    """Write the inventory for other engines, where that is asked for.

    Raises
    ------
    SetupError
        A file cannot be written.
    """
    ordered = sorted(entries, key=lambda one: one.agent_id)
    if opa is not None:
        try:
            opa.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"opa of tighten must be a folder, got {opa}: {error.strerror}") from error
        put([data_of(ordered).rstrip()], opa / "data.json")
        put([policy().rstrip()], opa / "registry.rego")
    if cedar is not None:
        put(policies_of(ordered, usage), cedar)


def denials(
    source: EventSource, items: Sequence[ReviewItem], before: Mapping[str, RegistryEntry], *, is_shown: bool
) -> Denials:
    """Return what tighter entries would have denied that the standing ones allow, by a second reading."""
    with watched(source, "judging them", is_shown=is_shown) as progress:
        return Denials([item.draft.entry for item in items], before).add_all(source.read(progress))


def lines(items: Sequence[ReviewItem], found: Denials) -> Iterator[str]:
    """Yield how many entries become tighter, and every denial."""
    yield f"{count_of(len(items), 'entry').replace('entrys', 'entries')} tighter than what stands"
    for one in found.found[:MOST_TOLD]:
        sessions = ", ".join(shown(name, 40) for name in one.sessions)
        what = f"{one.field} {shown(one.value, 100)}"
        yield f"would have denied {shown(one.agent_id, 48)}: {what}, {count_of(one.acts, 'act')} ({sessions})"
    if len(found.found) > MOST_TOLD or found.unheld:
        yield f"and {len(found.found) - MOST_TOLD} more kinds, {found.unheld} acts that were not held apart"
    yield f"of {count_of(found.acts, 'event')} it would have denied {found.denied:,}"
