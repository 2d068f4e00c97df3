"""`detector suppressions`: who answers for what, until when, and what that hid."""

from __future__ import annotations

import json
import time
from typing import Any

from typer.testing import CliRunner

from detector.schema.alert import Alert
from detector.sinks.ocsf import encode
from detector.views.commands import app
from detector.views.reading import StoredRecord
from detector.views.suppressions import MOST_KNOWN, standing_of, suppression_body, suppression_lines
from detector.views.watch import json_line
from tests.state.test_suppressions import UID, WILD, begun, did, end, suppression, told
from tests.streams import Script
from tests.views.deployment import names_of, put

EVIL = "wild_tool\x1b[2J\u202e"


def stored(value: bytes, partition: int = 0, offset: int = 0) -> StoredRecord:
    """Return a record as it stands on a topic."""
    return StoredRecord(partition, offset, 0.0, b"", value, {})


def hidden() -> tuple[Script, bytes, list[Alert]]:
    """Return a script, a suppression, and what a pipeline told of it over three sessions."""
    script = Script()
    control = suppression(script, tool="wild_tool", strong=True)
    pipeline = begun(script, control)
    return script, control.value, [one for _ in range(3) for one in told(did(pipeline, script, [WILD]))]


def test_what_stands_is_shown_with_what_it_hid() -> None:
    """From the records of two partitions: the newest counter of each counts, repeats and strangers do not."""
    script, value, alerts = hidden()
    other = [one.model_copy(update={"partition": 7, "finding_uid": "e" * 32}) for one in alerts]
    records = [stored(encode(one)) for one in [*reversed(alerts), *other, alerts[0]]]
    records += [stored(b"sensor.suppressed"), stored(b"not ours")]
    said = [stored(value, partition) for partition in (0, 7)] + [stored(b'{"kind":"suppression"}')]
    (one,) = standing_of(said, records)
    assert (one.acts, one.sessions, one.partitions) == (4, 4, {0, 7})
    lines = list(suppression_lines([one], script.now))
    assert lines[0] == f"stands  {UID}"
    assert lines[1] == "  scope    tool wild_tool of everyone"
    assert lines[3] == "  owner    kim: a known job"
    assert lines[4].startswith("  hid      at least 4 acts of 4 sessions, the strongest ")
    body = suppression_body(one, script.now)
    assert body["hid"]["strongest"] == max(alert.contributions[0].value for alert in alerts)
    assert json.loads(json_line(body))["stands"] is True


def test_what_is_over_says_so() -> None:
    """By its time, by a person, or because every partition closed it."""
    script, value, alerts = hidden()
    (one,) = standing_of([stored(value)], [])
    assert not one.is_over(script.now)
    assert one.is_over(script.now + 9e6)
    assert "  hid      nothing so far" in list(suppression_lines([one], script.now))
    (one,) = standing_of([stored(value), stored(end().value)], [])
    assert one.is_over(script.now)
    assert list(suppression_lines([one], script.now))[-1] == "  ended    1970-01-01 00:00:01Z by ada: over"
    closed = alerts[-1].model_copy(update={"activity": "close", "counter": 9})
    (one,) = standing_of([stored(value)], [stored(encode(closed))])
    assert one.is_over(script.now)


def test_hostile_texts_are_escaped_and_memory_is_bounded() -> None:
    """Owner, reason and scope are written by people, and copied from names that others wrote."""
    script = Script()
    body = json.loads(suppression(script, tool=EVIL).value)
    values = [json.dumps({**body, "id": f"{number:032x}", "owner": EVIL}).encode() for number in range(MOST_KNOWN + 5)]
    found = standing_of([stored(value) for value in values], [])
    assert len(found) == MOST_KNOWN
    text = "\n".join(suppression_lines(found[:1], script.now))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J\\u202e" in text


def test_the_command_shows_what_stands_and_on_demand_what_is_over(kafka: dict[str, Any]) -> None:
    """From a real broker; one JSON object a line for scripts."""
    names = names_of(kafka, "supp.")
    now = time.time()
    base = {"kind": "suppression", "owner": "kim", "reason": "known", "everyone": True, "tool": "x"}
    for uid, at in (("a" * 32, now), ("b" * 32, now - 9_000.0)):
        record = json.dumps({**base, "id": uid, "at": at, "until": at + 3_600.0}).encode()
        put(kafka, names.feedback, "", record)
    where = ["--bootstrap", kafka["bootstrap.servers"], "--topic-prefix", "supp."]
    shown = CliRunner().invoke(app, ["suppressions", *where])
    assert (shown.exit_code, shown.stdout.count("stands"), shown.stdout.count("over  ")) == (0, 1, 0)
    assert "1 shown, 1 over (--all)" in shown.stderr
    lines = CliRunner().invoke(app, ["suppressions", "--all", "--json", *where]).stdout.splitlines()
    assert {(one["id"], one["stands"]) for one in map(json.loads, lines)} == {("a" * 32, True), ("b" * 32, False)}
