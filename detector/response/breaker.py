"""The blast-radius breaker: how many agents of a tenant may be contained without a human."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from detector.response.settings import ResponseSettings
    from detector.schema.command import PolicyState, Tier

HOUR_S: Final = 3_600.0
_moment = itemgetter(0)


class BreakerVerdict(NamedTuple):
    """What the breaker says to one more containment.

    Parameters
    ----------
    why : str or None
        Reason to hold, in words; None lets it pass.
    contained : int
        Agents of the same kind contained at some moment of the term asked about, before this one.
    fleet : int
        Established agents known to the partitions heard of.
    over : int
        How many of the contained would have to leave for this one to pass; 0 if it passes, or if none could help.
    """

    why: str | None
    contained: int
    fleet: int
    over: int = 0

    @property
    def share(self) -> float:
        """Share of the fleet contained before this decision, in [0, 1] as long as the fleet is known."""
        return self.contained / max(self.fleet, 1)


class Caps(NamedTuple):
    """How many of one kind of agent may be contained at one time, and newly in an hour; `who` names them in words."""

    most: int
    per_hour: int
    who: str


def caps_of(settings: ResponseSettings, fleet: int, *, established: bool) -> Caps:
    """Return the caps of established agents or of newcomers.

    Newcomers have places of their own: agents that somebody invents never take those of the honest fleet. They have
    no more places than the fleet's share, for a fleet may be all new.
    """
    # The small term undoes the rounding of products such as 0.07 * 100.
    most = max(settings.fleet_least, int(settings.fleet_share * fleet + 1e-9))
    if established:
        return Caps(most, settings.rate_per_hour, "agents")
    return Caps(
        min(most, settings.newcomer_most), min(settings.rate_per_hour, settings.newcomer_per_hour), "new agents"
    )


@dataclass(slots=True)
class KnownFleet:
    """How many established agents a tenant has, as far as the partitions that have alerted say.

    Invented ids are not among them, however many a partition sees.

    Memory: one integer per partition of the input.
    """

    partitions: dict[int, int] = field(default_factory=dict)
    restored: int = 0

    def hear(self, partition: int, agents: int) -> None:
        """Take note of how many established agents a partition knows now."""
        self.partitions[partition] = agents

    @property
    def size(self) -> int:
        """Agents known: the partitions' latest figures, at least what a restored command was decided on."""
        return max(sum(self.partitions.values()), self.restored)


@dataclass(slots=True)
class Ledger:
    """What one tenant has in containment of one kind of agent, kept in sorted lists.

    Memory: four floats per agent ever contained. Every figure is a function of the policy states,
    so a restart that reads the policy topic continues with the same numbers.

    Attributes
    ----------
    begins : list of float
        When the containments that end began.
    ends : list of (float, str)
        When each ends, and whose it is.
    starts, hard : list of float
        When those began that count in an hour's rate, the released among them; `hard` has those that were
        ever isolations.
    """

    begins: list[float] = field(default_factory=list)
    ends: list[tuple[float, str]] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    hard: list[float] = field(default_factory=list)

    def enter(self, state: PolicyState) -> None:
        """Take a subject's state into the figures."""
        end, start = end_of(state), state.contained_since
        if end is not None:
            insort(self.begins, state.begins_at)
            insort(self.ends, (end, state.subject))
        if start is not None:
            insort(self.starts, start)
            if strongest_of(state) == "isolate":
                insort(self.hard, start)

    def leave(self, state: PolicyState) -> None:
        """Take a subject's state, which was entered, out of the figures."""
        end, start = end_of(state), state.contained_since
        if end is not None:
            del self.begins[bisect_left(self.begins, state.begins_at)]
            del self.ends[bisect_left(self.ends, (end, state.subject))]
        if start is not None:
            del self.starts[bisect_left(self.starts, start)]
            if strongest_of(state) == "isolate":
                del self.hard[bisect_left(self.hard, start)]

    def contained(self, begin: float, end: float) -> int:
        """Return how many agents are contained at some moment of a term, an upper bound on any one moment.

        Terms that begin after it do not count: a partition that lags behind the others by days is not
        judged by what they contained since.
        """
        # Whatever begins at or after `end` also ends after `begin`, so it can be taken off as a number.
        ended = bisect_right(self.ends, begin, key=_moment)
        return len(self.ends) - ended - (len(self.begins) - bisect_left(self.begins, end))

    def among(self, begin: float) -> list[str]:
        """Return the subjects whose containment ends after a moment."""
        return [subject for _, subject in self.ends[bisect_right(self.ends, begin, key=_moment) :]]

    def begun(self, at: float, tier: Tier = "limit") -> int:
        """Return how many agents' containment began within an hour of `at`, on either side.

        Both sides, so that an alert that arrives late cannot overfill an hour already decided. An isolation asks
        about isolations only.
        """
        starts = self.hard if tier == "isolate" else self.starts
        return bisect_left(starts, at + HOUR_S) - bisect_right(starts, at - HOUR_S)

    def ask(self, caps: Caps, fleet: int, term: tuple[float, float], tier: Tier | None) -> BreakerVerdict:
        """Return whether one more agent may be contained for a term.

        Parameters
        ----------
        caps : Caps
            Of this kind of agent.
        fleet : int
            Agents known.
        term : (float, float)
            Begin and end; of a containment that is prolonged, what is added to it.
        tier : {"limit", "isolate"} or None
            What begins; None for a prolonged containment: it counts in no hour's rate.
        """
        contained, begun = self.contained(*term), -1 if tier is None else self.begun(term[0], tier)
        why, over, who = None, 0, caps.who
        if begun >= caps.per_hour:
            named = who if tier == "limit" else f"{who} to isolate"
            why = f"{begun} {named} were contained within an hour, at most {caps.per_hour} may be without a human"
        if contained >= caps.most:
            over = 0 if why else contained - caps.most + 1
            of = f"{contained} of {fleet}" if who == "agents" else f"{contained}"
            why = f"{of} {who} are contained, at most {caps.most} may be without a human"
        return BreakerVerdict(why, contained, fleet, over)


def strongest_of(state: PolicyState) -> Tier:
    """Return the strongest tier that a subject's (last) containment had."""
    if state.strongest is not None:
        return state.strongest
    if state.state == "quarantined":
        return state.tier
    return "observe" if state.answer is None else state.answer.tier


def in_force(state: PolicyState, at: float) -> Tier:
    """Return the tier that stands at `at`, also of a containment that only begins after it."""
    return state.tier_at(max(at, state.begins_at))


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
