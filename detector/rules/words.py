"""Words of tools' names and patterns of texts, by which rules read: data, in ``words.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import re2

from detector.schema.event import Event

Group = Literal["outside", "private", "send", "irreversible", "writing", "money", "server"]
"""What a tool does, told by its name."""
MOST_NAMES: Final = 4_096
"""Names of tools whose words are kept; with more all are forgotten and found anew, which changes no answer."""
ATTRIBUTES: Final = ("dangerouslyDisableSandbox", "sandbox_outcome", "mcp_server_name", "mcp.target")
"""Names of attributes that rules of tool calls look for: read with the texts, that nobody looks into each event."""


class Pattern(NamedTuple):
    """A thing that texts tell of; `alone`: once is enough."""

    name: str
    matches: Any
    alone: bool

    def is_in(self, texts: Sequence[str]) -> bool:
        """Tell whether any of the texts has it."""
        return any(self.matches.search(one) is not None for one in texts)


def _compiled(pattern: str, *, of_bytes: bool = False) -> Any:  # noqa: ANN401 - re2 ships no types
    """Return a pattern of RE2 that knows no case: linear in what it is given, whatever that is."""
    options = re2.Options()
    options.case_sensitive = False
    if of_bytes:
        options.encoding = re2.Options.Encoding.LATIN1
        return re2.compile(pattern.encode(), options)
    return re2.compile(pattern, options)


_RAW: Final = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
_GROUPS: Final[dict[Group, frozenset[str]]] = {name: frozenset(words) for name, words in _RAW["names"].items()}


def _patterns(kind: str) -> tuple[Pattern, ...]:
    return tuple(Pattern(one["name"], _compiled(one["pattern"]), one.get("alone", False)) for one in _RAW[kind])


SECRETS: Final = _patterns("secret")
"""Stores of credentials."""
SHELLS: Final = _patterns("shell")
"""Commands that no ordinary errand needs."""
_PIECES: Final = [piece for kind in ("secret", "shell") for one in _RAW[kind] for piece in one["has"]]
_WATCHED: Final = _compiled("|".join(map(re2.escape, (*_PIECES, *ATTRIBUTES))), of_bytes=True)
_known: Final[dict[str, frozenset[Group]]] = {}


def is_watched(texts: bytes) -> bool:
    """Tell whether a piece of any pattern, or an attribute's name, is in packed texts."""
    return _WATCHED.search(texts) is not None


def words_of(name: str) -> frozenset[str]:
    """Return the words of a tool's name, in lower case.

    Examples
    --------
    >>> sorted(words_of("mcp__mail__sendEmail"))
    ['email', 'mail', 'mcp', 'send']
    """
    return frozenset(word.lower() for word in _split(name))


def _split(name: str) -> Iterator[str]:
    for part in re.split(r"[^A-Za-z]+", name):
        yield from re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part)


def groups_of(name: str) -> frozenset[Group]:
    """Return what a tool does, as far as its name tells; the answer is kept.

    Examples
    --------
    >>> sorted(groups_of("git_push")), sorted(groups_of("read_file"))
    (['send'], [])
    """
    found = _known.get(name)
    if found is None:
        words = words_of(name)
        found = frozenset(group for group, known in _GROUPS.items() if words & known)
        if len(_known) >= MOST_NAMES:
            _known.clear()
        _known[name] = found
    return found


def found_in(patterns: Sequence[Pattern], texts: Sequence[str]) -> Pattern | None:
    """Return the first pattern that any of the texts has."""
    for one in patterns:
        if one.is_in(texts):
            return one
    return None


def is_private(event: Event) -> bool:
    """Tell whether an event is about data that should not go out: by its class, or the name of the tool."""
    if event.data_class is not None:
        return event.data_class.lower() in PRIVATE_CLASSES
    return "private" in groups_of(event.name)


PRIVATE_CLASSES: Final = frozenset(
    {
        "confidential", "credential", "credentials", "customer", "financial", "health", "highly_confidential", "hr",
        "internal", "payment", "pci", "personal", "phi", "pii", "private", "restricted", "secret", "sensitive",
    }
)  # fmt: skip
"""Classes of data that should not go out, as classifications call them."""
