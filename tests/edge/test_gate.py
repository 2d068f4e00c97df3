"""The hook command: who it says it asks for, what it takes for an answer, and that it never fails open."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import detector_gate as gate
from detector.edge.calls import PRODUCTS
from detector.edge.copy import COPY_SCHEMA, write_copy
from detector.edge.server import MOST_BODY_BYTES, MOST_SUBJECTS
from detector.schema.command import subject_of
from tests.edge.states import SUBJECT, state
from tests.project.sources import ROOT, imports_of

SOURCE = ROOT / "detector_gate.py"


def test_it_needs_nothing_but_the_standard_library() -> None:
    """It can be copied to a machine alone; and it is short enough to be read there."""
    assert {name.split(".")[0] for name in imports_of(SOURCE)} <= set(sys.stdlib_module_names)
    assert len(SOURCE.read_text(encoding="utf-8").splitlines()) <= 300


def test_modules_that_are_slow_to_import_are_imported_only_without_the_service() -> None:
    """At the top stand modules of the interpreter's core alone."""
    top = [node for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body if isinstance(node, ast.Import)]
    assert {alias.name for node in top for alias in node.names} == {"_signal", "_socket", "os", "sys"}


def test_what_it_shares_with_the_service_is_the_same() -> None:
    """The gate imports nothing of ours, so its own words are held against the product's."""
    assert gate.PRODUCTS == PRODUCTS
    assert (gate.MOST_SUBJECTS, gate.MOST_INPUT) == (MOST_SUBJECTS, MOST_BODY_BYTES)
    assert COPY_SCHEMA in SOURCE.read_text(encoding="utf-8")


@given(st.text(), st.text())
def test_a_subject_is_written_as_the_product_writes_it(tenant: str, agent: str) -> None:
    """Else a command would name nobody."""
    assert gate.subject_of(tenant, agent) == subject_of(tenant, agent)


@given(st.text(max_size=100))
def test_a_subject_survives_the_header(text: str) -> None:
    """Whatever stands in it, the header has one line of ASCII, and the service reads the same."""
    quoted = gate.quoted(text)
    assert quoted.isascii()
    assert quoted.isprintable()
    assert " " not in quoted
    assert unquote(quoted) == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_values_of_the_environment_are_decoded_as_opentelemetry_writes_them(value: str) -> None:
    """Percent-encoded; what is no encoding stays."""
    assert gate.attributes_of(f"a=1,agent.id={quote(value, safe='')}, b = 2 ")["agent.id"] == value
    assert gate.unquoted("100%") == "100%"


def test_a_user_of_a_product_is_asked_for_without_any_setting() -> None:
    """As the telemetry of coding agents names its agents: product and user."""
    options = gate.options_of(["--product", "codex"])
    assert gate.subjects_of(options, "dev", {}) == ["default/agent/codex/dev"]
    every = gate.subjects_of(gate.options_of([]), "dev", {})
    assert every == [f"default/agent/{product}/dev" for product in PRODUCTS]


def test_what_the_environment_says_adds_names_and_takes_none_away() -> None:
    """A project may set variables of the hook: it cannot lose the name it is contained under."""
    options = gate.options_of(["--product=codex", "--agent=ci-7", "--tenant=acme/eu"])
    told = {"OTEL_RESOURCE_ATTRIBUTES": "agent.id=other,enduser.id=eve%40x,tenant=t2"}
    found = gate.subjects_of(options, "dev", told)
    assert found[:2] == ["acme%2Feu/agent/ci-7", "acme%2Feu/agent/codex/dev"]
    assert {"acme%2Feu/agent/other", "acme%2Feu/agent/codex/eve@x", "t2/agent/ci-7"} <= set(found)
    flood = {"OTEL_RESOURCE_ATTRIBUTES": ",".join(f"tenant=t{n},agent.id=a{n}" for n in range(1_000))}
    assert gate.subjects_of(options, "dev", flood)[:2] == found[:2]


@pytest.mark.parametrize(
    "words",
    [
        ["--colour", "red"],
        ["--product", "cursor"],
        ["--product"],
        ["--fail", "open"],
        ["--fail", "static"],
        ["--timeout", "0"],
        ["--timeout", "1e9"],
        ["--timeout", "-1"],
        ["--timeout", "."],
        ["--agent", ""],
        ["stray"],
    ],
)
def test_an_option_that_is_not_understood_is_refused(words: list[str]) -> None:
    """There is no setting that opens, and no misspelling is passed over."""
    with pytest.raises((gate.GateError, ValueError)):
        gate.options_of(words)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 500 x\r\nDetector-Status: 0\r\nDetector-Out: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nDetector-Status: 1\r\nDetector-Out: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nDetector-Status: 0\r\nDetector-Out: 9\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nDetector-Status: 0\r\nDetector-Out: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nDetector-Status: 0\r\nDetector-Out: 0\r\nContent-Length: 0\r\n",
    ],
)
def test_half_an_answer_is_none(answer: bytes) -> None:
    """A service that died in the middle has not allowed anything."""
    with pytest.raises(gate.GateError):
        gate.parsed(answer)


def test_a_whole_answer_is_taken() -> None:
    """Status, standard output, standard error."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nDetector-Status: 2\r\nDetector-Out: 3\r\n\r\n"
    assert gate.parsed(head + b"outer") == (2, b"out", b"er")


def test_without_the_service_it_denies_unless_it_is_static_and_nothing_binds(tmp_path: Path) -> None:
    """Closed: all. Static: whoever is bound by the kept copy, within the terms of the state."""
    options = gate.options_of([])
    status, out, said = gate.without_service(options, [SUBJECT], "nobody is there")
    assert (status, out) == (2, b"")
    assert b"nobody is there" in said
    path = tmp_path / "copy"
    write_copy(path, [(SUBJECT, state(expires_at=None)), ("default/agent/b", state(subject="default/agent/b"))], 150.0)
    static = gate.options_of(["--fail", "static", "--copy", str(path)])
    assert gate.without_service(static, ["default/agent/x", SUBJECT], "")[0] == 2
    assert gate.without_service(static, ["default/agent/x"], "") == (0, b"", b"")
    assert gate.without_service(static, ["default/agent/b"], "") == (0, b"", b"")  # over since 1970
    assert gate.bound_by_copy(str(path), ["default/agent/b"], 299.9) == "default/agent/b"
    assert not gate.bound_by_copy(str(path), ["default/agent/b"], 99.9)


def test_a_copy_that_is_not_whole_is_none(tmp_path: Path) -> None:
    """Missing, cut, of another form: an error, which denies."""
    path = tmp_path / "copy"
    with pytest.raises(OSError, match="No such file"):
        gate.bound_by_copy(str(path), [SUBJECT], 0.0)
    for text in ("", "[]", json.dumps({"schema": COPY_SCHEMA, "count": 1}), json.dumps({"schema": "x", "count": 0})):
        path.write_text(text)
        with pytest.raises((gate.GateError, ValueError, TypeError)):
            gate.bound_by_copy(str(path), [SUBJECT], 0.0)
