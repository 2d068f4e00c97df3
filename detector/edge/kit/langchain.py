"""Callbacks of LangChain and LangGraph: what a run tells of itself goes to a recorder.

Hand them to a run, not to one tool: ``agent.invoke(..., config={"callbacks": [KitCallbacks(recorder)]})``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from detector.edge.kit.conversation import CallNote, Conversation, ModelAnswer
from detector.edge.kit.recorder import Recorder
from detector.schema.event import Outcome

MOST_RUNS: Final = 4_096
"""Runs that are known as parts of others; of older ones a part is a conversation of its own."""
SESSIONS: Final = ("session_id", "thread_id", "conversation_id")
"""What names a conversation in a run's metadata, the surest first."""
ASKED: Final = ("input", "question", "query")
"""What holds the user's words in the input of a run that is given no messages."""
RETRIEVER: Final = "retriever"


class _Run(NamedTuple):
    session: str
    begun: float
    model: str = "unknown"
    instance: str | None = None


class KitCallbacks(BaseCallbackHandler):
    """Tell a recorder of models, tools, retrievers, and the user's words. Raises nothing, waits for nothing.

    Conversations are named by `session_id`, by metadata of the run (``session_id``, ``thread_id``,
    ``conversation_id``), or else by the outermost run.

    Parameters
    ----------
    recorder : Recorder
        Writes the events.
    session_id : str, optional
        Of all runs these callbacks are given to.
    """

    run_inline = True  # in an event loop too: what came first is told first

    def __init__(self, recorder: Recorder, session_id: str | None = None) -> None:
        self._recorder = recorder
        self._session = session_id
        self._runs: OrderedDict[UUID, _Run] = OrderedDict()

    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: object,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember what a run belongs to; of its input, messages are the user's words or outputs."""
        with self._recorder.writer.guard():
            talk = self._begin(run_id, parent_run_id, metadata)
            if parent_run_id is None and isinstance(inputs, Mapping):
                _hear(talk, inputs.get("messages"))
                talk.user_said([inputs[name] for name in ASKED if isinstance(inputs.get(name), str)])
            elif parent_run_id is None and isinstance(inputs, str):
                talk.user_said(inputs)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Hear the messages: the user's, and what tools returned before these callbacks came."""
        with self._recorder.writer.guard():
            talk = self._begin(run_id, parent_run_id, metadata)
            for one in messages:
                _hear(talk, one)

    def on_llm_start(
        self,
        serialized: dict[str, Any] | None,
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a call of a model that takes text; a prompt inside a run holds the model's own words: not heard."""
        with self._recorder.writer.guard():
            talk = self._begin(run_id, parent_run_id, metadata)
            if parent_run_id is None:
                talk.user_said(prompts)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Write that a model answered."""
        with self._recorder.writer.guard():
            message = getattr(response.generations[0][0], "message", None)
            used = getattr(message, "usage_metadata", None) or {}
            named = (getattr(message, "response_metadata", None) or {}).get("model_name")
            self._answered(run_id, ModelAnswer(named or "", used.get("input_tokens"), used.get("output_tokens")))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Write that a model did not answer."""
        with self._recorder.writer.guard():
            self._answered(run_id, ModelAnswer("", outcome="error"))

    def on_tool_start(  # noqa: PLR0913 - LangChain's signature
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a tool's call."""
        with self._recorder.writer.guard():
            talk = self._begin(run_id, parent_run_id, metadata)
            name = str((serialized or {}).get("name") or kwargs.get("name") or "unknown")
            arguments = inputs if inputs is not None else input_str
            talk.called(str(run_id), name, arguments, CallNote(instance=self._runs[run_id].instance))

    def on_tool_end(self, output: object, *, run_id: UUID, **kwargs: Any) -> None:
        """End a tool's call; its message says whether it failed."""
        with self._recorder.writer.guard():
            outcome: Outcome = "error" if getattr(output, "status", None) == "error" else "ok"
            said = output.content if isinstance(output, BaseMessage) else output
            self._of(run_id).returned(str(run_id), said, outcome=outcome)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """End a tool's call that raised: models are often shown what it said."""
        with self._recorder.writer.guard():
            self._of(run_id).returned(str(run_id), [str(one) for one in error.args], outcome="error")

    def on_retriever_start(
        self,
        serialized: dict[str, Any] | None,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin a retrieval; the query is what somebody wrote, and not kept."""
        with self._recorder.writer.guard():
            talk = self._begin(run_id, parent_run_id, metadata)
            name = (serialized or {}).get("name") or kwargs.get("name") or RETRIEVER
            talk.called(str(run_id), str(name), {"query": query}, CallNote(instance=self._runs[run_id].instance))

    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **kwargs: Any) -> None:
        """End a retrieval; each document is heard by itself, so that it is known again inside a prompt."""
        with self._recorder.writer.guard():
            talk = self._of(run_id)
            for one in documents:
                talk.tool_said(one.page_content)
            talk.returned(str(run_id), [one.page_content for one in documents])

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """End a retrieval that raised."""
        with self._recorder.writer.guard():
            self._of(run_id).returned(str(run_id), outcome="error")

    def _begin(self, run_id: UUID, parent: UUID | None, metadata: Mapping[str, Any] | None) -> Conversation:
        known = metadata or {}
        above = None if parent is None else self._runs.get(parent)
        named = next((str(known[one]) for one in SESSIONS if known.get(one)), None)
        session = self._session or named or (above.session if above else str(parent or run_id))
        instance = known.get("lc_agent_name") or (above.instance if above else None)
        run = _Run(session, self._recorder.writer.clock(), str(known.get("ls_model_name") or "unknown"), instance)
        self._runs[run_id] = run
        while len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)
        return self._recorder.conversation(session)

    def _of(self, run_id: UUID) -> Conversation:
        run = self._runs.get(run_id)
        return self._recorder.conversation(self._session or (run.session if run else str(run_id)))

    def _answered(self, run_id: UUID, answer: ModelAnswer) -> None:
        run = self._runs.get(run_id)
        now = self._recorder.writer.clock()
        took = None if run is None else max(0.0, now - run.begun) * 1_000
        model = answer.model or (run.model if run else "unknown")
        made = answer._replace(model=model, duration_ms=took)
        self._of(run_id).model_answered(made, instance=run.instance if run else None)


def _hear(talk: Conversation, messages: object) -> None:
    """Hear the user's and the tools' messages; what models and system prompts say is nobody's origin."""
    if not isinstance(messages, Iterable) or isinstance(messages, str):
        return
    for message in messages:
        kind = getattr(message, "type", None)
        if kind == "human":
            talk.user_said(message.content)
        elif kind == "tool":
            talk.tool_said(message.content)
        elif isinstance(message, tuple | list) and len(message) == 2 and message[0] in {"human", "user"}:
            talk.user_said(message[1])
        elif isinstance(message, Mapping) and message.get("role") in {"human", "user"}:
            talk.user_said(message.get("content"))
