"""What a micro-batch becomes on Kafka."""

from __future__ import annotations

from structlog.testing import capture_logs

from detector.schema.decode import Refusal
from detector.schema.record import Record
from detector.schema.suppression import DETECTION
from detector.schema.topics import TopicNames
from detector.worker.publish import MAX_DEAD_LETTER_BYTES, dead_letter, outputs_of
from tests.sinks.alerts import make

NAMES = TopicNames("p.", "g")


def test_a_bad_line_of_a_record_says_which_line() -> None:
    """NDJSON is refused line by line; the header holds the index."""
    record = Record(b"{}\n{", b"a", "p.agent.events", 2, 41)
    letter = dead_letter(record, Refusal("not_json", "event must be JSON", 1, b"{"), NAMES)
    assert (letter.topic, letter.key, letter.value) == ("p.agent.deadletter", b"a", b"{")
    assert dict(letter.headers) == {
        "reason": b"not_json",
        "detail": b"event must be JSON",
        "topic": b"p.agent.events",
        "partition": b"2",
        "offset": b"41",
        "scored": b"false",
        "line": b"1",
    }


def test_a_dead_letter_says_whether_an_event_was_made_of_it() -> None:
    """Who reads dead letters must know whether the detector saw the act all the same."""
    refusal = Refusal("wrong_type", "event must be a JSON object", None, b"[]", is_scored=True)
    assert dict(dead_letter(Record(b"[]", b"a"), refusal, NAMES).headers)["scored"] == b"true"


def test_a_dead_letter_is_capped() -> None:
    """A megabyte of poison is kept as 64 KiB, and a record refused whole has no line."""
    raw = b"x" * 1_000_000
    letter = dead_letter(Record(raw), Refusal("too_large", "too large", None, raw), NAMES)
    assert len(letter.value) == MAX_DEAD_LETTER_BYTES
    assert "line" not in dict(letter.headers)


def test_a_quiet_batch_writes_nothing() -> None:
    """Most batches do."""
    assert outputs_of([], [], [Record(b"{}")], NAMES) == []


def test_the_log_says_that_a_suppression_is_over() -> None:
    """What it hid is told from there on; its counts while it stands are records, and no lines."""
    close = make("*", detection=DETECTION, activity="close", events=9, events_over=4, event_id="c" * 32)
    others = [close.model_copy(update={"activity": "update"}), make("a", activity="close")]
    with capture_logs() as lines:
        assert len(outputs_of([*others, close], [], [], NAMES)) == 6
    (line,) = lines
    assert (line["event"], line["id"], line["acts"], line["sessions"]) == ("suppression is over", "c" * 32, 9, 4)
