"""Keys go where Kafka's own producers put them."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from detector.offline.partition import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "expected"), [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)]
)
def test_hashes_equal_those_of_kafkas_own_tests(key: bytes, expected: int) -> None:
    """Vectors of Apache Kafka's UtilsTest."""
    assert murmur2(key) == expected % 2**32


@given(key=st.binary(max_size=64))
def test_hashes_equal_those_of_the_client_under_faust(key: bytes) -> None:
    """Every length and byte."""
    assert murmur2(key) == reference(key) % 2**32


@given(key=st.text(max_size=40), partitions=st.integers(1, 64))
def test_a_key_goes_where_the_client_under_faust_puts_it(key: str, partitions: int) -> None:
    """Also where the hash is negative: a replay is sharded as the worker is."""
    every = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key.encode(), every, every)
