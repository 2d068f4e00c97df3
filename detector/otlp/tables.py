"""Mapping tables: one file a source, read once, checked whole, and compiled to plans."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.errors import ProfileError
from detector.schema.event import Kind, Outcome

FOLDER: Final = Path(__file__).parent / "tables"
INHERITED: Final = "..."
"""Within a list of a table that extends another: what the other has stands here."""
TEXTS: Final = (
    "name", "session_id", "target", "agent_type", "agent_version", "instance_id", "spiffe_id", "tenant", "zone",
    "trace_id", "parent_agent_id", "model", "peer_agent_id", "data_class", "tool_hash", "prompt_hash", "on_behalf_of",
)  # fmt: skip
AMOUNTS: Final = ("duration_ms", "tokens_in", "tokens_out", "bytes_in", "bytes_out", "cost_usd")
OTHERS: Final = ("ts", "seq", "call", "arguments", "place", "credential_id")
"""Not fields of an event as they are: times, the sequence, the id of a call (by which log records and
spans tell of the same one), its arguments, a target where they name none, the handle of a credential."""

FieldName = Literal[
    "name", "session_id", "target", "agent_type", "agent_version", "instance_id", "spiffe_id", "tenant", "zone",
    "trace_id", "parent_agent_id", "model", "peer_agent_id", "data_class", "tool_hash", "prompt_hash", "on_behalf_of",
    "duration_ms", "tokens_in", "tokens_out", "bytes_in", "bytes_out", "cost_usd",
    "ts", "seq", "call", "arguments", "place", "credential_id",
]  # fmt: skip
Scalar = str | bool | int | float
Where = dict[str, list[Scalar]]
Sources = list[str | dict[str, Any]]
Fields = dict[FieldName, Sources]


class TablePart(BaseModel):
    """A part of a table: frozen, and nothing in it that has no meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OutcomeTable(TablePart):
    """An outcome, and when it holds."""

    outcome: Outcome = Field(alias="is")
    where: Where


class Match(TablePart):
    """Which records a table is for: any one of these, all compared as texts, ``*`` at an end for any ending."""

    signal: Literal["log", "span"] | None = None
    service: list[str] = []
    scope: list[str] = []
    event: list[str] = []
    has: list[str] = []
    """Attributes of which one must be there; ``resource:`` before it for one of the resource."""


class IdentityTable(TablePart):
    """Where the agent's name is taken from, after what a fleet set on purpose (``common.toml``)."""

    fleet: Sources = []
    person: Sources = []
    workload: Sources = []
    user: Sources = []
    names: Sources = []
    not_names: list[str] = []
    names_are: Literal["agents", "instances"] = "agents"


class Mark(TablePart):
    """What a span tells the span above it."""

    mark: str
    where: Where


class RuleTable(TablePart):
    """What becomes of the records it holds for: an event, or nothing for a reason."""

    signal: Literal["log", "span"] | None = None
    names: list[str] = []
    where: Where = {}
    kind: Kind | None = None
    drop: Annotated[str, Field(pattern=r"^[a-z_]+$")] | None = None
    why: str = ""
    fields: Fields = {}
    outcome: list[OutcomeTable] | None = None
    carry: list[str] = []
    event_id: list[Sources] = []


class Table(TablePart):
    """One source: what is known of it, how its records are told, and its rules."""

    source: str
    version: Annotated[int, Field(ge=1)]
    about: str
    citation: str
    extends: str | None = "common"
    signal: Literal["log", "span"] | None = None
    """What its rules are for where they do not say."""
    rank: int = 50
    """Of several tables that match, the one of lowest rank."""
    product: str | None = None
    match: Match = Match()
    strip: list[str] = []
    identity: IdentityTable = IdentityTable()
    fields: Fields = {}
    kinds: dict[Kind, Fields] = {}
    outcome: list[OutcomeTable] = []
    carry: list[str] = []
    event_id: list[Sources] = []
    marks: list[Mark] = []
    derived: dict[str, str | dict[str, Any]] = {}
    rules: list[RuleTable] = []


