"""What a well-formed profile can still get wrong: errors are refused at load, warnings are told."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from detector.channels.catalogue import CHANNELS, MEASURES, NAMES, WEIGHTS
from detector.profile.classes import RiskClass
from detector.profile.model import Profile
from detector.profile.section import MOST_SHARE
from detector.profile.strict import is_stricter
from detector.rules.inventory import ENTRY_BYTES

# gates of 20 to 30 % beside a budget of 1 % behave alike, one near the alarm level fails: docs/science.md, *The gate*
FAR: Final = 10.0
IDLE_BYTES: Final = 4_096
ROWS_BYTES: Final = 1 << 29
"""Agents' rows of a partition, or its registry: half a GiB (``docs/science.md``, *Who is remembered*)."""
LEAST_AGENTS: Final = 2_048
"""A micro-batch may pass between an alert and its hold: so many rows that as many newcomers leave first."""


class Issue(NamedTuple):
    """One finding of the lint.

    Parameters
    ----------
    field : str
        Dotted field to change.
    severity : {"error", "warning"}
        An error refuses the profile; a warning is told.
    message : str
        What must hold and what was found.
    """

    field: str
    severity: Literal["error", "warning"]
    message: str


def lint(profile: Profile) -> list[Issue]:
    """Return everything the lint has to say about a profile, in the order of its sections."""
    rules = (_sessions, _learning, _weights, _correction, _forest, _budget, _reach, _memory, _response, _classes)
    return [issue for rule in rules for issue in rule(profile)]


def _sessions(profile: Profile) -> Iterator[Issue]:
    sessions = profile.sessions
    if sessions.idle_s > sessions.age_s:
        yield Issue(
            "sessions.idle_s", "error", f"must be at most age_s, got {sessions.idle_s:g}: it could never happen"
        )
    least = 2 * _room_of_an_event()
    if sessions.observations < least:
        yield Issue(
            "sessions.observations",
            "error",
            f"must be at least {least}, one event and the room for another, got {sessions.observations}: "
            "every event would close its session",
        )


def _learning(profile: Profile) -> Iterator[Issue]:
    learning, alarm = profile.learning, profile.budget.alerts
    if learning.histogram_p > learning.gate_p:
        yield Issue("learning.histogram_p", "error", f"must be at most gate_p, got {learning.histogram_p:g}")
    if learning.gate_p <= alarm:
        yield Issue(
            "learning.gate_p",
            "error",
            f"must be far above the share that alerts ({alarm:g}), got {learning.gate_p:g}: "
            "one unalarmed session would teach the attacker's target to all peers",
        )
    elif learning.gate_p < FAR * alarm:
        yield Issue("learning.gate_p", "warning", f"should be at least {FAR * alarm:g}, got {learning.gate_p:g}")


def _weights(profile: Profile) -> Iterator[Issue]:
    elsewhere = {channel.name for channel in CHANNELS if "plain" not in channel.voices}
    if not any(profile.weights.model_dump(exclude=elsewhere).values()):
        besides = " and ".join(sorted(elsewhere & set(WEIGHTS)))
        rule = f"must hold one above zero besides {besides}, got none: nothing could ever alert"
        yield Issue("weights", "error", rule)
    voices = profile.weights.forest + profile.weights.half_space
    if voices > 1.0:
        yield Issue("weights.forest", "warning", f"and half_space should add up to at most 1, got {voices:g}")


def _correction(profile: Profile) -> Iterator[Issue]:
    if profile.agent_correction.low < 0.5:
        low = profile.agent_correction.low
        yield Issue("agent_correction.low", "warning", f"should be at least 0.5, got {low:g}: it can be bought")


def _forest(profile: Profile) -> Iterator[Issue]:
    forest = profile.forest
    if forest.least > forest.window:
        yield Issue(
            "forest.least", "error", f"must be at most window ({forest.window}), got {forest.least}: never fits"
        )
    if forest.samples > forest.window:
        yield Issue("forest.samples", "error", f"must be at most window ({forest.window}), got {forest.samples}")
    if forest.lag_s >= forest.refit_s:
        yield Issue("forest.lag_s", "error", f"must be below refit_s ({forest.refit_s:g}), got {forest.lag_s:g}")


