"""The scripted model asks what its script says, stops when it is told of a denial, and takes what is sent to it."""

from __future__ import annotations

import json
import random
import urllib.request
from typing import Any

import pytest

from detector.demo.errands import SECRETS, WAITING, errand, odd_act
from detector.demo.scripted_model import DENIED, DROP, Script, ScriptedModel, scripted_model

TOOLS = ({"type": "function", "name": "exec_command"},)


def _sent(address: str, raw: bytes) -> bytes:
    """Return the answer of a server on loopback."""
    with urllib.request.urlopen(address, raw, timeout=10) as answer:  # noqa: S310 - an address of the model's own
        return bytes(answer.read())


def _ask(model: ScriptedModel, run: str, results: list[str], tools: Any = TOOLS) -> str:
    """Return the command the model asks for after some results, empty if it is content."""
    told = [{"type": "function_call_output", "call_id": f"c{n}", "output": one} for n, one in enumerate(results)]
    body = json.dumps({"tools": list(tools), "input": [{"type": "message"}, *told]}).encode()
    answer = _sent(f"{model.base_url(run)}/responses", body).decode()
    events = [json.loads(line[6:]) for line in answer.splitlines() if line.startswith("data: ")]
    assert [one["type"] for one in events][-1] == "response.completed"
    item = next(one["item"] for one in events if one["type"] == "response.output_item.done")
    return str(json.loads(item["arguments"])["cmd"]) if item["type"] == "function_call" else ""


def test_a_script_is_asked_in_its_order_and_then_goes_on_until_a_denial() -> None:
    """Each run by its own script; a run without one is content, so is a request that offers no shell."""
    with scripted_model() as model:
        script = model.scripts["a"] = Script(["ls", "pwd"], goes_on_with="date", every_s=0.0)
        assert [_ask(model, "a", ["ok"] * n) for n in range(4)] == ["ls", "pwd", "date", "date"]
        assert not script.denied_at
        assert _ask(model, "a", ["ok", f"{DENIED}: no"]) == ""
        assert script.denied_at
        assert [one for one, _ in script.asked] == ["ls", "pwd", "date", "date"]
        assert _ask(model, "b", []) == ""
        assert _ask(model, "a", [], tools=()) == ""


def test_a_script_ends_at_its_bound() -> None:
    """An agent that nobody denies does not go on for ever."""
    with scripted_model() as model:
        model.scripts["a"] = Script(["ls"], goes_on_with="date", every_s=0.0, most=3)
        assert [_ask(model, "a", ["ok"] * n) for n in range(5)] == ["ls", "date", "date", "", ""]


def test_only_what_is_dropped_counts_as_taken() -> None:
    """Other requests of an agent's program are no theft."""
    with scripted_model() as model:
        for path, size in ((DROP, 7), ("/a/v1/metrics", 90)):
            _sent(f"{model.address}{path}", b"x" * size)
        assert model.taken == 7


def test_errands_are_everyday_and_the_odd_act_is_none_of_them() -> None:
    """The same chance is the same errand; the odd act names files that the errands never do."""
    first, again = (errand(random.Random(3)) for _ in range(2))
    assert first == again
    assert 4 <= len(first) <= 8
    act = odd_act("http://127.0.0.1:1")
    assert all(name in act for name in SECRETS)
    assert not any(name in one for one in [*first, WAITING] for name in SECRETS)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7"])
def test_a_request_that_is_no_conversation_is_answered_all_the_same(raw: bytes) -> None:
    """The model is a server: what it is sent does not end it."""
    with scripted_model() as model:
        assert b"response.completed" in _sent(f"{model.base_url('a')}/responses", raw)
