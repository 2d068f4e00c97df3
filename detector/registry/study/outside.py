"""Whether a target lies outside of the company: what its name says, nothing is looked up."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from detector.schema.registry import EXPRESSION

INNER: Final = ("local", "internal", "intranet", "lan", "localhost", "svc", "corp", "home.arpa", "test", "invalid")
"""Endings that no host of the internet has."""
FILES: Final = frozenset(
    "bat c cfg conf cpp css csv db dll doc docx exe gif go gz h htm html ini ipynb java jpg js json lock log md mp4 "
    "pdf png ppt pptx py rb rs sh sql svg tar toml ts txt xls xlsx xml yaml yml zip".split()
)
"""Endings of files' names: ``report.txt`` is no host."""
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?(\[[0-9a-fA-F:]+\]|[^/:?#\s]+)", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z]{2,}\.?")


def is_outside(target: str, inner: Sequence[str] = ()) -> bool:
    """Tell whether a target, or a pattern of targets, names a host or a mailbox that is not known to be one's own.

    Parameters
    ----------
    target : str
        As events or entries have it. A pattern that allows everything is outside; an expression is not told apart.
    inner : sequence of str
        Domains of one's own.

    Examples
    --------
    >>> [is_outside(one, ("acme.com",)) for one in ("mail.acme.com", "ada@other.com", "/tmp/a.txt", "*", "10.0.0.1")]
    [False, True, False, True, False]
    """
    if target == "*":
        return True
    if target.startswith(EXPRESSION):
        return False
    host = _host_of(target)
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        pass
    name = host.rstrip(".").lower()
    own = (*INNER, *(one.lower().lstrip(".") for one in inner))
    return "." in name and not any(name == one or name.endswith(f".{one}") for one in own)


def _host_of(target: str) -> str | None:
    if found := _URL.match(target):
        return found[1].strip("[]").removeprefix("*.")
    if "/" in target or any(char.isspace() for char in target):
        # a repository or a file; of host/path the first part, where it is no folder's name
        first = target.split("/", 1)[0]
        return first if first.count(".") and _HOST.fullmatch(first) and not _is_file(first) else None
    bare = target.rsplit("@", 1)[-1].removeprefix("*.")
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return bare if _HOST.fullmatch(bare) and ("@" in target or not _is_file(bare)) else None
    return bare


def _is_file(name: str) -> bool:
    return name.rsplit(".", 1)[-1].lower() in FILES
