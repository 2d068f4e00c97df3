"""The registry as a partition knows it: an entry an agent, as few bytes as rules need, in blocks that change apart."""

from __future__ import annotations

import heapq
from array import array
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from detector.rules.declared import DeclaredAgent, Facts
from detector.rules.expectations import Expectations
from detector.rules.zoned import Zones

BLOCK: Final = 256
"""Entries that are one shard."""
MOST_READY: Final = 4_096
"""Entries that are kept ready to be asked: those of the agents that acted last. No part of the state."""
ENTRY_BYTES: Final = 512
"""Bytes an entry may take on average: beyond, the registry is full as if it had too many."""
SETTLES_S: Final = 3_600.0
"""Seconds of the partition's time after a tenant's first entry in which its agents may lack theirs: a registry that is
being imported is not whole yet."""

Became = Literal["applied", "repeated", "outdated", "other_tenant", "full"]
"""What became of an entry: took effect; stands already; an older revision, or the same one with other bytes; the agent
stands under another tenant; no room."""


class Inventory:
    """Entries by the hash of the agent's name without its tenant: one an agent, whatever tenant somebody claims.

    Parameters
    ----------
    most : int
        Entries that are held. A further one is refused and none is forgotten for it: who is forgotten would be taken
        for a stranger.

    Attributes
    ----------
    touched : set of int
        Blocks that changed since the last snapshot.
    has_changed : bool
        Whether anything changed since then.
    lacks : int
        Entries that found no room.
    zones : Zones
        Declared zones, which every partition has whole.
    expectations : Expectations
        Versions that entries newly list.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._row: dict[int, int] = {}
        self._name = array("Q")
        self._held: list[bytes | None] = []
        self._free: list[int] = []
        self._tenants: dict[str, list[float]] = {}
        self._ready: OrderedDict[int, DeclaredAgent] = OrderedDict()
        self._bytes = 0
        self.lacks = 0
        self.zones = Zones()
        self.expectations = Expectations()
        self.touched: set[int] = set()
        self.has_changed = False

    def __len__(self) -> int:
        return len(self._row)

    def take(self, agent: int, facts: Facts, now: float) -> Became:
        """Let an entry take effect, if it may.

        Parameters
        ----------
        agent : int
            Hash of the agent's name.
        facts : Facts
            Its entry.
        now : float
            The partition's time.
        """
        row = self._row.get(agent)
        old = None if row is None else self._facts(row)
        if old is not None:
            if facts.tenant != old.tenant:
                return "other_tenant"
            if facts.revision <= old.revision:
                return "repeated" if (facts.revision, facts.digest) == (old.revision, old.digest) else "outdated"
        packed = _pack(facts)
        before = 0 if row is None else len(self._held[row] or b"")
        if (row is None and len(self._row) >= self._most) or (
            self._bytes + len(packed) - before > self._most * ENTRY_BYTES
        ):
            self.lacks += 1
            self.has_changed = True
            return "full"
        if row is None:
            row = self._new_row(agent)
            self._tenants.setdefault(facts.tenant, [0, now])[0] += 1
        self._put(row, packed)
        self._ready.pop(agent, None)
        self.zones.fine.clear()
        if old is not None:
            self.expectations.declare(agent, old, facts)
        return "applied"

    def remove(self, agent: int) -> bool:
        """Forget an agent's entry; tell whether there was one."""
        row = self._row.pop(agent, None)
        if row is None:
            return False
        tenant = self._facts(row).tenant
        self._tenants[tenant][0] -= 1
        if not self._tenants[tenant][0]:
            del self._tenants[tenant]
        self._put(row, None)
        self._name[row] = 0
        heapq.heappush(self._free, row)
        self._ready.pop(agent, None)
        self.zones.fine.clear()
        self.expectations.forget(agent)
        return True

    def of(self, agent: int, tenant: str) -> DeclaredAgent | None:
        """Return what is declared of an agent of a tenant; None if nothing is."""
        found = self._ready.get(agent)
        if found is not None:
            self._ready.move_to_end(agent)
        else:
            row = self._row.get(agent)
            if row is None:
                return None
            found = self._ready[agent] = DeclaredAgent(self._facts(row))
            if len(self._ready) > MOST_READY:
                self._ready.popitem(last=False)
        return found if found.facts.tenant == tenant else None

    def holds(self, agent: int) -> bool:
        """Tell whether an agent has an entry, of whichever tenant."""
        return agent in self._row

    def lists(self, tenant: str, now: float) -> bool:
        """Tell whether a tenant's agents have to have entries by now."""
        held = self._tenants.get(tenant)
        return held is not None and not self.lacks and now - held[1] >= SETTLES_S

    def gauges(self) -> dict[str, float]:
        """Return how many entries are held, the bytes they take, and how many found no room."""
        return {
            "registered": float(len(self)),
            "registry_bytes": float(self._bytes),
            "registry_lacks": float(self.lacks),
            "zoned_tenants": float(len(self.zones)),
            "expecting": float(len(self.expectations)),
            "expectations_opened": float(self.expectations.opened),
        }

    def shards(self, *, full: bool) -> dict[str, dict[str, Any]]:
        """Return plain facts by the rest of a shard's name: what changed, or all; forgets what changed."""
        blocks = range(-(-len(self._held) // BLOCK)) if full else sorted(self.touched)
        found: dict[str, dict[str, Any]] = {f"{block:06}": {"entries": self._block(block)} for block in blocks}
        if self.has_changed or (full and (self._held or self.lacks)):
            tenants = dict(sorted(self._tenants.items()))
            found["head"] = {"rows": len(self._held), "lacks": self.lacks, "tenants": tenants}
        if self.zones.has_changed or (full and len(self.zones)):
            found["zones"] = self.zones.facts()
            self.zones.has_changed = False
        if self.expectations.has_changed or (full and self.expectations.declared):
            found["expected"] = self.expectations.facts()
        self.expectations.has_changed = False
        self.touched.clear()
        self.has_changed = False
        return found

    def restore(self, shards: Mapping[str, Mapping[str, Any]]) -> None:
        """Take up what :meth:`shards` wrote, by the same names."""
        self.zones.restore(shards.get("zones", {}))
        if "head" not in shards:
            return
        if "expected" in shards:
            self.expectations.restore(shards["expected"])
        head = shards["head"]
        rows = int(head["rows"])
        self._name, self._held, self.lacks = array("Q", bytes(8 * rows)), [None] * rows, int(head["lacks"])
        self._tenants = {str(name): [held[0], held[1]] for name, held in head["tenants"].items()}
        for block in range(-(-rows // BLOCK)):
            for place, agent, packed in shards[f"{block:06}"]["entries"]:
                row = block * BLOCK + int(place)
                self._row[int(agent)], self._name[row], self._held[row] = row, int(agent), bytes(packed)
                self._bytes += len(packed)
        self._free = [row for row, packed in enumerate(self._held) if packed is None]

    def _new_row(self, agent: int) -> int:
        if self._free:
            row = heapq.heappop(self._free)  # the first free one, whatever the order in which they became free
        else:
            row = len(self._held)
            self._held.append(None)
            self._name.append(0)
        self._row[agent] = row
        self._name[row] = agent
        return row

    def _put(self, row: int, packed: bytes | None) -> None:
        self._bytes += len(packed or b"") - len(self._held[row] or b"")
        self._held[row] = packed
        self.touched.add(row // BLOCK)
        self.has_changed = True

    def _facts(self, row: int) -> Facts:
        return _unpack(self._held[row] or b"")

    def _block(self, block: int) -> list[list[Any]]:
        first = block * BLOCK
        held = enumerate(self._held[first : first + BLOCK])
        return [[place, self._name[first + place], packed] for place, packed in held if packed is not None]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Facts)


def _pack(facts: Facts) -> bytes:
    return _encoder.encode(facts)


def _unpack(packed: bytes) -> Facts:
    return _decoder.decode(packed)
