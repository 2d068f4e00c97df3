"""The audit log's hash chain: whole it verifies, touched it tells."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.response.chain import Head, heads, verify
from detector.schema.command import PolicyLogEntry


def _log(length: int, tenant: str = "acme") -> list[PolicyLogEntry]:
    head, entries = Head(), []
    for number in range(1, length + 1):
        entry = PolicyLogEntry(
            tenant=tenant,
            sequence=number,
            time=float(number),
            subject=f"{tenant}/agent/a{number % 3}",
            decision="skipped",
            cause=f"finding-{number}",
            previous=head.hash,
        ).sealed()
        head = Head(number, entry.hash)
        entries.append(entry)
    return entries


@given(st.integers(0, 12), st.randoms(use_true_random=False))
def test_a_whole_log_verifies_in_any_order_and_with_repeats(length: int, chance: object) -> None:
    """The topic is partitioned by subject and delivers at least once."""
    entries = _log(length)
    shuffled = entries + entries[: length // 2]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert verify(shuffled) == []


@given(
    st.integers(1, 12),
    st.data(),
    st.sampled_from(["detail", "cause", "subject", "time", "decision", "previous", "hash"]),
)
def test_an_edited_entry_is_named(length: int, data: st.DataObject, field: str) -> None:
    """Whatever field is touched, the hash does not fit any more."""
    entries = _log(length)
    place = data.draw(st.integers(0, length - 1))
    new: dict[str, object] = {"time": -1.0, "decision": "held", "previous": "f" * 64, "hash": "e" * 64}
    entries[place] = entries[place].model_copy(update={field: new.get(field, "acme/agent/forged")})
    assert any(f"entry {place + 1} was edited" in fault for fault in verify(entries))


@given(st.integers(2, 12), st.data())
def test_an_edited_entry_that_is_sealed_anew_breaks_the_chain_behind_it(length: int, data: st.DataObject) -> None:
    """An editor with the code can mend one hash, not those that follow."""
    entries = _log(length)
    place = data.draw(st.integers(0, length - 2))
    entries[place] = entries[place].model_copy(update={"detail": "nothing happened"}).sealed()
    assert verify(entries) == [f"entry {place + 2} does not follow entry {place + 1}: one of them was replaced"]


@given(st.integers(2, 12), st.data())
def test_a_missing_entry_is_named(length: int, data: st.DataObject) -> None:
    """Only the tail can go unseen."""
    entries = _log(length)
    place = data.draw(st.integers(0, length - 2))
    del entries[place]
    assert verify(entries) == [f"entries {place + 1} to {place + 1} are missing"]


def test_a_cut_tail_verifies_and_the_docstring_says_so() -> None:
    """An outside witness of the last head is what it takes."""
    assert verify(_log(5)[:3]) == []


def test_two_writers_show() -> None:
    """Two owners of one tenant write two entries of one number."""
    entries = _log(3)
    twin = entries[2].model_copy(update={"detail": "the other owner"}).sealed()
    assert verify([*entries, twin]) == ["entry 3 stands 2 times: two writers, or a forgery"]


def test_a_log_cut_by_retention_verifies_from_its_start() -> None:
    """Whoever cuts the front keeps the head before it."""
    entries = _log(6)
    assert verify(entries[3:], Head(3, entries[2].hash)) == []
    assert verify(entries[3:]) == ["entries 1 to 3 are missing"]


def test_the_heads_are_the_last_entries_of_each_tenant() -> None:
    """Any order, any mix of tenants."""
    acme, bank = _log(3), _log(2, "bank")
    found = heads([acme[2], bank[0], acme[0], bank[1]])
    assert found == {"acme": Head(3, acme[2].hash), "bank": Head(2, bank[1].hash)}