def parse_table(raw: bytes, path: str) -> Table:
    """Return the table in the bytes of a TOML file.

    Raises
    ------
    ProfileError
        With every fault, if it is none.
    """
    try:
        table = Table.model_validate(tomllib.loads(raw.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(path, [str(error)]) from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, one['loc']))} of table: {one['msg']}" for one in error.errors()]
        raise ProfileError(path, faults) from None
    rules = [one if one.signal else one.model_copy(update={"signal": table.signal}) for one in table.rules]
    return table.model_copy(update={"rules": rules})


@cache
def shipped() -> tuple[Table, ...]:
    """Return the tables that are shipped, what they extend merged in, by rank."""
    return merged(parse_table(path.read_bytes(), path.name) for path in sorted(FOLDER.glob("*.toml")))


def read_folder(folder: Path) -> tuple[Table, ...]:
    """Return the tables of a folder of one's own together with the shipped ones; a source of the same name is replaced.

    Raises
    ------
    ProfileError
        If a file is no table, or there is none.
    """
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise ProfileError(str(folder), ["tables of the folder must be *.toml, got none"])
    own = [parse_table(path.read_bytes(), str(path)) for path in paths]
    names = {table.source for table in own}
    rest = [parse_table(path.read_bytes(), path.name) for path in sorted(FOLDER.glob("*.toml"))]
    return merged([*own, *(table for table in rest if table.source not in names)])


def merged(tables: Iterable[Table]) -> tuple[Table, ...]:
    """Return tables with what they extend merged in, by rank and name.

    Raises
    ------
    ProfileError
        If a table extends one that is not there, or, over others, itself.
    """
    named = {table.source: table for table in tables}
    done = [_whole(table, named, ()) for table in named.values()]
    return tuple(sorted(done, key=lambda table: (table.rank, table.source)))


def _whole(table: Table, named: Mapping[str, Table], above: tuple[str, ...]) -> Table:
    """Return a table with the one it extends merged in."""
    if table.extends is None or table.source == table.extends:
        return table
    if table.extends not in named or table.extends in above:
        rule = "another table that does not extend it"
        raise ProfileError(table.source, [f"extends of table must be {rule}, got {table.extends}"])
    base = _whole(named[table.extends], named, (*above, table.source))
    kinds = {kind: fields(table.kinds.get(kind, {}), base.kinds.get(kind, {})) for kind in get_args(Kind)}
    return table.model_copy(
        update={
            "product": table.product or base.product,
            "strip": [*table.strip, *base.strip],
            "identity": _identity(table.identity, base.identity),
            "fields": fields(table.fields, base.fields),
            "kinds": {kind: found for kind, found in kinds.items() if found},
            "outcome": [*table.outcome, *base.outcome],
            "carry": [*table.carry, *base.carry],
            "event_id": [*table.event_id, *base.event_id],
            "marks": [*table.marks, *base.marks],
            "derived": {**base.derived, **table.derived},
            "rules": [*table.rules, *base.rules],
        }
    )


def fields(own: Fields, base: Fields) -> Fields:
    """Return fields of two tables: a list of one's own replaces the base's, ``"..."`` within it stands for that."""
    return {name: spliced(own[name], base.get(name, [])) if name in own else base[name] for name in {**base, **own}}


def spliced(own: Sequence[Any], base: Sequence[Any]) -> list[Any]:
    """Return a list in which ``"..."`` is replaced by another list."""
    return [one for entry in own for one in (base if entry == INHERITED else [entry])]


def _identity(own: IdentityTable, base: IdentityTable) -> IdentityTable:
    """Return an identity: what a table does not say is the base's."""
    said = own.model_fields_set
    update = {
        name: spliced(getattr(own, name), getattr(base, name)) if name != "names_are" else own.names_are
        for name in said
    }
    return base.model_copy(update=update)
