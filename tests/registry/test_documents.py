"""Files that people review: what is read is what stands there, and nothing an agent wrote becomes a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import SetupError
from detector.registry.documents import (
    comment,
    document_of,
    exact_time,
    lines_of_mapping,
    read_document,
    scalar,
    seconds_in,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(TEXTS)
def test_a_scalar_reads_back_as_it_was(text: str) -> None:
    """Also what YAML takes for a truth, a number, a comment or a list."""
    assert document_of(f"value: {scalar(text)}\n".encode()) == {"value": text}


@pytest.mark.parametrize("text", ["no", "1e3", "~", "- x", "a: b", "a #b", "é\u2028x", "", "\x85", "2026-01-01"])
def test_a_text_that_yaml_reads_otherwise_is_quoted(text: str) -> None:
    """The cases that a generator seldom finds."""
    line = f"value: {scalar(text)}"
    assert line.isascii()
    assert yaml.safe_load(line) == {"value": text}


@given(TEXTS)
def test_a_comment_is_one_line_and_stays_a_comment(text: str) -> None:
    """A name with a line feed in it grants nothing."""
    found = document_of(f"a: 1\n{comment(text, 2)}\nb: 2\n".encode())
    assert found == {"a": 1, "b": 2}


@given(st.dictionaries(st.text("abc_", min_size=1), st.lists(TEXTS, min_size=1) | TEXTS | st.just({"x": ["y"]})))
def test_a_mapping_reads_back_as_it_was(body: dict[str, object]) -> None:
    """Lists and mappings, one value a line."""
    text = "\n".join(lines_of_mapping(body, 0)) + "\n"
    assert (document_of(text.encode()) or {}) == body


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: &x [1]\nb: *x\n", "alias"),
        ("a: 1\na: 2\n", "twice"),
        ('{"a": 1, "a": 2}', "twice"),
        ("a: !!python/object/apply:os.system [ls]\n", "tag"),
        ("a: [1\n", "YAML or JSON"),
        ("a: 1\n---\nb: 1\n", "single document"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    """In one sentence that names the file."""
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SetupError, match=fault) as refused:
        read_document(path)
    assert "x.yaml" in str(refused.value)


@given(st.floats(-6e10, 2.4e11))
def test_a_time_in_a_file_is_the_time_it_was(at: float) -> None:
    """To the last bit: the digest in the log is of what is read."""
    assert seconds_in(exact_time(at)) == at


def test_json_by_lines_is_a_list(tmp_path: Path) -> None:
    """As a dump of a topic has it."""
    path = tmp_path / "x.ndjson"
    path.write_text('{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    assert read_document(path) == [{"a": 1}, {"a": 2}]
