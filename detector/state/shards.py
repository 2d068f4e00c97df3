"""A shard: arrays and plain facts as bytes, with a header that says what they are.

The header is MessagePack: version, name, form and shape of each array, and what is no array. The form of a plain
array is its dtype; of a structured one a digest of its layout, so that rows of another layout are refused, never read
askew.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from detector.errors import StateError

VERSION = 3
"""2: layouts of structured arrays stand in the header as a digest. 3: names are hashed under a key."""


LAYOUT = "layout:"
"""What the form of a structured array begins with."""


def pack(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any] | None = None) -> bytes:
    """Return arrays and plain facts as one shard."""
    # a copy of a structured array has garbage between its fields: only what is not contiguous may be copied
    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    forms = [(name, form_of(array.dtype), array.shape) for name, array in whole.items()]
    head = msgspec.msgpack.encode({"version": VERSION, "arrays": forms, "facts": facts or {}})
    return b"".join([len(head).to_bytes(4, "big"), head, *(array.tobytes() for array in whole.values())])


def form_of(dtype: np.dtype[Any]) -> str:
    """Return what says how an array's bytes are to be read: its dtype, or a digest of fields, formats and offsets."""
    if dtype.names is None:
        return dtype.str
    fields: Mapping[str, Any] = dtype.fields or {}
    layout = [f"{name} {fields[name][0].base.str} {fields[name][0].shape} {fields[name][1]}" for name in dtype.names]
    return LAYOUT + hashlib.sha256("\n".join([*layout, str(dtype.itemsize)]).encode()).hexdigest()[:16]


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    arrays: list[tuple[str, str, tuple[int, ...]]]
    facts: dict[str, Any]


def unpack(
    name: str, shard: bytes, dtypes: Mapping[str, np.dtype[Any]] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and facts of a shard; structured arrays take their layout from `dtypes`.

    Raises
    ------
    StateError
        If the bytes are not a shard of this version.
    """
    try:
        size = int.from_bytes(shard[:4], "big")
        head = msgspec.msgpack.decode(shard[4 : 4 + size], type=_Head)
    except msgspec.DecodeError as error:
        raise StateError(
            f"header of shard {name} must be readable, got {error}; the partition restarts cold"
        ) from error
    if head.version != VERSION:
        raise StateError(f"version of shard {name} must be {VERSION}, got {head.version}; the partition restarts cold")
    at = 4 + size
    arrays = {}
    for field, form, shape in head.arrays:
        dtype = (dtypes or {}).get(field) if form.startswith(LAYOUT) else np.dtype(form)
        if dtype is None or form_of(dtype) != form:
            raise StateError(
                f"layout of array {field} of shard {name} must be this version's with this profile, got another; "
                "the partition restarts cold"
            )
        length = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or at + length > len(shard):
            raise StateError(f"array {field} of shard {name} must fit this profile; the partition restarts cold")
        arrays[field] = np.frombuffer(shard, dtype, math.prod(shape), at).reshape(shape)
        at += length
    if at != len(shard):
        raise StateError(f"length of shard {name} must be {at}, got {len(shard)}; the partition restarts cold")
    return arrays, head.facts


_DIVIDED = b"cut:"


def divide(shards: Mapping[str, bytes], most: int) -> dict[str, bytes]:
    """Return the shards with none larger than `most` bytes: a larger one becomes a note of its pieces, and these."""
    out: dict[str, bytes] = {}
    for name, shard in shards.items():
        if len(shard) <= most:
            out[name] = shard
            continue
        pieces = [shard[at : at + most] for at in range(0, len(shard), most)]
        out[name] = _DIVIDED + str(len(pieces)).encode()
        out |= {f"{name}~{number}": piece for number, piece in enumerate(pieces)}
    return out


def join(shards: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the shards with those that were cut made whole; pieces left over from a larger one are ignored.

    Raises
    ------
    StateError
        If a piece is missing.
    """
    whole: dict[str, bytes] = {}
    for name, shard in shards.items():
        if "~" in name:
            continue
        whole[name] = shard
        if shard.startswith(_DIVIDED) and shard[len(_DIVIDED) :].isdigit():
            names = [f"{name}~{number}" for number in range(int(shard[len(_DIVIDED) :]))]
            missing = [piece for piece in names if piece not in shards]
            if missing:
                raise StateError(f"pieces of shard {name} must all be there, got none of {missing[0]}")
            whole[name] = b"".join(shards[piece] for piece in names)
    return whole
