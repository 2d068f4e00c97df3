"""Run hooks of the OpenAI Agents SDK: what a run tells of itself goes to a recorder.

Hand them to a run: ``Runner.run(agent, words, hooks=KitHooks(recorder, session_id))``.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agents import Agent, ModelResponse, RunContextWrapper, RunHooks, Tool
from agents.tool_context import ToolContext

from detector.edge.kit.acts import definition_hash
from detector.edge.kit.conversation import CallNote, Conversation, ModelAnswer
from detector.edge.kit.recorder import Recorder

MOST_BEGUN: Final = 256
"""Calls of models and of nameless tools that have not ended."""


class KitHooks(RunHooks[Any]):
    """Tell a recorder of models, tools, handoffs, and the user's words. Raises nothing, waits for nothing.

    A tool that fails is shown to the model as an ordinary output unless it raises out of the run: its outcome is then
    ``ok`` in the SDK's own hooks, and so it is here. Tools that the model's host runs (web search, code interpreter)
    call no hook and are not seen.

    Parameters
    ----------
    recorder : Recorder
        Writes the events.
    session_id : str
        The conversation of the runs that these hooks are given to.
    """

    def __init__(self, recorder: Recorder, session_id: str) -> None:
        self._recorder = recorder
        self._session = session_id
        self._begun: OrderedDict[tuple[str, int], tuple[str, float]] = OrderedDict()

    async def on_llm_start(
        self,
        context: RunContextWrapper[Any],
        agent: Agent[Any],
        system_prompt: str | None,
        input_items: Iterable[Any],
    ) -> None:
        """Hear the user's words and what tools returned, from the items that the model is given."""
        with self._recorder.writer.guard():
            _hear(self._talk, input_items)
            self._begin("model", id(context))

    async def on_llm_end(self, context: RunContextWrapper[Any], agent: Agent[Any], response: ModelResponse) -> None:
        """Write that a model answered."""
        with self._recorder.writer.guard():
            begun = self._begun.pop(("model", id(context)), None)
            took = None if begun is None else max(0.0, self._recorder.writer.clock() - begun[1]) * 1_000
            used = response.usage
            answer = ModelAnswer(_model_of(agent), used.input_tokens, used.output_tokens, took)
            self._talk.model_answered(answer, instance=agent.name)

    async def on_tool_start(self, context: RunContextWrapper[Any], agent: Any, tool: Tool) -> None:
        """Begin a tool's call."""
        with self._recorder.writer.guard():
            arguments = context.tool_arguments if isinstance(context, ToolContext) else {}
            schema = getattr(tool, "params_json_schema", None)
            described = getattr(tool, "description", None)
            note = CallNote(definition_hash(tool.name, described, schema), instance=agent.name)
            self._talk.called(self._begin("tool", id(context), context), tool.name, arguments, note)

    async def on_tool_end(
        self,
        context: RunContextWrapper[Any],
        agent: Any,
        tool: Tool,
        result: object,
    ) -> None:
        """End a tool's call."""
        with self._recorder.writer.guard():
            call_id, _ = self._begun.pop(("tool", id(context)), ("", 0.0))
            self._talk.returned(call_id, result)

    async def on_handoff(self, context: RunContextWrapper[Any], from_agent: Any, to_agent: Any) -> None:
        """Write that another agent goes on."""
        with self._recorder.writer.guard():
            self._talk.handed_over(to_agent.name, instance=from_agent.name)

    @property
    def _talk(self) -> Conversation:
        return self._recorder.conversation(self._session)

    def _begin(self, what: str, at: int, context: object = None) -> str:
        """Remember when something began, and what it goes by: a call's id is the model's and may come twice."""
        named = getattr(context, "tool_call_id", None) or ""
        call_id = f"{named}:{uuid.uuid4().hex}"
        self._begun[(what, at)] = (call_id, self._recorder.writer.clock())
        while len(self._begun) > MOST_BEGUN:
            self._begun.popitem(last=False)
        return call_id


def _model_of(agent: Agent[Any]) -> str:
    """Return the name of an agent's model; that of its class where it has none."""
    if isinstance(agent.model, str):
        return agent.model
    return str(getattr(agent.model, "model", None) or type(agent.model).__name__)


def _hear(talk: Conversation, items: Iterable[Any]) -> None:
    """Hear the user's items and the outputs of tools; what models, developers and systems say is nobody's origin."""
    for item in items:
        if not isinstance(item, Mapping):
            continue
        if item.get("role") == "user":
            talk.user_said(_words(item.get("content")))
        elif str(item.get("type", "")).endswith("_output"):
            talk.tool_said(_words(item.get("output")))


def _words(content: Any) -> Any:
    if isinstance(content, list):
        return [part.get("text") if isinstance(part, Mapping) and "text" in part else part for part in content]
    return content
