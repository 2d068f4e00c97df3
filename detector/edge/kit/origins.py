"""Where an argument's value came from: the user's words, a tool's output, or neither; told by comparing texts.

Compared are words as they stand, after case, spaces, invisible signs and escapes are taken away. Who writes a
value in other words (paraphrase, base64, another language, one letter at a time) is not found: it came from nowhere.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import deque
from html import unescape
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote

from detector.schema.event import Origin

MOST_TEXT: Final = 65_536
"""Characters of one text that are remembered, its beginning."""
MOST_USER: Final = 32_768
"""Characters of what the user said in a conversation."""
MOST_TOOLS: Final = 131_072
"""Characters of what tools returned in a conversation."""
LEAST_WHOLE: Final = 3
"""Characters of a value that is looked for: shorter ones stand everywhere by chance."""
LEAST_PART: Final = 6
"""Characters of a word of a value that is looked for where the whole value is not found."""
LEAST_QUOTE: Final = 32
"""Characters of an output that is taken out of the user's words where it stands in them whole."""
MOST_PARTS: Final = 16
MOST_NODES: Final = 4_096
"""Members of a structured output that are read."""
MOST_NESTED: Final = 2
"""JSON texts inside JSON texts that are read."""
_QUOTE: Final = " \N{HORIZONTAL ELLIPSIS} "
_TRIES: Final = 64
_WORDS: Final = re.compile(r"[^\W_](?:[\w-]*[^\W_])?")
_PIECES: Final = re.compile(r"[^\W_](?:[\w.@+-]*[^\W_])?")
_GRAVEST: Final[tuple[Origin | None, ...]] = ("tool", None, "none", "user")
_SPACES: Final = re.compile(r"\s+")


def texts_of(value: object) -> tuple[str, bool]:
    r"""Return the texts inside what a tool returned, a line each, and whether these are all.

    JSON in a text is read as well: a sign written as an escape is still the sign that a model reads.

    Examples
    --------
    >>> texts_of({"mail": ["a@b.c", 7]})
    ('mail\na@b.c\n7', True)
    """
    found: list[str] = []
    room, is_read = MOST_TEXT, True
    rest: deque[tuple[object, int]] = deque([(value, 0)])
    for _ in range(MOST_NODES):
        if not rest or room <= 0:
            break
        node, depth = rest.popleft()
        if isinstance(node, dict):
            pairs = list(islice(node.items(), MOST_NODES))
            rest.extendleft((one, depth) for pair in reversed(pairs) for one in reversed(pair))
        elif isinstance(node, list | tuple | set | frozenset):
            rest.extendleft((one, depth) for one in reversed(list(islice(node, MOST_NODES))))
        elif isinstance(node, str):
            is_whole = len(node) <= room
            found.append(node[:room])
            room -= len(node)
            if is_whole and depth < MOST_NESTED and (inner := _json(node)) is not None:
                rest.append((inner, depth + 1))
        elif node is not None:
            plain = _plain(node)
            is_read = is_read and plain is not None
            rest.appendleft((plain, MOST_NESTED))
    return "\n".join(found), is_read and not rest and room >= 0


def _plain(node: object) -> Any:  # noqa: ANN401 - whatever the library holds
    """Return an object of a library as members or as text; None if it cannot be read."""
    try:
        if hasattr(node, "model_dump"):
            return node.model_dump(mode="json")
        return node.decode(errors="replace") if isinstance(node, bytes) else str(node)
    except Exception:  # noqa: BLE001 - an object of anybody's may raise whatever it likes
        return None


def _json(text: str) -> object:
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def plain_form(text: str) -> str:
    """Return a text as it is compared: one case, one space, no invisible signs, escapes of URLs and HTML read.

    >>> plain_form("  Eve%40Evil.example ")
    'eve@evil.example'
    """
    if "%" in text:
        text = unquote(text)
    if "&" in text:
        text = unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    return _SPACES.sub(" ", text.casefold()).strip()


