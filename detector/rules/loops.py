"""An agent that does not get on: one call that fails again and again, an hour that burns many times the usual."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from detector.rules.counting import digest_of
from detector.rules.places import ACTS
from detector.rules.rule import Hit, RuleScene, short
from detector.schema.marks import OF_FIELD, OF_KIND, OF_OUTCOME

LEAST_FAILED: Final = 20
"""Times one call with the same arguments fails in a session before it is told: people's retries end long before."""
MOST_CALLS: Final = 16
"""Failing calls of an agent that are followed, the last ones."""
HOUR_S: Final = 3_600.0
MOST_HOURS: Final = 24
"""Hours with model calls that are an agent's usual, the last ones."""
LEAST_HOURS: Final = 8
"""Hours with model calls before an agent has a usual."""
TIMES_USUAL: Final = 8.0
"""Times the middle of its hours that an hour must burn to be told."""
FLOOR: Final = {"tokens": 2_000_000.0, "cost": 20.0}
"""Tokens, and US dollars, an hour below which nothing is told, whatever is usual."""
CEILING: Final = {"tokens": 50_000_000.0, "cost": 500.0}
"""Tokens, and US dollars, an hour above which it is told whatever is usual, of an agent without a past as well."""
_AMOUNTS: Final = OF_FIELD["tokens_in"] | OF_FIELD["tokens_out"] | OF_FIELD["cost_usd"]


def no_progress(scene: RuleScene) -> Iterator[Hit]:
    """Yield the calls that failed in one session, with the same arguments, time after time; one cause a tool."""
    for i in scene.places.where(ACTS, OF_OUTCOME["error"] | OF_OUTCOME["denied"]):
        event = scene.events[i]
        call = digest_of(event.session_id, event.name, event.target, _plain(event.attributes))
        kept = scene.notes(i).kept
        count = kept.pop(call, 0) + 1
        kept[call] = count
        while len(kept) > MOST_CALLS:
            del kept[next(iter(kept))]
        if count >= LEAST_FAILED:
            yield Hit(i, short(event.name), {"count": str(count)})


def _plain(attributes: dict[str, Any]) -> str:
    """Return attributes as one text, but for what is told of how a call went."""
    told = {name: value for name, value in attributes.items() if not name.startswith(("error", "exit", "otlp."))}
    return msgspec.json.encode(told, order="sorted").decode()


def token_burn(scene: RuleScene) -> Iterator[Hit]:
    """Yield the model calls by which an hour of an agent went far beyond its usual; one cause a quantity."""
    for i in scene.places.where(OF_KIND["llm_call"], _AMOUNTS):
        event = scene.events[i]
        amounts = {"tokens": (event.tokens_in or 0.0) + (event.tokens_out or 0.0), "cost": event.cost_usd or 0.0}
        kept, hour = scene.notes(i).kept, int(scene.clock[i] // HOUR_S)
        if kept.get("hour") != hour:
            _turn(kept, hour)
        for what, amount in amounts.items():
            if not amount:
                continue
            spent = kept[what] = kept.get(what, 0.0) + amount
            usual = _usual(kept.get(f"{what}_hours", []))
            limit = CEILING[what] if usual is None else min(CEILING[what], max(FLOOR[what], TIMES_USUAL * usual))
            if spent >= limit:
                said = "no usual yet" if usual is None else f"{usual:,.0f} in its middle hour"
                yield Hit(i, what, {"what": what, "spent": f"{spent:,.0f}", "usual": said})


def _turn(kept: dict[str, Any], hour: int) -> None:
    """Take an hour that is over into an agent's usual, and begin another."""
    for what in FLOOR:
        if spent := kept.pop(what, 0.0):
            kept[f"{what}_hours"] = [*kept.get(f"{what}_hours", []), spent][-MOST_HOURS:]
    kept["hour"] = hour


def _usual(hours: list[float]) -> float | None:
    """Return what the middle of an agent's hours burned; None of too few."""
    return statistics.median(hours) if len(hours) >= LEAST_HOURS else None
