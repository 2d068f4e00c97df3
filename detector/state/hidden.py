"""What suppressions have to say of a batch: counts at their doublings, and those whose time is over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from detector.alerts.suppressed import told
from detector.steps.suppressions import Suppressed, act_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.alerts.leads import Lead
    from detector.schema.alert import Alert
    from detector.state.partition import Partition
    from detector.state.report import Batch

Said = tuple[int, int, int, Callable[[], "Alert"]]
"""What is said, with its place: the event, before everything at it or behind everything, its number."""
BEFORE, BEHIND = -2, 3


def said_of(state: Partition, batch: Batch) -> Sequence[Said]:
    """Return what suppressions say of a batch that was decided; changes which stand, when its turn comes."""
    news, state.suppressions.news = state.suppressions.news, []
    counted: list[Said] = [(i, BEHIND, k, partial(_counted, state, batch, i, one)) for k, (i, one) in enumerate(news)]
    over = enumerate(state.suppressions.over())
    return [*counted, *((i, BEFORE, k, partial(_over, state, batch, i, one)) for k, (i, one) in over)]


class Hidden(NamedTuple):
    """Whether something is hidden, and what is to be said of that."""

    is_hidden: bool
    told: Alert | None = None


def of_rule(state: Partition, batch: Batch, i: int, lead: Lead, rule: str) -> Hidden:
    """Return whether what a rule found is hidden, and what is to be said of that."""
    if not state.suppressions.held:
        return Hidden(is_hidden=False)
    is_hidden = state.suppressions.hides(i, act_at(state.work, i, lead.strength, rule=rule), state.work)
    news, state.suppressions.news = state.suppressions.news, []
    return Hidden(is_hidden, _counted(state, batch, i, news[0][1]) if news else None)


def _counted(state: Partition, batch: Batch, i: int, one: Suppressed) -> Alert:
    """Return the record of a suppression's counts."""
    one.partition = batch.spot(i).record.partition
    if one.uid in state.suppressions.held:
        state.suppressions.held[one.uid].partition = one.partition
    return told(one, "create" if one.counter == 1 else "update", float(state.work.clock[i]), state.profile.id)


def _over(state: Partition, batch: Batch, i: int, one: Suppressed) -> Alert:
    """Return the last record of a suppression that is over at an event, and let it stand no longer."""
    state.suppressions.drop(one)
    one.counter, one.partition = one.counter + 1, batch.spot(i).record.partition
    return told(one, "close", float(state.work.clock[i]), state.profile.id)
