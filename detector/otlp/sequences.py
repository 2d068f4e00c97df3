"""Numbers that a source gives its records, session by session: which of them never came.

Most records become no event, so only who reads all records can say what is missing: the mapper, on the next event.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from msgspec import Struct

GRACE_S: Final = 60.0
"""Seconds of its own time that a session goes on while a number may still come: batches overtake each other."""
MAX_FOLLOWED: Final = 16_384
"""Sessions followed, the ones seen last; of one that is forgotten nothing is claimed, and it is counted."""
MAX_HOLES: Final = 16
"""Stretches of missing numbers of a session that are waited for; of more the first is given up without waiting."""
FEW: Final = 8
MOST_SHARE: Final = 0.25
"""Beyond so many sessions with holes, and so large a share of those followed, it is the way here that loses or parts
records, as with a topic without keys that two bridges read: nothing is claimed of any session then; it is counted."""


FollowedBy = tuple[str, str, str]
"""Source, agent with its tenant, session."""


class Followed(Struct, eq=False):
    """A session that is followed: its next number, holes with the time they were seen at, what is not told yet."""

    following: int
    holes: list[tuple[int, int, float]] = []
    untold: int = 0
    has_lost: bool = False


class Sequences:
    """Follows the numbers of sessions.

    Attributes
    ----------
    counts : Counter of str
        Numbers given up (``lost``), of these not claimed (``withheld``), sessions forgotten (``forgotten``).
    """

    def __init__(self) -> None:
        self._followed: OrderedDict[FollowedBy, Followed] = OrderedDict()
        self._lossy = 0
        self.counts: Counter[str] = Counter()

    def see(self, session: FollowedBy, number: int, time_s: Callable[[], float]) -> None:
        """Note the number of a record, whatever becomes of it.

        Parameters
        ----------
        session : (str, str, str)
            Source, agent and session: who knows the session of another agent makes and hides nothing of its.
        number : int
            The record's number.
        time_s : callable
            Returns the record's own time; asked for only if a number is missing.
        """
        followed = self._followed.get(session)
        if followed is None:
            self._begin(session, number)
            return
        self._followed.move_to_end(session)
        if number > followed.following:
            followed.holes.append((followed.following, number - 1, time_s()))
        elif number < followed.following and followed.holes:
            followed.holes = [part for hole in followed.holes for part in _without(hole, number)]
        followed.following = max(followed.following, number + 1)
        if followed.holes:
            self._give_up(followed, time_s())

    def tell(self, session: FollowedBy) -> int:
        """Return how many numbers of a session were given up since they were told last."""
        followed = self._followed.get(session)
        if followed is None or not followed.untold:
            return 0
        lost, followed.untold = followed.untold, 0
        if self._lossy > FEW and self._lossy > MOST_SHARE * len(self._followed):
            self.counts["withheld"] += lost
            return 0
        return lost

    def _begin(self, session: FollowedBy, number: int) -> None:
        self._followed[session] = Followed(number + 1)
        if len(self._followed) > MAX_FOLLOWED:
            self._lossy -= self._followed.popitem(last=False)[1].has_lost
            self.counts["forgotten"] += 1

    def _give_up(self, followed: Followed, now: float) -> None:
        over = len(followed.holes) - MAX_HOLES
        waits = [at >= over and now - hole[2] < GRACE_S for at, hole in enumerate(followed.holes)]
        paired = list(zip(followed.holes, waits, strict=True))
        lost = sum(last - first + 1 for (first, last, _), is_kept in paired if not is_kept)
        followed.holes = [hole for hole, is_kept in paired if is_kept]
        if lost:
            self._lossy += not followed.has_lost
            followed.has_lost = True
            followed.untold += lost
            self.counts["lost"] += lost


def _without(hole: tuple[int, int, float], number: int) -> list[tuple[int, int, float]]:
    """Return what is left of a hole when a number came late."""
    first, last, at = hole
    if not first <= number <= last:
        return [hole]
    return [part for part in ((first, number - 1, at), (number + 1, last, at)) if part[0] <= part[1]]
