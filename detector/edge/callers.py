"""Which agent calls, as a gateway tells it: the trusted places of a request, in order, as subjects of commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from detector.errors import SetupError
from detector.schema.command import subject_of

MOST_SUBJECTS: Final = 32
"""Names that one call is judged under, as many as the gate sends; of more any may be the caller's: it is denied."""
MOST_TEXT: Final = 1_152
HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~:-]+")

Unnamed = Literal["deny", "allow"]
Kind = Literal["principal", "header", "metadata"]


class CallTold(NamedTuple):
    """What a gateway says of the caller.

    Attributes
    ----------
    principal : str
        Of the peer's certificate; empty without one.
    headers : mapping of str to list of str
        By lower-case name, every value.
    metadata : mapping
        What the gateway's own filters know, such as the claims of a verified token.
    """

    principal: str = ""
    headers: Mapping[str, Sequence[str]] = {}
    metadata: Mapping[str, Any] = {}


class NamePlace(NamedTuple):
    """Where in a request a name stands.

    Attributes
    ----------
    kind : {"principal", "header", "metadata"}
        Which part.
    path : tuple of str
        The header's name, or the keys of the metadata from the outside in.
    """

    kind: Kind
    path: tuple[str, ...] = ()

    def names(self, told: CallTold) -> Iterable[str]:
        """Return the names that stand there; nothing if none do.

        A header may have been sent twice, by the gateway and by the agent, and gateways join the two with a comma: the
        whole value and each part are names, so that what is added takes nothing away; a call under more names than are
        judged is denied.
        """
        if self.kind == "principal":
            return [told.principal]
        if self.kind == "header":
            whole = told.headers.get(self.path[0], ())
            return [*whole, *(part.strip() for value in whole if "," in value for part in value.split(","))]
        found: Any = told.metadata
        for key in self.path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return [found] if isinstance(found, str) else []


def place_of(text: str) -> NamePlace:
    """Return a place from its setting.

    Parameters
    ----------
    text : str
        ``principal``, ``header:NAME`` or ``metadata:KEY/KEY/...``.

    Raises
    ------
    SetupError
        It is none of these.
    """
    kind, _, rest = text.partition(":")
    if text == "principal":
        return NamePlace("principal")
    if kind == "header" and HEADER.fullmatch(rest):
        return NamePlace("header", (rest.lower(),))
    if kind == "metadata" and rest and all(rest.split("/")):
        return NamePlace("metadata", tuple(rest.split("/")))
    raise SetupError(
        f"agent-from and tenant-from of edge must be principal, header:NAME or metadata:KEY/KEY, got {text!r}: name "
        "what the gateway sets and an agent cannot"
    )


@dataclass(frozen=True, slots=True)
class Trust:
    """Which places of a request are believed.

    Attributes
    ----------
    agents : tuple of NamePlace
        Where the agent's name stands. All that are filled count, not only the first: a name can only add what binds.
    tenants : tuple of str
        Tenants asked under.
    tenants_from : tuple of NamePlace
        Where more of them stand.
    unnamed : {"deny", "allow"}
        What becomes of a call that no place names the agent of.
    """

    agents: tuple[NamePlace, ...] = (NamePlace("principal"),)
    tenants: tuple[str, ...] = ("default",)
    tenants_from: tuple[NamePlace, ...] = field(default=())
    unnamed: Unnamed = "deny"

    def subjects(self, told: CallTold) -> tuple[str, ...]:
        """Return the subjects a caller may be, those of the first places first; empty if it has no name.

        Of more than :data:`MOST_SUBJECTS` one more is returned and the others are not made: nobody can be cleared then.
        """
        tenants = _distinct((*self.tenants, *_filled(self.tenants_from, told)))
        names = _distinct(_filled(self.agents, told))
        return tuple(_distinct(subject_of(tenant, name) for name in names for tenant in tenants))


def _filled(places: Iterable[NamePlace], told: CallTold) -> Iterator[str]:
    return (name[:MOST_TEXT] for place in places for name in place.names(told) if name)


def _distinct(names: Iterable[str]) -> list[str]:
    """Return each name once, at most one more than are judged."""
    found: dict[str, None] = {}
    for name in names:
        found[name] = None
        if len(found) > MOST_SUBJECTS:
            break
    return list(found)
