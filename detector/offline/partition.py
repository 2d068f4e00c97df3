"""Which partition Kafka's default partitioner puts a key on."""

from __future__ import annotations

from functools import lru_cache

_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """Return Kafka's 32-bit murmur2 hash of a key, as an unsigned number.

    References
    ----------
    .. [1] Apache Kafka, ``org.apache.kafka.common.utils.Utils#murmur2``.
    """
    whole = len(key) // 4 * 4
    state = _SEED ^ len(key)
    for at in range(0, whole, 4):
        part = int.from_bytes(key[at : at + 4], "little") * _MULTIPLIER & _MASK
        part = (part ^ part >> 24) * _MULTIPLIER & _MASK
        state = state * _MULTIPLIER & _MASK ^ part
    rest = key[whole:]
    if rest:
        state = (state ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _MASK
    state = (state ^ state >> 13) * _MULTIPLIER & _MASK
    return state ^ state >> 15


@lru_cache(maxsize=1 << 20)
def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key among so many, as a Kafka producer with the default partitioner chooses it.

    Examples
    --------
    >>> partition_of("support-000001", 1)
    0
    """
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
