"""Words of tools' names and patterns of texts, by which rules read: data, in ``words.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

import re2

from detector.schema.event import Event

Group = Literal["outside", "private", "send", "irreversible", "writing", "money", "server"]
"""What a tool does, told by its name."""
BIT_OF: Final[dict[Group, int]] = {group: 1 << place for place, group in enumerate(get_args(Group))}
"""The bit of each of them."""
_SETS: Final = [frozenset(group for group, bit in BIT_OF.items() if byte & bit) for byte in range(256)]
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


def _compiled(pattern: str) -> Any:  # noqa: ANN401 - re2 ships no types
    """Return a pattern of RE2 that knows no case: linear in what it is given, whatever that is."""
    options = re2.Options()
    options.case_sensitive = False
    return re2.compile(pattern, options)


_RAW: Final = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
_GROUPS: Final[dict[Group, frozenset[str]]] = {name: frozenset(words) for name, words in _RAW["names"].items()}


PIECES: Final = (*(piece for kind in ("secret", "shell") for one in _RAW[kind] for piece in one["has"]), *ATTRIBUTES)
"""Pieces of text by which an event is picked out, before any pattern is tried."""


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


class _Names(dict[str, int]):
    """What names tell, as a byte with a bit a group; a name that is asked for the first time is taken apart."""

    def __missing__(self, name: str) -> int:
        if len(self) >= MOST_NAMES:
            self.clear()
        words = words_of(name)
        self[name] = found = sum(BIT_OF[group] for group, known in _GROUPS.items() if words & known)
        return found


_known: Final = _Names()


def bytes_of(names: Sequence[str]) -> bytes:
    """Return of each name a byte: the bits of the groups it has a word of. The answers are kept."""
    return bytes(map(_known.__getitem__, names))


def groups_of(name: str) -> frozenset[Group]:
    """Return what a tool does, as far as its name tells.

    Examples
    --------
    >>> sorted(groups_of("git_push")), sorted(groups_of("read_file"))
    (['send'], [])
    """
    return _SETS[_known[name]]


class TextPatterns(NamedTuple):
    """Things that texts tell of; `any_of`: one pattern of all, for most texts have none."""

    every: tuple[Pattern, ...]
    any_of: Any

    def in_texts(self, texts: Sequence[str]) -> list[Pattern]:
        """Return which of them are in any of the texts, in the order of the file."""
        if not any(self.any_of.search(one) is not None for one in texts):
            return []
        return [one for one in self.every if one.is_in(texts)]


def _patterns(kind: str) -> TextPatterns:
    every = (Pattern(one["name"], _compiled(one["pattern"]), one.get("alone", False)) for one in _RAW[kind])
    return TextPatterns(tuple(every), _compiled("|".join(f"(?:{one['pattern']})" for one in _RAW[kind])))


SECRETS: Final = _patterns("secret")
"""Stores of credentials."""
SHELLS: Final = _patterns("shell")
"""Commands that no ordinary errand needs."""


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
