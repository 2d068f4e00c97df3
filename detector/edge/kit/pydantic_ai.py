"""A capability for pydantic-ai: what an agent's run tells of itself goes to a recorder.

Hand it to an agent, or to one run: ``Agent(..., capabilities=[KitCapability(recorder)])``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred
from pydantic_ai.messages import ModelResponse, ToolCallPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition

from detector.edge.kit.acts import definition_hash
from detector.edge.kit.conversation import CallNote, Conversation, ModelAnswer
from detector.edge.kit.recorder import Recorder
from detector.schema.event import Outcome


class KitCapability(AbstractCapability[Any]):
    """Tell a recorder of models, tools, and the user's words. Changes nothing, raises nothing of its own.

    A call whose arguments were refused is written as an error; one that waits for a human's approval as denied, and
    again when it is carried out. Tools that the model's host runs call no hook and are not seen.

    Parameters
    ----------
    recorder : Recorder
        Writes the events.
    session_id : str, optional
        The conversation; else the one that the run names.
    """

    def __init__(self, recorder: Recorder, session_id: str | None = None) -> None:
        self._recorder = recorder
        self._session = session_id

    async def wrap_model_request(
        self,
        ctx: RunContext[Any],
        *,
        request_context: ModelRequestContext,
        handler: Any,
    ) -> ModelResponse:
        """Hear what the model is given, ask it, and write that it answered, or did not."""
        begun = self._recorder.writer.clock()
        with self._recorder.writer.guard():
            _hear(self._talk(ctx), request_context.messages)
        name = str(getattr(request_context.model, "model_name", None) or "unknown")
        try:
            answer: ModelResponse = await handler(request_context)
        except BaseException:
            self._answered(ctx, ModelAnswer(name, duration_ms=self._since(begun), outcome="error"))
            raise
        with self._recorder.writer.guard():
            used = answer.usage
            made = ModelAnswer(answer.model_name or name, used.input_tokens, used.output_tokens, self._since(begun))
            self._answered(ctx, made)
        return answer

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: Any,
    ) -> Any:
        """Write a tool's call with how it ended."""
        call_id = uuid.uuid4().hex
        with self._recorder.writer.guard():
            self._called(ctx, call_id, tool_def, args)
        try:
            result = await handler(args)
        except BaseException as exc:
            outcome: Outcome = "denied" if isinstance(exc, CallDeferred | ApprovalRequired) else "error"
            with self._recorder.writer.guard():
                self._talk(ctx).returned(call_id, [str(one) for one in exc.args], outcome=outcome)
            raise
        with self._recorder.writer.guard():
            self._talk(ctx).returned(call_id, getattr(result, "return_value", result))
        return result

    async def on_tool_validate_error(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: str | dict[str, Any],
        error: Any,
    ) -> dict[str, Any]:
        """Write a call whose arguments were refused: it was tried."""
        with self._recorder.writer.guard():
            call_id = uuid.uuid4().hex
            self._called(ctx, call_id, tool_def, args)
            self._talk(ctx).returned(call_id, outcome="error")
        raise error

    def _called(self, ctx: RunContext[Any], call_id: str, tool: ToolDefinition, args: str | dict[str, Any]) -> None:
        digest = definition_hash(tool.name, tool.description, tool.parameters_json_schema)
        self._talk(ctx).called(call_id, tool.name, args, CallNote(digest, instance=_name_of(ctx)))

    def _talk(self, ctx: RunContext[Any]) -> Conversation:
        return self._recorder.conversation(self._session or ctx.conversation_id or ctx.run_id)

    def _answered(self, ctx: RunContext[Any], answer: ModelAnswer) -> None:
        with self._recorder.writer.guard():
            self._talk(ctx).model_answered(answer, instance=_name_of(ctx))

    def _since(self, begun: float) -> float:
        return max(0.0, self._recorder.writer.clock() - begun) * 1_000


def _name_of(ctx: RunContext[Any]) -> str | None:
    return None if ctx.agent is None else ctx.agent.name


def _hear(talk: Conversation, messages: Iterable[Any]) -> None:
    """Hear the user's parts and what tools returned; what models and instructions say is nobody's origin."""
    for message in messages:
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                talk.user_said(part.content)
            elif isinstance(part, ToolReturnPart) and not _repeats(part):
                talk.tool_said(part.content)


def _repeats(part: ToolReturnPart) -> bool:
    """Return whether a tool's part only tells the model which of its own arguments were refused."""
    return part.outcome == "retried" and not isinstance(part.content, str)
