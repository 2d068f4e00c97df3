"""An offline search: digits behind harmful values until each shares a fingerprint with something its agent knows.

The attacker has this code and whatever its own agent ever sent, but no deployment's secret: it hashes under the public
key, which is the true one only where no `DETECTOR_STATE_KEY` is set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit

from benchmarks.drill_stream import Body, Sent, Stream, records_of
from detector.channels.known import value_key
from detector.intake.columns import MAX_ITEMS, MAX_TARGETS
from detector.memory.layout import NOW
from detector.offline.core import Core
from detector.sketches.hashing import PUBLIC_KEY, HashKey, hash_bytes, hash_text, mix
from detector.sketches.index import find_row
from detector.sketches.keys import is_known, tick_of

DIGITS: Final = 6
"""Behind a value: a million tries, where some 16,000 are enough on an average."""
DEPLOYMENT: Final = "the secret of a deployment that drills are made on"
"""What the attacker does not have."""
_TRIES: Final = 10**DIGITS
_ZERO: Final = 48


@njit(cache=True)
def _digits_behind(
    buffer: np.ndarray, owner: tuple[np.uint64, np.uint64], cells: np.ndarray, tick: np.uint64, key: HashKey
) -> int:
    """Return the number whose digits at the end of a value make it known to the cells, or -1; writes into `buffer`.

    ``owner``: tool and argument.
    """
    stop = len(buffer)
    for number in range(_TRIES):
        left = number
        for place in range(stop - 1, stop - 1 - DIGITS, -1):
            buffer[place] = _ZERO + left % 10
            left //= 10
        if is_known(cells, value_key(owner[0], owner[1], hash_bytes(buffer, 0, stop, key)), tick):
            return number
    return -1


def collide(text: str, tool: str, name: str, cells: np.ndarray, tick: np.uint64) -> str:
    """Return a value with digits behind it that an agent with these keys is taken to know; itself if none is found.

    Parameters
    ----------
    text, tool, name : str
        The value, and the tool and the argument it is sent with.
    cells : ndarray of uint32
        The agent's keys, as the attacker believes that the detector has them.
    tick : uint64
        Of the time at which it is sent.
    """
    raw = text.encode()
    buffer = np.zeros(len(raw) + DIGITS, np.uint8)
    buffer[: len(raw)] = np.frombuffer(raw, np.uint8)
    with np.errstate(over="ignore"):
        owner = (hash_text(tool), hash_text(name))
        if is_known(cells, np.uint64(value_key(*owner, hash_text(text))), tick):
            return text
        found = _digits_behind(buffer, owner, cells, tick, PUBLIC_KEY)
    return text if found < 0 else f"{text}{found:0{DIGITS}}"


def _each_item(text: str, most: int, change: Callable[[str], str]) -> str:
    """Return a value whose items, as the detector looks at them one by one, are changed."""
    items = text.split(",", most - 1)
    return ",".join(change(item.strip()) if item.strip() else item for item in items)


def _disguised(body: Body, cells: np.ndarray, tick: np.uint64) -> Body:
    """Return a harmful act of which the target and every text look known."""

    def of(name: str) -> Callable[[str], str]:
        return lambda item: collide(item, body["name"], name, cells, tick)

    changed: dict[str, Any] = {
        name: _each_item(value, MAX_ITEMS, of(name)) if isinstance(value, str) else value
        for name, value in (body.get("attributes") or {}).items()
    }
    done = {**body, "attributes": changed}
    target = body.get("target")
    if target:
        done["target"] = of("target")(target) if "/" in target else _each_item(target, MAX_TARGETS, of("target"))
    return done


def _own_keys(core: Core, one: Sent) -> np.ndarray | None:
    """Return the keys of the agent of an event; None if the detector has never heard of it."""
    memory = core.pipeline.state.memory
    with np.errstate(over="ignore"):
        name = np.uint64(mix(hash_text(one.body["agent_id"]), hash_text(one.body.get("tenant") or "default")))
    row = find_row(memory.agent_index, name)
    return None if row < 0 else memory.agents["keys"][row]


def searched(secret: str | None) -> Callable[[Stream], Stream]:
    """Return a drill of that search, on a detector whose hashes are under `secret`.

    The attacker runs a detector of its own over what its agent has sent so far; that it runs it over what the others
    sent too only makes it better at guessing what was learned.
    """

    def make(stream: Stream) -> Stream:
        harmful: set[str] = set().union(*(attack.harmful for attack in stream.attacks))
        own, sent, records, first = Core(trusted_until=stream.live), [], records_of(stream.sent), 0
        probation_s = own.pipeline.state.settings.rules.probation_s
        for place, one in enumerate(stream.sent):
            if one.body["event_id"] not in harmful:
                sent.append(one)
                continue
            own.process_records(records[first:place])
            first, cells = place, _own_keys(own, one)
            tick = tick_of(own.pipeline.state.memory.clock[NOW], probation_s)
            sent.append(one if cells is None else one._replace(body=_disguised(one.body, cells, tick)))
        return stream._replace(sent=sent, secret=secret)

    return make
