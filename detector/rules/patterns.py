"""Declared names as something that matches: a plain text is itself, `*` any run, and ``re:`` begins an RE2 expression.

RE2 takes time in proportion to the text, whatever the expression: an entry of the registry cannot stop a partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import re2

from detector.schema.registry import EXPRESSION

_MOST_MEMORY: Final = 1 << 20
"""Bytes the compiled patterns of one list may take; RE2's own bound is eight times as much."""


def _any_of(declared: Sequence[str]) -> Any | None:  # noqa: ANN401 - re2 has no types
    """Return declared patterns as one expression, None of none."""
    return _compiled("|".join(f"(?:{expression_of(one)})" for one in declared), "all together") if declared else None


def _is_whole(expression: Any | None, name: str) -> bool:  # noqa: ANN401
    """Tell whether an expression matches a name from end to end; half of a character is in no name."""
    try:
        return expression is not None and expression.fullmatch(name) is not None
    except UnicodeEncodeError:
        return False


class Patterns:
    """Declared names of one list, compiled; each must match a name from end to end, upper and lower case apart.

    Parameters
    ----------
    declared : iterable of str
        Names, patterns and expressions, as an entry of the registry has them.

    Raises
    ------
    ValueError
        One of them is no expression that RE2 takes, or all together are too large.

    Examples
    --------
    >>> tools = Patterns(["send_mail", "read_*", "re:get_[a-z]+"])
    >>> [tools.allows(name) for name in ("send_mail", "read_file", "get_me", "get_2", "send_mail2")]
    [True, True, True, False, False]
    """

    __slots__ = ("_begun", "_names", "_rest")

    def __init__(self, declared: Iterable[str]) -> None:
        names, rest = [], []
        for one in declared:
            if is_plain(one):
                names.append(one)
            else:
                rest.append(one)
        self._names = frozenset(names)
        self._rest = _any_of(rest)
        # those that begin with a letter of their own: what stands before a comma is theirs as well
        self._begun = _any_of([one for one in rest if not one.startswith(("*", EXPRESSION))])

    def allows(self, name: str) -> bool:
        """Tell whether one of the declared names matches a name."""
        return name in self._names or _is_whole(self._rest, name)

    def allows_each(self, name: str) -> bool:
        """Tell whether the declared names match each of several targets in a text, or name the text as it is.

        A `*` reaches over commas: ``*@corp.example`` would match ``thief@else.example, bo@corp.example``. In a path or
        an address of the web a comma may be a letter like others, if what matches begins as the text does.

        Examples
        --------
        >>> mail, web = Patterns(["*@corp.example"]), Patterns(["https://api.corp.example/*"])
        >>> mail.allows_each("bo@corp.example, al@corp.example"), mail.allows_each("x@else.example, bo@corp.example")
        (True, False)
        >>> web.allows_each("https://api.corp.example/points/1,2"), web.allows_each("x, https://api.corp.example/a")
        (True, False)
        """
        if "," not in name or name in self._names or ("/" in name and _is_whole(self._begun, name)):
            return self.allows(name)
        return all(self.allows(one.strip()) for one in name.split(","))


def is_plain(declared: str) -> bool:
    """Tell whether a declared name matches itself alone.

    Examples
    --------
    >>> is_plain("send.mail"), is_plain("send*"), is_plain("re:send")
    (True, False, False)
    """
    return not declared.startswith(EXPRESSION) and "*" not in declared


def expression_of(declared: str) -> str:
    """Return a declared name as an RE2 expression that must match from end to end.

    Raises
    ------
    ValueError
        RE2 does not take it.
    """
    if declared.startswith(EXPRESSION):
        expression = declared[len(EXPRESSION) :]
        _compiled(expression, repr(declared))
        return expression
    return "(?s:.*)".join(str(re2.escape(part)) for part in declared.split("*"))


def _compiled(expression: str, which: str) -> Any:  # noqa: ANN401 - re2 has no types
    options = re2.Options()
    options.max_mem, options.log_errors, options.never_capture = _MOST_MEMORY, False, True
    try:
        return re2.compile(expression, options)
    except (re2.error, UnicodeEncodeError) as error:
        fault = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(
            f"declared names must be texts, patterns with * or RE2 expressions behind {EXPRESSION}, got {which} "
            f"which RE2 refuses: {fault}"
        ) from error
