"""Laws: whatever stands in a file nothing is raised, every line is counted once, and every event decodes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.backfill.record import Additions
from detector.schema.decode import decode
from detector.schema.record import Record
from tests.backfill.made import answer, call, chat, copilot, gemini, meta, output, read, result, tool, use

USAGE = {"input_tokens": 1, "output_tokens": 2}
SEEDS: list[list[dict[str, Any]]] = [
    [answer(1, use("t1")), result(2, "t1", [{"type": "text", "text": "x"}], is_error=True), answer(3, key="m2")],
    [meta(source={"subagent": {"thread_spawn": {"agent_path": "a"}}}, forked_from_id="f"), call(1, "c1"),
     output(2, "c1"), {"timestamp": "2026-03-02T10:00:00Z", "type": "token_usage_record", "payload": {"usage": USAGE}},
     {"timestamp": "2026-03-02T10:00:00Z", "type": "event_msg", "payload": {"type": "item_completed", "item": {}}}],
    [chat(), gemini(1, "m", tool(2, "a", "run_shell_command", {"output": "\nExit Code: 3"}, command="x")),
     {"$set": {"lastUpdated": "x", "messages": [gemini(2, "n")]}}],
    [copilot("session.start", 0, {"sessionId": "s"}), copilot("tool.execution_start", 1, {"toolCallId": "c"}),
     copilot("tool.execution_complete", 2, {"toolCallId": "c", "success": False, "error": {"code": "denied"}}),
     copilot("session.usage_record", 3, {"usage": {"inputTokens": 1}}),
     copilot("subagent.started", 4, {"agentName": "x", "toolCallId": "c"})],
]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
DEEP = b'{"a": [' * 350 + b"]}" * 350
"""As deep as the parser goes; a place for it in a record is called ``<deep>``."""


@st.composite
def _spoilt(draw: st.DrawFn) -> list[object]:
    """Return a session in which some values, wherever they stand, are something else."""
    records: list[object] = json.loads(json.dumps(draw(st.sampled_from(SEEDS))))
    for _ in range(draw(st.integers(1, 4))):
        at: Any = draw(st.sampled_from(records))
        while isinstance(at, dict | list) and at:
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at)))))
            if not isinstance(at[key], dict | list) or not at[key] or draw(st.integers(0, 3)) == 0:
                at[key] = "<deep>" if draw(st.integers(0, 5)) == 0 else draw(junk)
                break
            at = at[key]
    return records


def _hold(raw: bytes, lines: int, asked: Additions | None = None) -> None:
    """Hold what became of a file's bytes against the laws."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(raw)
        events, report = read(path, asked=asked)
    for one in report.files:
        assert one.lines == one.unreadable.total() + one.words.total() == lines
        assert one.verdicts["mapped"] == len(events) == report.events
    assert len(report.files) + report.others == 1
    decoded = decode([Record(msgspec.json.encode(event), event.agent_id.encode()) for event in events])
    assert decoded.refusals == []
    assert [event.ts for event in events] == sorted(event.ts for event in events)
    json.loads(report.json())
    assert all(line.isprintable() for line in report.page())


@settings(deadline=None)
@given(_spoilt(), st.booleans())
def test_a_spoilt_session_is_read_as_far_as_it_can_be(records: list[object], is_like_telemetry: bool) -> None:
    """Any value may be of any type: each line is counted, each event passes the product's own decoder."""
    raw = b"".join(json.dumps(one).encode().replace(b'"<deep>"', DEEP) + b"\n" for one in records)
    _hold(raw, len(records), Additions({"tenant": "t"}, is_like_telemetry))


@settings(deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_a_file_that_is_cut_anywhere_is_read_as_far_as_it_goes(records: list[Any], data: st.DataObject) -> None:
    """As a session that still runs is: the whole lines, and at most one that is cut off."""
    raw = b"".join(json.dumps(one).encode() + b"\n" for one in records)
    end = data.draw(st.integers(0, len(raw)))
    _hold(raw[:end], len(raw[:end].splitlines()))


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_deep_arguments_and_long_names_are_bounded(seed: int) -> None:
    """Thousands of levels, a megabyte of a name: the call is told, coarse, and nothing is raised."""
    deep: Any = "x"
    for _ in range(400):
        deep = {"a": [deep]}
    raw = b""
    for one in SEEDS[seed]:
        text = json.dumps(one).replace('"x"', json.dumps("y" * 1_000_000), 1)
        for name in ('"command": "ls"', '"toolCallId": "c"', '"command": "x"', '"arguments": "'):
            text = text.replace(name, f'"deep": {json.dumps(deep)}, {name}', 1)
        raw += text.encode() + b"\n"
    _hold(raw, len(SEEDS[seed]))


DEEPEST = [
    [meta(), {"timestamp": "2026-03-02T10:00:00Z", "type": "token_usage_record",
              "payload": {"usage": {"input_tokens": "<deep>"}}}],
    [meta(), *({"timestamp": "2026-03-02T10:00:00Z", "type": "event_msg",
                "payload": {"type": "token_count", "info": {"total_token_usage": "<deep>", "last_token_usage": USAGE}}}
               for _ in range(2))],
    [meta(), call(1, "c1"), output(2, "c1", "<deep>")],
    [chat(), gemini(1, "m", tool(2, "a", "x", {"output": ""}, a="<deep>"))],
    [answer(1, use("t1", "x", a="<deep>"), usage={"input_tokens": "<deep>"}), result(2, "t1", "<deep>")],
    [copilot("session.start", 0, {}), copilot("tool.execution_start", 1, {"toolCallId": "c", "arguments": "<deep>"}),
     copilot("tool.execution_complete", 2, {"toolCallId": "c", "success": True})],
]  # fmt: skip


@pytest.mark.parametrize("records", DEEPEST)
def test_values_as_deep_as_the_parser_goes_are_read(records: list[Any]) -> None:
    """Whatever walks down a value afterwards has less room than the parser had: none of it goes that far."""
    for levels in range(380, 500, 4):
        deep = b'{"content": [' * levels + b"]}" * levels
        raw = b"".join(json.dumps(one).encode().replace(b'"<deep>"', deep) + b"\n" for one in records)
        _hold(raw, len(records))
