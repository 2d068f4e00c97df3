"""Declared names as something that matches: a plain text is itself, `*` any run, and ``re:`` begins an RE2 expression.

RE2 takes time in proportion to the text, whatever the expression: an entry of the registry cannot stop a partition.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import re2

from detector.schema.registry import EXPRESSION

_MOST_MEMORY: Final = 1 << 20
"""Bytes the compiled patterns of one list may take; RE2's own bound is eight times as much."""


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

    __slots__ = ("_names", "_rest")

    def __init__(self, declared: Iterable[str]) -> None:
        names, rest = [], []
        for one in declared:
            if is_plain(one):
                names.append(one)
            else:
                rest.append(expression_of(one))
        self._names = frozenset(names)
        self._rest = _compiled("|".join(f"(?:{one})" for one in rest), "all together") if rest else None

    def allows(self, name: str) -> bool:
        """Tell whether one of the declared names matches a name."""
        if name in self._names:
            return True
        if self._rest is None:
            return False
        try:
            return self._rest.fullmatch(name) is not None
        except UnicodeEncodeError:  # half of a character: no name
            return False


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
