"""`detector deadletters`: counted, bounded, with one example each and what to do."""

from __future__ import annotations

import re
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detector.schema.decode import Refusal
from detector.schema.event import REASONS
from detector.schema.record import Record
from detector.schema.topics import TopicNames
from detector.views.deadletters import MOST_BYTES, MOST_KEYS, gathered, letters_body, letters_lines
from detector.views.reading import StoredRecord, TopicReader
from detector.views.remedies import NOT_OURS, OF_THE_WORKER, REMEDIES, remedy_of
from detector.views.watch import json_line
from detector.worker.publish import dead_letter
from tests.project.sources import ROOT
from tests.views.deployment import names_of, put


def _letter(key: bytes, reason: str = "bad_time", raw: bytes = b"{}", offset: int = 0) -> StoredRecord:
    refusal = Refusal(reason, "ts of event must be an RFC 3339 time, got another text", 3, raw, is_scored=True)
    record = Record(raw, key, "agent.events", 1, 42, 1_000)
    output = dead_letter(record, refusal, TopicNames())
    return StoredRecord(0, offset, 1_772_442_847.0, output.key or b"", output.value, dict(output.headers))


def test_dead_letters_read_as_reasons_with_what_to_do() -> None:
    """Golden: how many, of whom, why, where, which bytes."""
    found = gathered([_letter(b"support-12", offset=6), _letter(b"support-12", raw=b'{"ts":"\x1b[2J"}\xff', offset=7)])
    assert (
        "\n".join(letters_lines(found, 0.0))
        == """\
2 dead letters since 1970-01-01 00:00:00Z; of 2 an event was made and scored all the same

bad_time  2
  do       send 2026-03-02T09:00:00Z; a date, an epoch number, or a second 60 is none
  key      support-12  2, the last 2026-03-02 09:14:07Z
    why    ts of event must be an RFC 3339 time, got another text
    stands agent.events partition 1 offset 42 line 3; its dead letter: partition 0 offset 7
    bytes  14 bytes kept: {"ts":"\\x1b[2J"}\\xff"""
    )


def test_every_reason_has_the_remedy_of_the_page() -> None:
    """The table and docs/schema/reasons.md say the same, word for word."""
    text = (ROOT / "docs" / "schema" / "reasons.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*) \|$", text, flags=re.MULTILINE)
    assert {reason: does.replace("`", "") for reason, does in rows} == REMEDIES
    assert set(REMEDIES) == set(REASONS)
    assert set(re.findall(r"^- `(\w+)`:", text, flags=re.MULTILINE)) == set(OF_THE_WORKER)
    assert remedy_of("made up") == NOT_OURS


def test_a_flood_of_keys_and_reasons_is_counted_within_the_caps() -> None:
    """Whoever invents names fills no memory, and no letter goes uncounted."""
    keys = [_letter(b"k-%d" % number, raw=b"x" * 10_000) for number in range(MOST_KEYS + 500)]
    reasons = [_letter(b"k", reason=f"made-up-{number}") for number in range(200)]
    found = gathered([*keys, *reasons])
    assert found.total == sum(found.reasons.values()) == sum(one.number for one in found.keys.values())
    assert found.total == MOST_KEYS + 700
    assert len(found.reasons) <= 65
    assert len(found.keys) <= MOST_KEYS + len(found.reasons)
    assert max(len(one.example.raw) for one in found.keys.values()) == MOST_BYTES
    assert any(re.search(r"and [\d,]+ dead letters of [\d,]+ keys more", line) for line in letters_lines(found, 0.0))


@given(st.binary(max_size=80), st.binary(max_size=40), st.dictionaries(st.sampled_from(["reason", "detail", "topic",
       "partition", "offset", "line"]), st.binary(max_size=30)))  # fmt: skip
def test_no_byte_of_a_dead_letter_acts_on_the_terminal(raw: bytes, key: bytes, headers: dict[str, bytes]) -> None:
    """Bytes, key and headers may be anybody's."""
    found = gathered([StoredRecord(0, 0, 0.0, key, raw, headers)])
    lines = [*letters_lines(found, 0.0), *(json_line(letters_body(found, *whose)) for whose in found.keys)]
    assert [line for line in lines if not line.removeprefix("\n").isprintable()] == []


def test_letters_are_read_from_a_time_on(kafka: dict[str, Any]) -> None:
    """Those before it are not counted."""
    names = names_of(kafka, "letters.")
    now = time.time()
    for number, at in enumerate((now - 7_200.0, now - 60.0)):
        one = _letter(b"a-%d" % number)
        put(kafka, names.deadletter, "a", one.value, timestamp=int(at * 1_000), headers=list(one.headers.items()))
    with TopicReader(kafka, names.deadletter) as reader:
        assert gathered(reader.to_the_end(now - 3_600.0)).reasons == {"bad_time": 1}
    with TopicReader(kafka, names.deadletter) as reader:
        assert gathered(reader.to_the_end(now + 3_600.0)).total == 0
