"""Entries in files: what they say, what they must not leave open, and every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.errors import SetupError
from detector.registry.drafts import draft_of, read_drafts
from tests.registry.inventory import write_yaml


def test_the_stamp_of_a_file_is_not_believed(tmp_path: Path) -> None:
    """Who changed an entry is whoever applies it; only the revision it was made from counts."""
    table = {"agent_id": "a-1", "revision": 3, "at": 5.0, "by": "somebody else", "reason": "x"}
    (draft,) = read_drafts(write_yaml(tmp_path / "x.yaml", [table]))
    assert (draft.made_from, draft.entry.by, draft.entry.at) == (3, "not applied", 0.0)


def test_times_are_written_as_people_write_them() -> None:
    """RFC 3339 in a grant, seconds in the entry."""
    grant = {"id": "g", "granted_at": "2026-01-05T08:00:00Z", "expires_at": "2026-02-01T00:00:00Z", "approver": "ada"}
    draft = draft_of({"agent_id": "a-1", "grants": [grant]})
    assert draft.entry.grants[0].granted_at == 1_767_600_000.0


def test_a_list_whose_lines_were_all_made_comments_is_refused(tmp_path: Path) -> None:
    """It would say nothing, and so allow everything."""
    path = tmp_path / "x.yaml"
    path.write_text("proposals:\n  - agent_id: a-1\n    tools:\n      # - read_file\n", encoding="utf-8")
    with pytest.raises(SetupError, match=r"tools has no value: write \[\] for none"):
        read_drafts(path)


def test_an_empty_list_allows_none() -> None:
    """It is not the same as no list."""
    assert draft_of({"agent_id": "a-1", "tools": []}).entry.tools == ()
    assert draft_of({"agent_id": "a-1"}).entry.tools is None


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    """With the entry and the field."""
    tables: list[dict[str, object]] = [
        {"agent_id": "a-1", "toolz": []},
        {"agent_id": "a-2", "lifecycle": "active"},
        {"agent_id": "a-3", "tools": ["re:("]},
        {"agent_id": "a-4"},
        {"agent_id": "a-4"},
        {"agent_id": "a-5", "revision": True},
    ]
    with pytest.raises(SetupError) as refused:
        read_drafts(write_yaml(tmp_path / "x.yaml", tables))
    told = str(refused.value)
    for part in (
        "5 faults",
        "(a-1): toolz",
        "owner must say",
        "(a-3): tools",
        "(a-4): agent_id must stand once",
        "(a-5)",
    ):
        assert part in told


def test_an_entry_that_nobody_could_read_is_refused() -> None:
    """More than 32 KiB do not fit on the topic either."""
    with pytest.raises(ValueError, match="at most 32768 bytes"):
        draft_of({"agent_id": "a-1", "targets": [f"{n}-{'x' * 400}" for n in range(200)]})