class _Heard:
    """Texts of one source, the newest up to a number of characters."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.texts: deque[str] = deque()
        self._held = 0
        self.is_whole = True

    def add(self, text: str, *, is_whole: bool) -> None:
        text = text[:MOST_TEXT]
        self.is_whole = self.is_whole and is_whole
        if text in self.texts:
            return
        self.texts.append(text)
        self._held += len(text)
        while self._held > self._most:
            self._held -= len(self.texts.popleft())
            self.is_whole = False

    def has(self, value: str) -> bool:
        return any(_stands_in(value, text) for text in self.texts)


def _stands_in(value: str, text: str) -> bool:
    """Return whether a value stands in a text as it is, not inside a longer word."""
    at, tries = text.find(value), 0
    while at >= 0:
        end = at + len(value)
        before, after = text[at - 1 : at], text[end : end + 1]
        if not (before.isalnum() and value[0].isalnum()) and not (after.isalnum() and value[-1].isalnum()):
            return True
        tries += 1
        at = text.find(value, at + 1 if tries < _TRIES else end)  # "aaaa" in "aaaaaaaa" must not cost a square
    return False


class Provenance:
    """Tell where values of one conversation came from, out of at most 160 Ki characters of it.

    The user's words come first: a value that the user named is the user's, though a tool repeats it. A value that is
    not found after something was forgotten, or before any user spoke, has no told origin, so that a flood of output
    does not make it look invented; the detector takes silence where origins always stood for a tool's.

    Parameters
    ----------
    is_whole : bool
        Whether the conversation is heard from its beginning.
    """

    def __init__(self, *, is_whole: bool = True) -> None:
        self._user, self._tools = _Heard(MOST_USER), _Heard(MOST_TOOLS)
        self._is_whole = is_whole

    def user_said(self, value: object) -> None:
        """Remember the user's words, without outputs that a program put between them: retrieved documents."""
        text, is_whole = texts_of(value)
        words = plain_form(text)
        for output in self._tools.texts:
            if len(output) >= LEAST_QUOTE and output in words:
                words = words.replace(output, _QUOTE)
        self._user.add(words, is_whole=is_whole)

    def tool_returned(self, value: object) -> None:
        """Remember a tool's output."""
        text, is_whole = texts_of(value)
        self._tools.add(plain_form(text), is_whole=is_whole)

    def origin_of(self, value: str) -> Origin | None:
        """Return where a value came from; None where that cannot be told: too short, or something was forgotten.

        A value found whole in the user's words is the user's, in a tool's output the tool's. Else its pieces decide:
        one that only a tool brought makes it the tool's, and it is the user's only if all of its pieces are.
        """
        wanted = plain_form(value)
        if len(wanted) < LEAST_WHOLE:
            return None
        if self._user.has(wanted):
            return "user"
        if self._tools.has(wanted):
            return "tool"
        pieces = _PIECES.findall(wanted[:MOST_TEXT])
        foreign = [piece for piece in pieces[:MOST_PARTS] if not self._user.has(piece)]
        if any(self._is_brought(piece) for piece in foreign):
            return "tool"
        if pieces and not foreign and len(pieces) <= MOST_PARTS:
            return "user"
        has_heard_all = self._is_whole and self._user.is_whole and self._tools.is_whole
        return "none" if has_heard_all and self._user.texts else None

    def origin_of_list(self, values: str) -> Origin | None:
        """Return the origin of a text that may be items with commas between: the tool's if one item is."""
        whole = self.origin_of(values)
        if "," not in values or whole in {"user", "tool"}:
            return whole
        told = [self.origin_of(item) for item in values.split(",")[:MOST_PARTS]]
        return next((origin for origin in _GRAVEST if origin in told), None)

    def _is_brought(self, piece: str) -> bool:
        """Return whether a tool's output has a piece, or a word of it that the user never said.

        What follows the last dot is no word: many names end alike.
        """
        if len(piece) < LEAST_PART:
            return False
        stem = piece.rpartition(".")[0] or piece
        words = [word for word in _WORDS.findall(stem)[:MOST_PARTS] if len(word) >= LEAST_PART]
        return self._tools.has(piece) or any(self._tools.has(word) and not self._user.has(word) for word in words)