def _budget(profile: Profile) -> Iterator[Issue]:
    budget = profile.budget
    if budget.alerts == 0.0:
        yield Issue("budget.alerts", "error", "must be above zero, got 0: nothing could ever alert")
    if budget.quarantine > budget.alerts:
        yield Issue("budget.quarantine", "error", f"must be at most alerts, got {budget.quarantine:g}")
    if budget.least > budget.window:
        yield Issue("budget.least", "error", f"must be at most window ({budget.window}), got {budget.least}")
    if budget.tail > 0.0 and budget.tail < budget.alerts:
        yield Issue("budget.tail", "error", f"must be at least alerts ({budget.alerts:g}) or 0, got {budget.tail:g}")


def _reach(profile: Profile) -> Iterator[Issue]:
    """An empirical window of n sessions knows no share below 1 / (n + 1)."""
    budget, smallest = profile.budget, 1.0 / (profile.budget.window + 1)
    for field, share in (("budget.alerts", budget.alerts), ("budget.quarantine", budget.quarantine)):
        if 0.0 < share < smallest and budget.tail == 0.0:
            yield Issue(
                field,
                "error",
                f"must be at least 1/(window + 1) = {smallest:.2g} without a tail model, got {share:g}: "
                "raise window, or set tail",
            )
        elif 0.0 < share < smallest / FAR:
            yield Issue(
                field, "warning", f"should be at least {smallest / FAR:.2g}, got {share:g}: far beyond the data"
            )
    if budget.tail > 0.0:
        return
    reach = math.log10(budget.window + 1)
    for field, score in (("limit_score", profile.limit_score), ("isolate_score", profile.isolate_score)):
        if score > reach and getattr(profile.response, field) is not None:
            yield Issue(f"response.{field}", "error", f"must be at most {reach:.2f}, got {score:g}: out of reach")


def _memory(profile: Profile) -> Iterator[Issue]:
    memory = profile.memory
    for field in ("agent_keys", "group_keys", "group_contexts", "group_numbers"):
        size = int(getattr(memory, field))
        if size & (size - 1):
            yield Issue(f"memory.{field}", "error", f"must be a power of two, got {size}")
    idle = agent_bytes(profile)
    if idle > IDLE_BYTES:
        yield Issue(
            "memory.agent_keys",
            "warning",
            f"with agent_numbers, agent_tools and recent_ids should take at most {IDLE_BYTES:,} bytes an agent, "
            f"got {idle:,}",
        )
    rows = memory.agents * idle
    if rows > ROWS_BYTES:
        yield Issue(
            "memory.agents", "warning", f"times {idle:,} bytes should take at most {ROWS_BYTES:,} bytes, got {rows:,}"
        )
    entries = profile.rules.registered * ENTRY_BYTES
    if entries > ROWS_BYTES:
        yield Issue(
            "rules.registered",
            "warning",
            f"times {ENTRY_BYTES} bytes should take at most {ROWS_BYTES:,} bytes, got {entries:,}",
        )
    if memory.agents < LEAST_AGENTS:
        yield Issue(
            "memory.agents",
            "warning",
            f"should be at least {LEAST_AGENTS:,}, got {memory.agents}: who alerted could leave before others",
        )


def _room_of_an_event() -> int:
    """Return the observations that must be free before a session takes an event."""
    from detector.memory.observations import MOST_OF_ONE_EVENT  # brings numba along, and help must not wait for it

    return MOST_OF_ONE_EVENT


def agent_bytes(profile: Profile) -> int:
    """Return the bytes of one agent's row; its places in index and roster, 80 to 100 bytes, come on top."""
    return row_bytes(profile)[0]


def row_bytes(profile: Profile) -> tuple[int, int]:
    """Return the bytes of one agent's row and of one peer group's."""
    from detector.memory.layout import Sizes, agent_dtype, group_dtype  # late, as above

    caps = {**profile.memory.model_dump(), "forest_window": profile.forest.window, "held_s": 0.0}
    sizes = Sizes(**caps, channels=len(NAMES), measures=len(MEASURES))
    return agent_dtype(sizes).itemsize, group_dtype(sizes).itemsize


