"""An exception that ends: one grant of an entry made, or renewed, in a person's name."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from detector.errors import SetupError
from detector.registry.drafts import check
from detector.schema.registry import GrantEntry, RegistryEntry
from detector.views.shown import shown


class WantedGrant(NamedTuple):
    """What an agent is to be allowed for a time.

    Parameters
    ----------
    tools, targets : tuple of str
        Names or patterns beyond the entry's own; both empty: a grant of that id is renewed.
    id : str or None
        What events name in ``grant.id``; None: the first free of ``exception-1``, ``exception-2``, ...
    term : (float, float)
        From when until when, epoch seconds.
    approver : str
        Who answers for it.
    """

    tools: tuple[str, ...]
    targets: tuple[str, ...]
    id: str | None
    term: tuple[float, float]
    approver: str


def granted(entry: RegistryEntry, wanted: WantedGrant) -> RegistryEntry:
    """Return an entry with one more temporary grant, or with one renewed: it begins anew only in its end.

    Raises
    ------
    SetupError
        There is nothing to grant or to renew, the entry allows it to everybody already, or the grant is refused.
    """
    before = next((one for one in entry.grants if one.id == wanted.id), None)
    for name, names in (("tools", wanted.tools), ("targets", wanted.targets)):
        if names and getattr(entry, name) is None:
            raise SetupError(
                f"{name} of a grant must be more than the entry allows, got {shown(names[0])}: "
                f"{shown(entry.agent_id)} says nothing about its {name}, and so may use any"
            )
    try:
        grants = _renewed(entry, wanted, before) if before is not None else (*entry.grants, _new(entry, wanted))
        found = RegistryEntry.model_validate({**entry.model_dump(by_alias=True), "grants": grants})
        check(found)
    except ValueError as error:
        raise SetupError(f"grant must be whole, got one that is refused: {error}") from error
    return found


def _new(entry: RegistryEntry, wanted: WantedGrant) -> GrantEntry:
    if not wanted.tools and not wanted.targets:
        ids = ", ".join(shown(one.id) for one in entry.grants) or "none"
        raise SetupError(f"grant must name a tool, a target, or by --id one to renew, got none; there are: {ids}")
    begin, end = wanted.term
    return GrantEntry(
        id=wanted.id or _free(one.id for one in entry.grants),
        granted_at=begin,
        expires_at=end,
        temporary=True,
        approver=wanted.approver,
        tools=wanted.tools or None,
        targets=wanted.targets or None,
    )


def _renewed(entry: RegistryEntry, wanted: WantedGrant, before: GrantEntry) -> tuple[GrantEntry, ...]:
    if wanted.tools or wanted.targets:
        raise SetupError(f"id of a new grant must be its own, got {shown(before.id)}: that one stands; leave --id out")
    if not before.temporary:
        raise SetupError(f"grant to renew must be temporary, got {shown(before.id)}: edit its entry instead")
    if before.expires_at is not None and before.expires_at < wanted.term[0]:
        raise SetupError(
            f"grant to renew must still run, got {shown(before.id)}, which has ended: between then and now nobody "
            "allowed it; name its tools and targets again for a new one"
        )
    end = max(wanted.term[1], before.expires_at or 0.0)
    update = {"expires_at": end, "renewals": before.renewals + 1, "approver": wanted.approver}
    return tuple(one.model_copy(update=update) if one is before else one for one in entry.grants)


def _free(ids: Iterable[str]) -> str:
    taken = set(ids)
    return next(name for number in itertools.count(1) if (name := f"exception-{number}") not in taken)
