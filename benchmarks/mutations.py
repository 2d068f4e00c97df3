"""Places of a module where Cosmic Ray, or a rule of our own, can make one small wrong change."""

from __future__ import annotations

import ast
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parso.python.tree
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator, operator_names

from detector import _KERNEL_FILES, _KERNEL_ROOMS

Position = tuple[int, int]
Node = Any
"""A node of parso's tree, as Cosmic Ray hands it out."""

_LEFT_ALONE = re.compile(
    r"core/RemoveDecorator"  # a kernel without its decorator is the same kernel in plain Python
    r"|core/ReplaceComparisonOperator_(?!Is).*_Is(Not)?"  # nobody writes `n is 3`
)


class LeaveOutCall(Operator):  # type: ignore[misc]
    """Leave out a call whose result nobody keeps: a message not sent, a step not taken, something not awaited."""

    def mutation_positions(self, node: Node) -> Iterator[tuple[Position, Position]]:
        """Yield the place of a statement that is one call."""
        if node.type == "simple_stmt" and node.children[0].type in {"atom_expr", "power", "await_expr"}:
            call = node.children[0]
            if call.children[-1].type == "trailer" and call.children[-1].children[0].value == "(":
                yield call.start_pos, call.end_pos

    def mutate(self, node: Node, index: int) -> Node:  # noqa: ARG002 - the form that Cosmic Ray asks for
        """Return the statement with ``pass`` in the call's place."""
        call = node.children[0]
        node.children[0] = parso.python.tree.Keyword("pass", call.start_pos, prefix=call.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """Return what the change looks like."""
        return (Example("f(1)\n", "pass\n"), Example("await a.b()\n", "pass\n"))


@dataclass(frozen=True, slots=True)
class Change:
    """One operator and its occurrence in the module."""

    operator: str
    occurrence: int


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a module, and all that can be changed there."""

    file: Path
    name: str
    line: int
    source: str
    changes: tuple[Change, ...]
    in_kernels: bool

    @property
    def module(self) -> str:
        """The dotted name of the module."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def operators() -> dict[str, Any]:
    """Return every operator by its name: Cosmic Ray's that need no arguments, and ours."""
    made = {name: get_operator(name) for name in operator_names() if not _LEFT_ALONE.fullmatch(name)}
    made = {name: one for name, one in made.items() if not one.arguments()}
    return {name: one() for name, one in {**made, "ours/LeaveOutCall": LeaveOutCall}.items()}


def _spans(source: str) -> list[tuple[Position, Position]]:
    """Return the parts of a source that only a reader or a type checker sees: annotations, decorators, type names."""
    hidden: list[ast.AST | None] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            hidden += [*node.decorator_list, node.returns]
        elif isinstance(node, ast.ClassDef):
            hidden += node.decorator_list
        elif isinstance(node, ast.arg | ast.AnnAssign):
            hidden.append(node.annotation)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            hidden.append(node)
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))  # type: ignore[attr-defined]
        for node in hidden
        if node is not None
    ]


def places_of(file: Path, root: Path) -> list[Place]:
    """Return the places of a module where something can be changed, in their order."""
    source = file.read_text(encoding="utf-8")
    hidden, tree = _spans(source), get_ast(source)
    found: dict[tuple[Position, Position], list[Change]] = defaultdict(list)
    for name, operator in operators().items():
        count = 0
        for node in ast_nodes(tree):
            for begin, end in operator.mutation_positions(node):
                if not any(first <= begin < last for first, last in hidden):
                    found[begin, end].append(Change(name, count))
                count += 1
    relative = file.relative_to(root).as_posix()
    # also a module without a kernel: its constants are frozen into the compiled ones
    kernels = relative.split("/")[1] in _KERNEL_ROOMS or relative.split("/", 1)[1] in _KERNEL_FILES
    return [Place(file, relative, begin[0], source, tuple(found[begin, end]), kernels) for begin, end in sorted(found)]


def changed(place: Place, change: Change) -> str | None:
    """Return the source with one change made, None if it cannot be made or is no Python."""
    operator = LeaveOutCall() if change.operator == "ours/LeaveOutCall" else get_operator(change.operator)()
    try:
        text: str | None = mutate_code(place.source, operator, change.occurrence)
    except AttributeError:  # the tool looks for plain names only: `except (msgspec.DecodeError, ...)` has none
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", SyntaxWarning)
        try:
            compile(text or "", str(place.file), "exec", dont_inherit=True)
        except SyntaxError:
            return None
    return text
