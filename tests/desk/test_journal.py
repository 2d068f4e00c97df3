"""`detector journal`: the ring of the state topic becomes files that a replay reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from detector.desk.journal import CONTROLS, JOURNAL, Exported, journal_in, write_journal
from detector.errors import SetupError
from detector.offline.controls import read_plan
from detector.schema.control import JournalEntry, digest_of
from detector.worker.checkpoint import key_of
from detector.worker.journal import Ring, seal_entry, slot_of

KEY = key_of("secret", "g")


class Held(NamedTuple):
    """One record of the state topic."""

    partition: int
    key: bytes | None
    value: bytes | None


def _entry(sequence: int, partition: int = 0, place: int = 5, generation: int = 0) -> JournalEntry:
    value = json.dumps({"agent_id": "ä", "at": sequence, "say": 'quo"te'}, ensure_ascii=False)
    return JournalEntry(partition, place, sequence + 40, digest_of(value.encode()), value, sequence, generation)


def _sealed(entry: JournalEntry, key: bytes = KEY) -> Held:
    return Held(entry.partition, slot_of(entry.sequence), seal_entry(Ring(key, "g", entry.partition), entry))


def _read(records: Iterable[Held]) -> Exported:
    async def all_of() -> AsyncIterator[Held]:
        for record in records:
            yield record

    return asyncio.run(journal_in(all_of(), "g", KEY, "g.state"))


def test_the_files_are_what_a_replay_reads(tmp_path: Path) -> None:
    """By partition and in order, whatever else stands on the topic; bytes for bytes."""
    others = [Held(0, b"manifest", b"x"), Held(0, b"agents#0", b"y"), Held(1, b"journal#9", None)]
    entries = [_entry(0), _entry(1), _entry(0, 1)]
    found = _read([others[0], *(_sealed(entry) for entry in reversed(entries)), *others[1:]])
    assert (found.entries, found.refused, found.cut) == (entries, 0, [])
    write_journal(found.entries, tmp_path / "new")
    lines = (tmp_path / "new" / JOURNAL).read_bytes().splitlines()
    assert json.loads(lines[0]) | {"value": None} == json.loads(lines[0])
    plan = read_plan(tmp_path / "new" / CONTROLS, tmp_path / "new" / JOURNAL, 2)
    assert plan is not None
    assert [control.value.decode() for control in plan.behind(0, 5)] == [entry.value for entry in entries[:2]]
    assert [control.offset for control in plan.behind(1, 5)] == [40]


def test_an_overwritten_beginning_is_said() -> None:
    """The ring keeps the last 1,024 entries; the later one of a slot stands."""
    found = _read([_sealed(_entry(1)), _sealed(_entry(1_025)), _sealed(_entry(1_024)), _sealed(_entry(0, 1))])
    assert [(entry.partition, entry.sequence) for entry in found.entries] == [(0, 1_024), (0, 1_025), (1, 0)]
    assert found.cut == [0]


def test_of_two_entries_of_one_number_the_later_generations_stands() -> None:
    """A zombie wrote the other."""
    owners, late = _entry(0, place=9, generation=4), _entry(0, place=7, generation=3)
    assert _read([_sealed(owners), _sealed(late)]).entries == [owners]


def test_entries_under_another_key_are_left_out_and_counted() -> None:
    """The rest is still of use."""
    found = _read([_sealed(_entry(0), key_of(None, "g")), _sealed(_entry(1))])
    assert ([entry.sequence for entry in found.entries], found.refused) == ([1], 1)


def test_a_group_that_never_was_is_said() -> None:
    """An empty topic is more often a wrong name."""
    with pytest.raises(SetupError, match=r"topic g\.state must hold a group's state, got none"):
        _read([])


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A file stands there."""
    (tmp_path / "taken").write_text("x")
    with pytest.raises(SetupError, match="out of the journal must be a folder that can be written"):
        write_journal([_entry(0)], tmp_path / "taken")
