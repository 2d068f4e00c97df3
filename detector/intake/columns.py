"""Events as columns: everything the kernels need of a micro-batch, as hashes and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np

from detector.schema.event import Kind
from detector.sketches.hashing import HashKey, hash_key, hash_text, mix

BATCH = 512
"""Most events of one micro-batch."""
MAX_PARTS = 32
"""Target parts and argument values looked at in one event; more are counted as cut."""
MAX_NUMBERS = 32
"""Numbers looked at in one event."""
MAX_TARGETS = 6
"""Parts of one target; the last one takes all that follow."""
MAX_ITEMS = 4
"""Items of one list argument; the last one takes all that follow."""
MAX_VALUE = 80
"""Characters of an argument's value that its shape is told by. All of these: ``docs/science.md``, *Values*."""
EXTRA_PARTS = 4
"""Parts beside target and arguments: arguments beyond the cap, ignored ones, who acts, whom it is dealt with."""
FINE, FAILED, DENIED = range(3)
"""Outcomes: ok, anything else, refused by somebody who had the say."""
LEAST_ID = 1e6
"""From here on a whole number is looked at as a name too: account numbers are written as numbers."""

KINDS: tuple[str, ...] = get_args(Kind)
LIFECYCLE = KINDS.index("lifecycle")
LLM_CALL = KINDS.index("llm_call")
DATA_ACCESS = KINDS.index("data_access")
SIZES = ("duration_ms", "tokens_in", "tokens_out", "bytes_in", "bytes_out", "cost_usd")
"""Fields that hold sizes, in the order of the event's fields: so they stand on the wire, and so they are numbered."""
SIZE, BYTES_OUT, ATTRIBUTE = 0, 1, 2
UNKNOWN, USER, TOOL, NONE = 0, 1, 2, 3
PLACE = ~np.uint64(0xFFF)
"""Places and whole targets keep their low 12 bits clear: observations carry their notes there."""
SESSION_END = np.uint64(0x4773AB48930DF808)
"""In place of the tool of an event that is called so."""
MORE, UNREAD = np.uint64(0x6DB60AE81EED7215), np.uint64(0x4F1C9B37A2D8E063)
STANDING, DEALING = np.uint64(0x7C2DD1C5DCCA120F), np.uint64(0x0D72A5FEB1E5CA85)
"""Names of the extra parts: arguments beyond the cap; texts under ignored names; zone, credential; peer, its zone, data
class, user.

Fixed numbers and no hashes: nobody who lacks the key can look for a text that is called so."""

WORDS = (*SIZES, "target", "session_end", "llm_call", "default")
"""Words of ours that senders may say as well: they must be one thing, so both are hashed alike."""
TARGET_WORD, END_WORD, LLM_WORD, DEFAULT_WORD = range(len(SIZES), len(WORDS))


class Keyed(NamedTuple):
    """What the texts of events are hashed with.

    Parameters
    ----------
    key : HashKey
        Of every hash of a text.
    words : ndarray of uint64, shape (10,)
        Hashes of :data:`WORDS` under it.
    """

    key: HashKey
    words: np.ndarray


def keyed_by(secret: str | None) -> Keyed:
    """Return what a deployment hashes with, from its secret; without one what everybody has."""
    key = hash_key(secret)
    return Keyed(key, np.array([hash_text(word, key) for word in WORDS], np.uint64))


def agent_name(agent_id: str, tenant: str, keyed: Keyed) -> int:
    """Return the name an agent of a tenant is known by, as its events have it."""
    with np.errstate(over="ignore"):
        return int(mix(hash_text(agent_id, keyed.key), hash_text(tenant, keyed.key)))


class Columns(NamedTuple):
    """A micro-batch of n events, m parts and k numbers.

    Parameters
    ----------
    ts : ndarray of float64, shape (n,)
        Event time, epoch seconds.
    ident : ndarray of uint64, shape (n, 8)
        Hashes: event (half its id, half its content), agent (with tenant), peer group (with tenant), session, tool,
        whole target, name of the call, agent (without its tenant).
    receipt : ndarray of float64, shape (n,)
        When the broker got the record, epoch seconds; NaN where only its sender says when.
    kind, outcome : ndarray of uint8, shape (n,)
        Index into :data:`KINDS`; FINE, FAILED or DENIED.
    parts_end, numbers_end : ndarray of int32, shape (n + 1,)
        Where each event's parts and numbers end; entry 0 is 0.
    part : ndarray of uint64, shape (m, 3)
        Argument name, value, coarse place (of a target) or shape (of an argument).
    origin : ndarray of uint8, shape (m,)
        UNKNOWN, USER, TOOL or NONE.
    is_target : ndarray of bool, shape (m,)
    field : ndarray of uint64, shape (k,)
    amount : ndarray of float64, shape (k,)
        log2(1 + x), with the sign of x for attributes.
    family : ndarray of uint8, shape (k,)
        SIZE, BYTES_OUT or ATTRIBUTE.
    cut : ndarray of int64, shape (1,)
        Parts and numbers beyond the caps.
    is_expected : ndarray of bool, shape (n,)
        Whether the registry declared what may be new in the event; filled by whoever knows the registry.
    """

    ts: np.ndarray
    receipt: np.ndarray
    ident: np.ndarray
    kind: np.ndarray
    outcome: np.ndarray
    parts_end: np.ndarray
    numbers_end: np.ndarray
    part: np.ndarray
    origin: np.ndarray
    is_target: np.ndarray
    field: np.ndarray
    amount: np.ndarray
    family: np.ndarray
    cut: np.ndarray
    is_expected: np.ndarray


EVENT_ID, AGENT, GROUP, SESSION, TOOL_NAME, WHOLE_TARGET, CALL, BARE = range(8)


def allocate_columns(events: int = BATCH) -> Columns:
    """Return room for a micro-batch, to be filled again and again."""
    parts, numbers = events * MAX_PARTS, events * MAX_NUMBERS
    return Columns(
        ts=np.zeros(events),
        receipt=np.full(events, np.nan),
        ident=np.zeros((events, 8), np.uint64),
        kind=np.zeros(events, np.uint8),
        outcome=np.zeros(events, np.uint8),
        parts_end=np.zeros(events + 1, np.int32),
        numbers_end=np.zeros(events + 1, np.int32),
        part=np.zeros((parts, 3), np.uint64),
        origin=np.zeros(parts, np.uint8),
        is_target=np.zeros(parts, np.bool_),
        field=np.zeros(numbers, np.uint64),
        amount=np.zeros(numbers),
        family=np.zeros(numbers, np.uint8),
        cut=np.zeros(1, np.int64),
        is_expected=np.zeros(events, np.bool_),
    )


class Ignored(NamedTuple):
    """Attribute names the detector leaves out: bytes, where each ends, whether it is a prefix."""

    names: np.ndarray
    ends: np.ndarray
    is_prefix: np.ndarray


def ignored_names(patterns: Sequence[str]) -> Ignored:
    """Return patterns such as ``error_class`` or ``src_*`` in the form the kernel reads."""
    stems = [pattern.removesuffix("*").encode() for pattern in patterns]
    return Ignored(
        np.frombuffer(b"".join(stems) or b"\0", np.uint8).copy(),
        np.cumsum([0, *(len(stem) for stem in stems)]).astype(np.int64),
        np.array([pattern.endswith("*") for pattern in patterns], np.bool_),
    )
