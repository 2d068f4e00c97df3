"""Reading what we wrote ourselves: a newer minor version may have added fields, which are left out, not refused."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

Wire = TypeVar("Wire", bound=BaseModel)


class LogLink(msgspec.Struct, frozen=True, gc=False):
    """Of an entry of the policy log just what its chain goes on with; ten times as fast to read as the whole."""

    tenant: str
    sequence: int
    hash: str


read_link = msgspec.json.Decoder(LogLink).decode


def read(kind: type[Wire], raw: bytes) -> tuple[Wire, tuple[str, ...]]:
    """Return a record of our own, and the dotted names of its fields that this version does not know.

    Parameters
    ----------
    kind : type
        Alert, PolicyState, ...
    raw : bytes
        As it stands on the topic.

    Raises
    ------
    ValidationError
        It is none, also without the fields that are not known.
    """
    try:
        return kind.model_validate_json(raw), ()
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        unknown = tuple(".".join(map(str, one["loc"])) for one in faults if one["type"] == "extra_forbidden")
        if len(unknown) < len(faults):
            raise
    return kind.model_validate_json(raw, extra="ignore"), unknown
