"""Which acts an incident keeps as evidence: the strongest few, one a cause."""

from __future__ import annotations

from typing import Final

from detector.schema.alert import Evidence

MOST_EVIDENCE: Final = 8


def kept(held: tuple[Evidence, ...], new: Evidence, *, is_told: bool = False) -> tuple[Evidence, ...]:
    """Return the evidence with an act in it, in the order the acts were seen, or as it was if the act is too weak.

    Of one cause the stronger act stays. Where there is no more room the weakest leaves, of equals the later one.

    Parameters
    ----------
    held : tuple of Evidence
        The strongest so far, at most :data:`MOST_EVIDENCE`.
    new : Evidence
        The act.
    is_told : bool, default=False
        Whether a record is about to announce this very act: then it is in it, however weak.
    """
    same = [one for one in held if new.cause and one.cause == new.cause]
    if any(one.strength >= new.strength for one in same):
        return held
    others = [one for one in held if one not in same]
    if len(others) < MOST_EVIDENCE:
        return (*others, new)
    weakest = min(range(len(others)), key=lambda place: (others[place].strength, -place))
    if others[weakest].strength >= new.strength and not is_told:
        return held
    return (*others[:weakest], *others[weakest + 1 :], new)


def may_witness(held: tuple[Evidence, ...], new: Evidence) -> bool:
    """Tell whether an act near the level is worth a record: there is room, and neither it nor its kind is there yet."""
    is_new = all(one.cause != new.cause and (one.offset, one.line) != (new.offset, new.line) for one in held)
    return is_new and len(held) < MOST_EVIDENCE
