"""The blast-radius breaker: how many agents of a tenant may be contained without a human."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from detector.response.settings import ResponseSettings
    from detector.schema.command import PolicyState

HOUR_S: Final = 3_600.0


class BreakerVerdict(NamedTuple):
    """What the breaker says to one more containment.

    Parameters
    ----------
    why : str or None
        Reason to hold, in words; None lets it pass.
    contained : int
        Agents contained at some moment of the term asked about, before this one.
    fleet : int
        Agents known to the partitions heard of.
    """

    why: str | None
    contained: int
    fleet: int

    @property
    def share(self) -> float:
        """Share of the fleet contained before this decision, in [0, 1] as long as the fleet is known."""
        return self.contained / max(self.fleet, 1)


@dataclass(slots=True)
class Ledger:
    """What one tenant has in containment, kept as three sorted lists.

    Memory: three floats per agent ever contained, one integer per partition of the input.
    Every figure is a function of the policy states and the fleet sizes, so a restart that
    reads the policy topic continues with the same numbers.
    """

    begins: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    partitions: dict[int, int] = field(default_factory=dict)
    known_fleet: int = 0

    def hear(self, partition: int, agents: int) -> None:
        """Take note of how many agents a partition knows now."""
        self.partitions[partition] = agents

    @property
    def fleet(self) -> int:
        """Agents known: the partitions' latest figures, at least what a restored command was decided on."""
        return max(sum(self.partitions.values()), self.known_fleet)

    def replace(self, old: PolicyState | None, new: PolicyState | None) -> None:
        """Enter a subject's new state in place of its old one."""
        for state, enter in ((old, False), (new, True)):
            if state is None:
                continue
            end, start = end_of(state), state.contained_since
            begin = None if end is None else (state.effective_at if start is None else start)
            for times, moment in ((self.begins, begin), (self.ends, end), (self.starts, start)):
                if moment is None:
                    continue
                if enter:
                    insort(times, moment)
                else:
                    del times[bisect_left(times, moment)]

    def contained(self, begin: float, end: float) -> int:
        """Return how many agents are contained at some moment of a term, an upper bound on any one moment.

        Terms that begin after it do not count: a partition that lags behind the others by days is not
        judged by what they contained since.
        """
        # Whatever begins at or after `end` also ends after `begin`, so it can be taken off as a number.
        return len(self.ends) - bisect_right(self.ends, begin) - (len(self.begins) - bisect_left(self.begins, end))

    def begun(self, at: float) -> int:
        """Return how many agents' containment began within an hour of `at`, on either side.

        Both sides, so that an alert that arrives late cannot overfill an hour already decided.
        """
        return bisect_left(self.starts, at + HOUR_S) - bisect_right(self.starts, at - HOUR_S)

    def ask(self, settings: ResponseSettings, begin: float, end: float, *, is_new: bool = True) -> BreakerVerdict:
        """Return whether one more agent may be contained for a term of event time.

        Parameters
        ----------
        settings : ResponseSettings
            The caps.
        begin, end : float
            The term; of a containment that is prolonged, what is added to it.
        is_new : bool, default=True
            False for a prolonged one: it counts in no hour's rate.
        """
        fleet, contained, begun = self.fleet, self.contained(begin, end), self.begun(begin) if is_new else -1
        # The small term undoes the rounding of products such as 0.07 * 100.
        cap = max(settings.fleet_least, int(settings.fleet_share * fleet + 1e-9))
        why = None
        if contained >= cap:
            why = f"{contained} of {fleet} agents are contained, at most {cap} may be without a human"
        elif begun >= settings.rate_per_hour:
            why = (
                f"{begun} agents were contained within an hour, at most {settings.rate_per_hour} may be without a human"
            )
        return BreakerVerdict(why, contained, fleet)


def end_of(state: PolicyState) -> float | None:
    """Return the event time at which a state constrains nothing any more; None if it never does.

    A state without an end counts as contained for ever (infinity).
    """
    if state.state == "released":
        return None
    if state.expires_at is None or state.on_expiry == "hold_and_page":
        return float("inf")
    if state.on_expiry == "step_down":
        return float("inf") if state.steps_down_until is None else state.steps_down_until
    return state.expires_at
