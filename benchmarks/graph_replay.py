"""A replay for *Agents together*: the shipped profile with critical agents, as workers with four partitions run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from detector.offline.replay import Replay, ReplaySettings
from detector.profile.load import load_profile
from detector.profile.model import Profile
from detector.schema.alert import Alert

JOINT: Final = ("response.lateral_path", "response.credential_shared", "response.cascade")
BATCH: Final = 4_096


def profile_with(critical: Sequence[str]) -> Profile:
    """Return the shipped profile with critical agents, and the rule of many calls at once on."""
    table = load_profile().model_dump()
    table["response"]["critical"] = tuple(critical)
    table["rules"]["enabled"] = (*table["rules"]["enabled"], "delegation_burst")
    return Profile.model_validate(table)


def replayed(lines: Sequence[bytes], profile: Profile, trusted_until: float) -> tuple[list[Alert], Counter[str]]:
    """Return the alerts of a replay as workers with four partitions would raise them, and its counts."""
    run = Replay(profile, ReplaySettings(partitions=4, trusted_until=trusted_until))
    alerts: list[Alert] = []
    counts: Counter[str] = Counter()
    for at in range(0, len(lines), BATCH):
        out = run.feed(lines[at : at + BATCH])
        alerts += out.alerts
        counts.update(out.counts)
    return alerts, counts
