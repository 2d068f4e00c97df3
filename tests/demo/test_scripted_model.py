"""The scripted model asks what its script says, stops when it is told of a denial, and takes what is sent to it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from detector.demo.dialects import Call, Dialect, GenerateContent, Responses, shell
from detector.demo.scripted_model import DENIED, DROP, Script, ScriptedModel, scripted_model

LS, PWD, DATE = map(shell, ("ls", "pwd", "date"))


class Spoken(NamedTuple):
    """A dialect, as a program speaks it: where it asks, how it tells a result, how it reads what it is asked for."""

    dialect: Dialect
    path: str
    asked: Callable[[list[str], bool], dict[str, Any]]
    read: Callable[[list[dict[str, Any]]], str]


def _asked_responses(results: list[str], has_tools: bool) -> dict[str, Any]:
    told = [{"type": "function_call_output", "call_id": f"c{n}", "output": one} for n, one in enumerate(results)]
    tools = [{"type": "function", "name": "exec_command"}] if has_tools else []
    return {"tools": tools, "input": [{"type": "message"}, *told]}


def _read_responses(events: list[dict[str, Any]]) -> str:
    assert events[-1]["type"] == "response.completed"
    item = next(one["item"] for one in events if one["type"] == "response.output_item.done")
    return str(json.loads(item["arguments"])["cmd"]) if item["type"] == "function_call" else ""


def _asked_gemini(results: list[str], has_tools: bool) -> dict[str, Any]:
    told = [
        {"role": "user", "parts": [{"functionResponse": {"name": "run_shell_command", "response": {"output": one}}}]}
        for one in results
    ]
    tools = [{"functionDeclarations": [{"name": "run_shell_command"}]}] if has_tools else []
    return {"tools": tools, "contents": [{"role": "user", "parts": [{"text": "go"}]}, *told]}


def _read_gemini(events: list[dict[str, Any]]) -> str:
    (candidate,) = events[0]["candidates"]
    assert candidate["finishReason"] == "STOP"
    call = candidate["content"]["parts"][0].get("functionCall", {"args": {"command": ""}})
    return str(call["args"]["command"])


EACH = pytest.mark.parametrize(
    "spoken",
    [
        Spoken(Responses(), "/responses", _asked_responses, _read_responses),
        Spoken(GenerateContent(), "/v1beta/models/m:streamGenerateContent?alt=sse", _asked_gemini, _read_gemini),
    ],
    ids=["responses", "generate-content"],
)


def _sent(address: str, raw: bytes) -> bytes:
    """Return the answer of a server on loopback."""
    with urllib.request.urlopen(address, raw, timeout=10) as answer:  # noqa: S310 - an address of the model's own
        return bytes(answer.read())


def _ask(model: ScriptedModel, spoken: Spoken, run: str, results: list[str], has_tools: bool = True) -> str:
    """Return the command the model asks for after some results, empty if it is content."""
    body = json.dumps(spoken.asked(results, has_tools)).encode()
    answer = _sent(f"{model.base_url(run)}{spoken.path}", body).decode()
    return spoken.read([json.loads(line[6:]) for line in answer.splitlines() if line.startswith("data: ")])


@EACH
def test_a_script_is_asked_in_its_order_and_then_goes_on_until_a_denial(spoken: Spoken) -> None:
    """Each run by its own script; a run without one is content, so is a request that offers no shell."""
    with scripted_model(spoken.dialect) as model:
        script = model.scripts["a"] = Script([LS, PWD], goes_on_with=[DATE, LS], every_s=0.0)
        assert [_ask(model, spoken, "a", ["ok"] * n) for n in range(5)] == ["ls", "pwd", "date", "ls", "date"]
        assert not script.denied_at
        assert _ask(model, spoken, "a", ["ok", f"{DENIED}: no"]) == ""
        assert script.denied_at
        assert [one for one, _ in script.asked] == [LS, PWD, DATE, LS, DATE]
        assert _ask(model, spoken, "b", []) == ""
        assert _ask(model, spoken, "a", [], has_tools=False) == ""


@EACH
def test_a_script_ends_at_its_bound(spoken: Spoken) -> None:
    """An agent that nobody denies does not go on for ever."""
    with scripted_model(spoken.dialect) as model:
        model.scripts["a"] = Script([LS], goes_on_with=[DATE], every_s=0.0, most=3)
        assert [_ask(model, spoken, "a", ["ok"] * n) for n in range(5)] == ["ls", "date", "date", "", ""]


def test_a_tool_of_the_programs_own_is_asked_for_by_its_name() -> None:
    """Only the shell has a name that depends on who offers it."""
    call = Call("read_file", {"file_path": "README.md"})
    answer = GenerateContent().answer("/m:generateContent", {}, call)
    part = json.loads(answer.body)["candidates"][0]["content"]["parts"][0]
    assert part == {"functionCall": {"name": "read_file", "args": {"file_path": "README.md"}}}


@EACH
def test_only_what_is_dropped_counts_as_taken(spoken: Spoken) -> None:
    """Other requests of an agent's program are no theft."""
    with scripted_model(spoken.dialect) as model:
        for path, size in ((DROP, 7), ("/a/v1/metrics", 90)):
            _sent(f"{model.address}{path}", b"x" * size)
        assert model.taken == 7


@EACH
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b'{"input":7,"contents":[7,{"parts":{}}],"tools":[null]}'])
def test_a_request_that_is_no_conversation_is_answered_all_the_same(spoken: Spoken, raw: bytes) -> None:
    """The model is a server: what it is sent does not end it."""
    with scripted_model(spoken.dialect) as model:
        answer = _sent(f"{model.base_url('a')}{spoken.path}", raw).decode()
        assert spoken.read([json.loads(line[6:]) for line in answer.splitlines() if line.startswith("data: ")]) == ""
