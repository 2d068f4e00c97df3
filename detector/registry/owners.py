"""Who answers for agents that name nobody: for each type somebody, for all others somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from detector.errors import SetupError
from detector.schema.registry import AgentText

_text: TypeAdapter[str] = TypeAdapter(AgentText)


class Owners(NamedTuple):
    """Owners by agent type, and of all other agents; None: nobody is named."""

    of_types: Mapping[str, str] = {}
    others: str | None = None

    def of(self, agent_type: str | None) -> str | None:
        """Return who answers for an agent of a type."""
        return self.of_types.get(agent_type or "", self.others)


def owners_of(said: Sequence[str] | None) -> Owners:
    """Return what a command line says: ``NAME`` of all, ``TYPE=NAME`` of one type of agents.

    Raises
    ------
    SetupError
        A name is empty or too long, or two answer for the same agents.

    Examples
    --------
    >>> owners = owners_of(["platform@acme.example", "support=ann@acme.example"])
    >>> owners.of("support"), owners.of("coder")
    ('ann@acme.example', 'platform@acme.example')
    """
    of_types: dict[str, str] = {}
    others: str | None = None
    for one in said or ():
        kind, sign, name = one.rpartition("=")
        try:
            name = _text.validate_python(name.strip())
        except ValidationError as error:
            raise SetupError(f"--owner must be NAME or TYPE=NAME, got {one!r}") from error
        kind = kind.strip()
        if sign and not kind:
            raise SetupError(f"--owner must be NAME or TYPE=NAME, got {one!r}")
        if (kind in of_types) if sign else others is not None:
            raise SetupError(f"--owner must be one of {f'type {kind}' if sign else 'all others'}, got a second: {name}")
        if sign:
            of_types[kind] = name
        else:
            others = name
    return Owners(of_types, others)
