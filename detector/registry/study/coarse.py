r"""Targets as patterns: what many values have in common, without reaching further than what was seen.

A value is generalised only together with others of its shape, and only within the part that varied: files of one
folder, addresses of one domain of a company, numbered things of one name. Command lines and free text never are:
``git *`` would allow ``git status; curl ...``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import re2

from detector.registry.study.seen import MOST_MARKS, Marks, Use
from detector.rules.patterns import is_plain
from detector.schema.registry import EXPRESSION, MAX_PATTERN

PATTERN_VALUES: Final = 4
"""Different values from which on a shape is one: three files of a folder are three files."""
PUBLIC_MAIL: Final = frozenset(
    "aol.com gmail.com gmx.com gmx.net googlemail.com hotmail.com icloud.com live.com mail.com mail.ru me.com msn.com "
    "outlook.com proton.me protonmail.com qq.com yahoo.com yandex.ru zoho.com".split()
)
"""Domains where everybody can have an address: knowing four says nothing about the fifth."""
MOST_NUMBERED: Final = 128
"""Letters of a value up to which its numbers become a pattern: RE2 refuses to count to more than a thousand, and an
entry whose targets are refused would say nothing about them."""
LEAST_DEPTH: Final = 2
"""Folders above it gather the files of no other folder."""
MOST_DIGITS: Final = 9
"""Of a numbered name: more have accounts, cards and telephones, where any other number is somebody else's."""
_FOLDER: Final = "folder "
_EMAIL: Final = re.compile(r"[^\s@/:]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z]{2,}")
_URL: Final = re.compile(r"([a-z][a-z0-9+.-]*://[^/?#\s@]+)/[^\s?#]*")
_DIGITS: Final = re.compile(r"[0-9]+")
_HEX_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NUMBERED: Final = re.compile(r"[A-Za-z]*[-_#]?[0-9]+(?:[-_#][0-9]+)*")
_UUID_PATTERN: Final = f"{EXPRESSION}{_HEX_ID.pattern}"


class TargetShape(NamedTuple):
    """Values that have one pattern in common."""

    pattern: str
    values: tuple[str, ...]


def literal(value: str) -> str | None:
    r"""Return a declared name that matches one value alone, whatever the value looks like; None if none can.

    An agent that calls a tool named ``*`` must not be proposed to use all of them.

    >>> literal("read_file"), literal("*"), literal("re:.")
    ('read_file', 're:\\*', 're:re\\:\\.')
    """
    try:
        declared = value if is_plain(value) else f"{EXPRESSION}{re2.escape(value)}"
    except UnicodeEncodeError:
        return None
    return declared if len(declared) <= MAX_PATTERN else None


def shapes_of(values: Mapping[str, Use]) -> list[TargetShape]:
    """Return the patterns that values have in common, each with at least four of them; a value is in one at most.

    Values that never went through belong to none: what was tried is not what is used.
    """
    groups: dict[str, list[str]] = {}
    for value, use in values.items():
        if use.ok and (key := _key(value)):
            groups.setdefault(key, []).append(value)
    found = [TargetShape(_pattern(members), tuple(sorted(members))) for members in _large(groups)]
    return sorted(shape for shape in found if len(shape.pattern) <= MAX_PATTERN)


def _large(groups: dict[str, list[str]]) -> Iterator[list[str]]:
    """Yield the groups that are large enough; files that are too few in their folder count for the one above it.

    The deepest folder with enough of them is taken, so that no more is opened than was used; no folder that stands
    directly below the root gathers those of others, or everything would be one.
    """
    folders = {key.removeprefix(_FOLDER): some for key, some in groups.items() if key.startswith(_FOLDER)}
    yield from (some for key, some in groups.items() if not key.startswith(_FOLDER) and len(some) >= PATTERN_VALUES)
    for depth in range(max(map(_depth, folders), default=0), 0, -1):
        for folder in [one for one in folders if _depth(one) == depth]:
            members = folders.pop(folder)
            if len(members) >= PATTERN_VALUES:
                yield members
            elif depth > LEAST_DEPTH:
                folders.setdefault(folder.rpartition("/")[0], []).extend(members)


def _depth(folder: str) -> int:
    return len(folder.strip("/").split("/"))


def together(uses: Iterable[Use]) -> tuple[int, int]:
    """Return in how many sessions, and on how many days, any of several values was used; twelve is twelve or more."""
    sessions, days = Marks(), Marks()
    for use in uses:
        sessions.add_all(use.sessions)
        days.add_all(use.days)
        if len(sessions) == len(days) == MOST_MARKS:
            break
    return len(sessions), len(days)


def _key(value: str) -> str | None:
    """Return what values of one shape have in common; None: it has none."""
    if any(char.isspace() for char in value) or not value.isprintable():
        return None
    if mail := _EMAIL.fullmatch(value):
        domain = mail[1].lower()
        return None if domain in PUBLIC_MAIL else f"mail {mail[1]}"
    if url := _URL.fullmatch(value):
        return f"url {url[1]}"
    if _HEX_ID.fullmatch(value):
        return "uuid"
    if "/" in value.strip("/") and ".." not in value:
        return f"{_FOLDER}{value.rstrip('/').rpartition('/')[0]}"
    if len(value) <= MOST_NUMBERED and _NUMBERED.fullmatch(value) and sum(map(str.isdigit, value)) <= MOST_DIGITS:
        return f"number {_DIGITS.sub('0', value)}"
    if _HOST.fullmatch(value):
        parent = value.partition(".")[2]
        # a parent of two short labels may be one that strangers share, like co.uk
        return f"host {parent}" if "." in parent and len(parent.split(".")[-2]) > 3 else None
    return None


def _common(folders: list[str]) -> str:
    """Return the deepest folder that all of several lie in."""
    parts = [folder.split("/") for folder in folders]
    return "/".join(
        names[0] for names in itertools.takewhile(lambda names: len(set(names)) == 1, zip(*parts, strict=False))
    )


def _pattern(members: list[str]) -> str:
    key = _key(members[0]) or ""
    kind, _, common = key.partition(" ")
    if kind == "mail":
        return f"*@{common}"
    if kind == "host":
        return f"*.{common}"
    if kind == "folder":
        common = _common([one.rstrip("/").rpartition("/")[0] for one in members])
    if kind in {"folder", "url"}:
        return f"{common}/*" if is_plain(common) else f"{EXPRESSION}{re2.escape(common)}/.*"
    if kind == "uuid":
        return _UUID_PATTERN
    return EXPRESSION + "".join(_numbered(common, members))


def _numbered(common: str, members: list[str]) -> Iterator[str]:
    """Yield the parts of an expression for values that differ in their numbers alone; `common` has a 0 for each."""
    runs = zip(*(map(len, _DIGITS.findall(one)) for one in members), strict=True)
    first, *rest = common.split("0")
    yield re2.escape(first)
    for lengths, text in zip(runs, rest, strict=True):
        low, high = min(lengths), max(lengths)
        yield f"[0-9]{{{low}}}" if low == high else f"[0-9]{{{low},{high}}}"
        yield re2.escape(text)