def _response(profile: Profile) -> Iterator[Issue]:
    response, status = profile.response, profile.profile.status
    commands = response.mode == "enforce"
    if commands and status != "stable":
        yield Issue("response.mode", "error", f"must be shadow while status is {status}, got enforce")
    if profile.budget.quarantine == 0.0 and response.isolate_score is None:
        yield Issue(
            "budget.quarantine",
            "error" if commands else "warning",
            "must be above zero with commands on, got 0: nothing could ever be isolated",
        )
    stated = response.limit_score is not None or response.isolate_score is not None
    if stated and profile.limit_score > profile.isolate_score:
        yield Issue("response.limit_score", "error", f"must be at most isolate_score, got {profile.limit_score:g}")
    if response.fleet_least == 0 and response.rate_per_hour == 0:
        severity: Literal["error", "warning"] = "error" if commands else "warning"
        yield Issue("response.rate_per_hour", severity, "must be above zero with commands on, got 0")
    for field in ("newcomer_most", "newcomer_per_hour"):
        if getattr(response, field) == 0:
            rule = "should be above zero, got 0: an agent that is new would never be contained without a person"
            yield Issue(f"response.{field}", "warning", rule)


def _classes(profile: Profile) -> Iterator[Issue]:
    names, matches = [one.name for one in profile.classes], [one.match for one in profile.classes]
    for place, one in enumerate(profile.classes):
        at = f"class.{one.name}"
        if one.name in names[:place]:
            yield Issue(f"{at}.name", "error", "must be no other class's, got it twice")
        if not any(one.match.model_dump().values()):
            yield Issue(
                f"{at}.match", "error", "must name somebody, got nobody: for everybody the profile itself stands"
            )
        elif one.match in matches[:place]:
            yield Issue(f"{at}.match", "error", "must differ from those before it, got one again: the first one wins")
        yield from _class_budget(profile, one, at)
        yield from _class_ladder(profile, one, at)
        yield from _class_reach(profile, one, at)


def _class_budget(profile: Profile, one: RiskClass, at: str) -> Iterator[Issue]:
    """A promise to a class is kept out of the window of all: of its references one at least must be past the line."""
    (alerts, quarantine), budget = profile.shares_of(one), profile.budget
    if alerts * budget.window < 1.0:
        rule = f"times budget.window ({budget.window}) must be at least 1, got {alerts:g}: it cannot be kept"
        yield Issue(f"{at}.alerts", "error", f"{rule}; a class that may never be contained is response.most = observe")
    if alerts > MOST_SHARE:
        yield Issue(f"{at}.alerts", "error", f"must be at most {MOST_SHARE:g}, got {alerts:g}")
    if profile.learning.gate_p <= alerts:
        gate = profile.learning.gate_p
        yield Issue(f"{at}.alerts", "error", f"must be far below learning.gate_p ({gate:g}), got {alerts:g}")
    if quarantine > alerts:
        yield Issue(f"{at}.quarantine", "error", f"must be at most alerts ({alerts:g}), got {quarantine:g}")


def _class_ladder(profile: Profile, one: RiskClass, at: str) -> Iterator[Issue]:
    limit, isolate = profile.scores_of(one)
    if limit > isolate:
        yield Issue(
            f"{at}.response.isolate_score", "error", f"must be at least limit_score ({limit:g}), got {isolate:g}"
        )
    elif not one.match.is_of_entries and not is_stricter(profile, one):
        rule = "takes agents only by their active entry, for it is more lenient than the profile"
        yield Issue(f"{at}.match", "warning", f"{rule}: what events claim opens no such class")


def _class_reach(profile: Profile, one: RiskClass, at: str) -> Iterator[Issue]:
    """What a class says of its own must be within the reach of the window, as what the profile says must."""
    most = math.log10(profile.budget.window + 1)
    if profile.budget.tail > 0.0:
        return
    if one.quarantine and -math.log10(one.quarantine) > most:
        rule = f"must be at least 1/(window + 1) = {10.0**-most:.2g} without a tail model, got {one.quarantine:g}"
        yield Issue(f"{at}.quarantine", "error", f"{rule}: raise window, or set tail")
    for field in ("limit_score", "isolate_score"):
        score = getattr(one.response, field)
        if score is not None and score > most:
            yield Issue(f"{at}.response.{field}", "error", f"must be at most {most:.2f}, got {score:g}: out of reach")
