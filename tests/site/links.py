"""Where a link of a page leads on the site: pages of `docs/` stay, any other file becomes a page."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

LINK: Final = re.compile(r"(?<=\]\()([^)\s#]*)((?:#[^)\s]*)?)(?=\))")
FENCE: Final = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
TREE: Final = "tree/"
"""Folder of the site that holds files from outside `docs/`."""
LANGUAGES: Final = {".py": "python", ".toml": "toml", ".json": "json", ".yml": "yaml", ".yaml": "yaml"}


def uri_of(path: Path, root: Path) -> str | None:
    """Return the page or file of the site that shows a file or folder of the checkout; None if there is none.

    Parameters
    ----------
    path : Path
        Resolved path.
    root : Path
        The checkout, resolved.
    """
    if path.is_dir():
        path /= "README.md"
    if not path.is_file() or not path.is_relative_to(root):
        return None
    if path.is_relative_to(root / "docs"):
        return path.relative_to(root / "docs").as_posix()
    return TREE + path.relative_to(root).as_posix() + ("" if path.suffix == ".md" else ".md")


def path_of(uri: str, root: Path) -> Path:
    """Return the file of the checkout that a page of the site shows."""
    if not uri.startswith(TREE):
        return root / "docs" / uri
    path = root / uri.removeprefix(TREE)
    return path if path.is_file() else path.with_suffix("")


def rewritten(text: str, uri: str, root: Path) -> str:
    """Return a page's Markdown with its relative links made those of the site; code is left as it is.

    A link that leads nowhere stays what it is: the build refuses it by its name.
    """

    def led(match: re.Match[str]) -> str:
        link, anchor = match.groups()
        if not link or "://" in link or link.startswith(("mailto:", "/")):
            return match.group()
        target = uri_of((path_of(uri, root).parent / link).resolve(), root)
        return match.group() if target is None else posixpath.relpath(target, posixpath.dirname(uri) or ".") + anchor

    parts = FENCE.split(text)
    return "".join(part if part.startswith("```") else _spaced(LINK.sub(led, part)) for part in parts)


def outside(pages: Iterable[str], root: Path) -> list[str]:
    """Return the pages of files outside `docs/` that the pages lead to, directly or over others, sorted."""
    found: set[str] = set()
    waiting = list(pages)
    while waiting:
        uri = waiting.pop()
        for link, _ in LINK.findall(FENCE.sub("", shown(path_of(uri, root)))):
            if not link or "://" in link:
                continue
            target = uri_of((path_of(uri, root).parent / link).resolve(), root)
            if target is not None and target.startswith(TREE) and target not in found:
                found.add(target)
                waiting.append(target)
    return sorted(found)


def shown(path: Path) -> str:
    """Return a file as Markdown: itself, or its text as one block of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    return f"# {path.name}\n\n~~~~ {LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n~~~~\n"


def _spaced(text: str) -> str:
    """Return the text with an empty line before each list: Git hosting needs none, the site does."""
    lines: list[str] = []
    for line in text.split("\n"):
        begins = re.match(r"(?:[-*]|\d+\.) ", line)
        before = lines[-1] if lines else ""
        if begins and before.strip() and not re.match(r"(?:[-*]|\d+\.|#+|\s) ?", before) and not _in_item(lines):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def _in_item(lines: list[str]) -> bool:
    """Return whether the paragraph that the lines end with began as an item of a list."""
    for line in reversed(lines):
        if not line.strip():
            return False
        if re.match(r"(?:[-*]|\d+\.) ", line):
            return True
    return False
