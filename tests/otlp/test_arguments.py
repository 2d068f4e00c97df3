"""Arguments become a place and short values; what somebody wrote stays behind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.otlp.arguments import coarse, read_arguments, short_values, target_of


@pytest.mark.parametrize(
    ("recorded", "target"),
    [
        ('{"ticket_id": "T-1"}', "T-1"),
        ('{"input_str": "{\'url\': \'https://h/x?k=secret\'}", "tags": []}', "https://h/x"),
        ('{"args": [], "sanitize_inputs_outputs": true, "kwargs": {"path": "/a"}}', "/a"),
        ('{"tool_name": "t", "arguments": {"to": ["a@x", "b@x"]}}', "a@x,b@x"),
        ('{"args": ["T-1"], "sanitize_inputs_outputs": true, "kwargs": {}}', "T-1"),
        ({"command": ["bash", "-lc", "ls -la"]}, "bash -lc ls -la"),
        ("T-1001", "T-1001"),
        ("what is in the report?", None),
        ('{"question": "what is it?"}', None),
        ('{"content": "secret"}', None),
        ('{"id": 42}', "42"),
        ("__REDACTED__", None),
        ("[1, 2]", None),
        (None, None),
        ("{'a': " * 50, None),
    ],
)
def test_where_a_call_goes(recorded: Any, target: str | None) -> None:
    """From JSON, from what Python printed, inside a library's wrapper, or bare."""
    assert target_of(read_arguments(recorded)) == target


def test_an_address_loses_credentials_query_and_fragment_and_a_command_nothing() -> None:
    """Secrets travel in queries; a command is the act itself."""
    assert coarse("https://me:pw@h.example/p?token=1#f") == "https://h.example/p"
    assert target_of({"cmd": "curl http://h/?q=1"}) == "curl http://h/?q=1"


def test_short_values_are_kept_and_texts_are_not() -> None:
    """At most sixteen, none that repeats the target, none that somebody wrote."""
    arguments = {"to": "a@x", "subject": "hi", "body": "long", "priority": 3, "urgent": True, "note": "x" * 200}
    assert short_values(arguments, "a@x") == {"arg.priority": "3", "arg.urgent": True}
    assert len(short_values({f"n{number}": number for number in range(100)}, None)) == 16


def test_names_that_are_no_text_are_left_out() -> None:
    """What Python printed may have numbers for names: a record of such must not end who maps it."""
    found = read_arguments("{1: 'a', (2,): 'b', 'url': 'http://h/x', None: 'c'}")
    assert found == {"url": "http://h/x"}
    assert target_of(read_arguments("{1: 'a'}")) is None
    assert short_values(read_arguments("{1: 'a', 'n': 2}"), None) == {"arg.n": "2"}


@given(st.text(max_size=200) | st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())))
def test_nothing_that_stands_there_raises(recorded: Any) -> None:
    """Any text, any object."""
    arguments = read_arguments(recorded)
    target = target_of(arguments)
    assert target is None or isinstance(target, str)
    short_values(arguments, target)
