"""What is remembered of open traces: a span's parent, agent and conversation, and what its children told. Bounded."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from msgspec import Struct

MAX_TRACES: Final = 4_096
"""Traces remembered, the ones seen last."""
MAX_SPANS: Final = 2_048
"""Spans remembered of one trace, the first ones; later ones are mapped with what they say themselves."""
MAX_NODES: Final = 32_768
"""Spans remembered in all: the traces seen longest ago make room."""
MAX_CHAIN: Final = 64
"""Spans between a span and its agent that are looked at: a chain that closes on itself ends here."""
MAX_MARKS: Final = 8
MAX_SESSIONS: Final = 16_384
"""Sessions told by log records that are remembered, the ones seen last."""


class Node(Struct, eq=False, gc=False):
    """What is known of a span."""

    parent: str = ""
    agent: str | None = None
    session: str | None = None
    marks: frozenset[str] = frozenset()


class Traces:
    """The open traces, and the sessions that log records tell.

    At most :data:`MAX_TRACES` traces of :data:`MAX_SPANS` spans, :data:`MAX_NODES` spans in all. A flood of made-up
    traces pushes out others', whose spans then fall back to what they say themselves: an agent is named less exactly,
    never lost.
    """

    def __init__(self) -> None:
        self._traces: OrderedDict[str, dict[str, Node]] = OrderedDict()
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._nodes = 0

    def note(self, trace: str, span: str, node: Node, marks: frozenset[str]) -> None:
        """Remember a span, and put its marks on the span above it."""
        spans = self._traces.get(trace)
        if spans is None:
            spans = self._traces[trace] = {}
        else:
            self._traces.move_to_end(trace)
        before = len(spans)
        self._add(spans, span, node, marks)
        self._nodes += len(spans) - before
        while len(self._traces) > MAX_TRACES or (self._nodes > MAX_NODES and len(self._traces) > 1):
            self._nodes -= len(self._traces.popitem(last=False)[1])

    @staticmethod
    def _add(spans: dict[str, Node], span: str, node: Node, marks: frozenset[str]) -> None:
        """Put a span into its trace, and its marks on the span above it."""
        known = spans.get(span)
        if known is not None:
            node.marks = known.marks
        elif len(spans) >= MAX_SPANS:
            return
        spans[span] = node
        if marks and node.parent:
            above = spans.get(node.parent)
            if above is None:
                if len(spans) >= MAX_SPANS:
                    return
                above = spans[node.parent] = Node()
            if len(above.marks) < MAX_MARKS:
                above.marks |= marks

    def children(self, trace: str, span: str) -> frozenset[str]:
        """Return the marks that spans below one have left so far."""
        node = self._traces.get(trace, {}).get(span)
        return frozenset() if node is None else node.marks

    def chain(self, trace: str, span: str) -> list[Node]:
        """Return what is known of a span and of the spans above it, from below."""
        spans = self._traces.get(trace)
        found: list[Node] = []
        if spans is None:
            return found
        for _ in range(MAX_CHAIN):
            node = spans.get(span)
            if node is None:
                break
            found.append(node)
            if not node.parent:
                break
            span = node.parent
        return found

    def tell(self, product: str, session: str) -> None:
        """Remember that log records of a product tell of a session."""
        self._told[product, session] = None
        self._told.move_to_end((product, session))
        if len(self._told) > MAX_SESSIONS:
            self._told.popitem(last=False)

    def is_told(self, product: str, session: str) -> bool:
        """Return whether log records of a product told of a session."""
        return (product, session) in self._told
