"""How single events are ranked, and what the alarms point at on a time line: the level below sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from detector.offline import episodes
from detector.offline.labels import EventLabel, SessionLabel, session_of
from detector.offline.metrics import Resampling, Sample, filled, summary
from detector.offline.scored import Scored


def judge_events(
    scored: Scored,
    labels: dict[str, EventLabel],
    sessions: dict[str, SessionLabel],
    resampling: Resampling,
    gap_s: float,
) -> dict[str, Any]:
    """Return how single events of live sessions are ranked, and the episodes and windows of the alarms.

    Parameters
    ----------
    scored : Scored
        The stream.
    labels : dict of str to EventLabel
        By event id; events without one are left out.
    sessions : dict of str to SessionLabel
        By session id; tells what is live.
    resampling : Resampling
        How intervals are made.
    gap_s : float
        Alarms of one agent closer than this are one episode, seconds.
    """
    keep = [
        index
        for index, (event, session) in enumerate(zip(scored.events, scored.sessions, strict=True))
        if event in labels and (session not in sessions or sessions[session].is_live)
    ]
    codes: dict[str, int] = {}
    units = np.array([codes.setdefault(scored.sessions[index], len(codes)) for index in keep], dtype=np.int64)
    bad = np.array([labels[scored.events[index]].is_attack for index in keep], dtype=bool)
    sample = Sample(filled(scored.scores[np.array(keep, dtype=np.int64)]), bad, None, units)
    stretches = [
        episodes.Point(scored.agents[index], scored.times[index], bool(is_bad))
        for index, is_bad in zip(keep, bad.tolist(), strict=True)
    ]
    first = min((point.at for point in stretches), default=0.0)
    return {
        **summary(sample, resampling),
        **episodes.judge(stretches, list(_alarms(scored, first)), gap_s),
    }


def _alarms(scored: Scored, first: float) -> Iterator[tuple[str, float]]:
    """Yield agent and event time of everything an alert points at, from an event time on.

    An incident that sessions of several agents joined holds acts of each: an act is its own agent's.
    """
    of_event = dict(zip(scored.events, scored.agents, strict=True))
    of_session = dict(zip(scored.sessions, scored.agents, strict=True))
    for alert in scored.alerts:
        acts = {(of_event.get(one.event_id, alert.agent_id), one.ts) for one in alert.evidence}
        for agent, at in {(of_session.get(session_of(alert), alert.agent_id), alert.time), *acts}:
            if at >= first:
                yield agent, at
