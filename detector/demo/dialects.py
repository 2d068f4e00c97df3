"""What the scripted model speaks: how an agent's program asks its model for something, and how that is answered.

One class a dialect. What a script asks for is a `Call`; the dialect knows how the program names its tools, where a
conversation holds their results, and what an answer looks like.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

SHELL: Final = "shell"
"""The tool of a call that runs a command, by whatever name a version of the program offers it."""
COMMAND: Final = "command"
CONTENT: Final = "Done."
"""What the model says when it asks for nothing more."""

Event = Mapping[str, Any]
Body = Mapping[str, Any]


class Call(NamedTuple):
    """A tool call that a model asks for."""

    tool: str
    arguments: Mapping[str, str]


def shell(command: str) -> Call:
    """Return a call that runs a command."""
    return Call(SHELL, {COMMAND: command})


class ScriptedAnswer(NamedTuple):
    """Body and content type of an answer."""

    body: bytes
    kind: str


class Dialect(Protocol):
    """One way of asking a model.

    Attributes
    ----------
    base_path : str
        What stands behind the run's name in the address that the program is given.
    """

    base_path: str

    def is_turn(self, path: str) -> bool:
        """Tell whether a request at a path asks the model for its next words."""

    def has_tools(self, body: Body) -> bool:
        """Tell whether a request offers the tools of an agent; the program asks its model other things as well."""

    def results(self, body: Body) -> list[Any]:
        """Return the results of tool calls that a conversation holds."""

    def answer(self, path: str, body: Body, call: Call | None) -> ScriptedAnswer:
        """Return what asks for a call, or says that the model is content."""


class Responses:
    """The Responses dialect, as Codex CLI speaks it."""

    SHELLS: Final = ("exec_command", "shell_command")
    """Names under which versions of Codex offer their shell."""
    RESULTS: Final = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
    base_path = "/v1"

    def is_turn(self, path: str) -> bool:
        """Tell whether a request asks for the next words."""
        return path.endswith("/responses")

    def has_tools(self, body: Body) -> bool:
        """Tell whether a request offers a shell."""
        return bool(self._shell(body))

    def results(self, body: Body) -> list[Any]:
        """Return the results in a conversation."""
        return [one for one in _items(body, "input") if one.get("type") in self.RESULTS]

    def answer(self, path: str, body: Body, call: Call | None) -> ScriptedAnswer:
        """Return an answer as server-sent events."""
        del path
        return _streamed([(str(one["type"]), one) for one in self._events(body, call)])

    def _shell(self, body: Body) -> str:
        text = json.dumps(body.get("tools", []))
        return next((name for name in self.SHELLS if f'"{name}"' in text), "")

    def _events(self, body: Body, call: Call | None) -> list[Event]:
        turn = sum(1 for _ in _items(body, "input"))
        item: dict[str, Any] = {"type": "message", "id": f"m{turn}", "role": "assistant", "status": "completed"}
        item["content"] = [{"type": "output_text", "text": CONTENT, "annotations": []}]
        if call is not None:
            name, arguments = call
            if name == SHELL:
                name = self._shell(body)
                arguments = {"cmd" if name == self.SHELLS[0] else COMMAND: arguments[COMMAND]}
            item = {"type": "function_call", "id": f"f{turn}", "call_id": f"call_{turn}", "name": name}
            item |= {"status": "completed", "arguments": json.dumps(arguments)}
        read, written = _tokens(call, turn)
        used: dict[str, Any] = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        used |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        return [
            {"type": "response.created", "response": {"id": f"r{turn}"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {"id": f"r{turn}", "status": "completed", "usage": used}},
        ]


class GenerateContent:
    """The dialect of the Gemini API, as Gemini CLI speaks it."""

    SHELL_NAME: Final = "run_shell_command"
    base_path = ""

    def is_turn(self, path: str) -> bool:
        """Tell whether a request asks for the next words."""
        return "enerateContent" in path

    def has_tools(self, body: Body) -> bool:
        """Tell whether a request declares the tools of an agent."""
        return f'"{self.SHELL_NAME}"' in json.dumps(body.get("tools", []))

    def results(self, body: Body) -> list[Any]:
        """Return the results in a conversation."""
        parts = (part for content in _items(body, "contents") for part in _items(content, "parts"))
        return [part for part in parts if "functionResponse" in part]

    def answer(self, path: str, body: Body, call: Call | None) -> ScriptedAnswer:
        """Return an answer, as server-sent events where a stream is asked for."""
        turn = sum(1 for _ in _items(body, "contents"))
        part: dict[str, Any] = {"text": CONTENT}
        if call is not None:
            name = self.SHELL_NAME if call.tool == SHELL else call.tool
            part = {"functionCall": {"name": name, "args": dict(call.arguments)}}
        read, written = _tokens(call, turn)
        used = {"promptTokenCount": read, "candidatesTokenCount": written, "totalTokenCount": read + written}
        said = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        whole = {"candidates": [said], "usageMetadata": used, "modelVersion": "scripted", "responseId": f"r{turn}"}
        if "stream" in path:
            return _streamed([("", whole)])
        return ScriptedAnswer(json.dumps(whole).encode(), "application/json")


def _items(body: Body, name: str) -> Iterator[Body]:
    """Yield the objects of a list in a request; a request is whatever was sent here."""
    found = body.get(name)
    return (one for one in (found if isinstance(found, list) else []) if isinstance(one, Mapping))


def _tokens(call: Call | None, turn: int) -> tuple[int, int]:
    """Return what an answer is said to have read and written: a conversation grows, and a call is as long as it is."""
    return 1_000 + 90 * turn, 30 + sum(map(len, call.arguments.values()) if call is not None else ())


def _streamed(events: Sequence[tuple[str, Event]]) -> ScriptedAnswer:
    lines = ((f"event: {name}\n" if name else "") + f"data: {json.dumps(one)}\n\n" for name, one in events)
    return ScriptedAnswer("".join(lines).encode(), "text/event-stream")
