"""What leaves the agent's machine of a call's arguments: a coarse place in clear, and keyed digests."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from detector.errors import SetupError
from detector.otlp.arguments import PREFIX, SHELLS, short_values, target_of
from detector.otlp.values import text
from detector.schema.amends import clean

KEY_VARIABLE: Final = "DETECTOR_KIT_KEY"
LEAST_KEY: Final = 32
"""Characters of a key: 128 bits as hexadecimal digits."""
MOST_SEGMENTS: Final = 8
"""Segments of a path that are told apart; those that follow are one."""
_BYTES: Final = 8
_LETTERS: Final = "abcdefghijklmnop"
_MARK: Final = "h:"
_PURPOSE: Final = b"detector.edge.kit/1"
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,23}")
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,47}")
_TOOL: Final = re.compile(r"[A-Za-z0-9_.:/@-]{1,128}")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,15}")
_MAIL: Final = re.compile(r"[^\s@/,]+@([A-Za-z0-9.-]{1,253})")
_PATH: Final = re.compile(r"(?:\.{0,2}|~)/|[^\s/,]+/|[A-Za-z]:[\\/]")
_HOSTS: Final = frozenset({"host", "hostname", "domain"})


class Redactor:
    """Make of a call's arguments what may cross the wire.

    Equal values under one key give equal digests, so that what is new is seen as new without being read. Who has the
    key can try values; who has not, cannot.

    Parameters
    ----------
    key : str
        At least 32 characters, one for all agents of a deployment: under another, everything is new to the fleet.
    clear_segments : int
        Segments of a path, of a URL or file, that stay in clear.
    keep : collection of str
        Arguments whose numbers stay numbers, so that odd amounts are seen; texts never stay.

    Examples
    --------
    >>> make = Redactor("0" * 32)
    >>> make.target({"url": "https://api.example.com/v1/orders/17?token=s3cret"})
    'https://api.example.com/v1/h:bcjhcaleibjdagjp/h:inaaahpodaemolfp'
    """

    def __init__(self, key: str, *, clear_segments: int = 1, keep: Collection[str] = ()) -> None:
        if len(key) < LEAST_KEY:
            raise SetupError(f"{KEY_VARIABLE} must be at least {LEAST_KEY} characters, got {len(key)}")
        if not 0 <= clear_segments <= MOST_SEGMENTS:
            raise SetupError(f"clear_segments must be from 0 to {MOST_SEGMENTS}, got {clear_segments}")
        self._key = hmac.digest(key.encode(), _PURPOSE, hashlib.sha256)
        self._clear = clear_segments
        self._keep = frozenset(keep)

    @classmethod
    def from_environment(cls, *, clear_segments: int = 1, keep: Collection[str] = ()) -> Redactor:
        """Return one with the key that `DETECTOR_KIT_KEY` holds.

        Raises
        ------
        SetupError
            It holds none, or a short one: make one with ``openssl rand -hex 32``.
        """
        return cls(os.environ.get(KEY_VARIABLE, ""), clear_segments=clear_segments, keep=keep)

    def digest(self, value: str) -> str:
        """Return the keyed digest of a value: 64 bits as letters, so that all have one shape."""
        raw = hmac.digest(self._key, clean(value).encode(), hashlib.sha256)[:_BYTES]
        return _MARK + "".join(_LETTERS[byte >> 4] + _LETTERS[byte & 15] for byte in raw)

    def name(self, name: str) -> str:
        """Return the name of an argument as it stands in the schema of a tool, anything else as a digest."""
        return name if _NAME.fullmatch(name) else self.digest(name)

    def tool(self, name: str) -> str:
        """Return the name of a tool as programs write them; one that a model made up of prose as a digest."""
        return name if _TOOL.fullmatch(name) else self.digest(name)

    def attributes(self, arguments: dict[str, Any] | str | None, target: str | None) -> dict[str, str | float | bool]:
        """Return the short arguments by their prefixed names: digests, item by item of a list.

        Parameters
        ----------
        arguments : dict, str or None
            As :func:`detector.otlp.arguments.read_arguments` gives them.
        target : str or None
            In clear: it is not repeated.
        """
        found: dict[str, str | float | bool] = {}
        for prefixed, value in short_values(arguments, target).items():
            name = prefixed.removeprefix(PREFIX)
            given = arguments.get(name) if isinstance(arguments, dict) else None
            is_number = isinstance(given, int | float) and not isinstance(given, bool)
            if isinstance(value, bool):
                found[PREFIX + self.name(name)] = value
            elif is_number and name in self._keep:
                found[PREFIX + self.name(name)] = float(given or 0.0)
            else:
                found[PREFIX + self.name(name)] = self._items(str(value))
        return found

    def target(self, arguments: dict[str, Any] | str | None) -> str | None:
        """Return where a call goes: scheme, host, first segments or program in clear, the rest as digests."""
        place = target_of(arguments)
        if place is None:
            return None
        named = arguments if isinstance(arguments, dict) else {}
        if _is_of(SHELLS, named, place):
            return self._command(place)
        if "://" in place and (address := self._address(place)) is not None:
            return text(address)
        if _MAIL.fullmatch(place.split(",", 1)[0].strip()):
            return ",".join(self._mail(one.strip()) for one in place.split(","))
        if _PATH.match(place) and "," not in place:
            return text(self._path(place.replace("\\", "/")))
        if _is_of(_HOSTS, named, place):
            return self._host(place)
        return self._items(place)

    def _items(self, value: str) -> str:
        return text(",".join(self.digest(one.strip()) for one in value.split(","))) or ""

    def _command(self, line: str) -> str:
        """Return the program, if the first word of a command line is the plain name of one, and the line's digest."""
        first = line.split(maxsplit=1)[0].rsplit("/", 1)[-1] if line.strip() else ""
        program = f"{first}/" if _PLAIN.fullmatch(first) else ""
        return program + self.digest(line)

    def _mail(self, one: str) -> str:
        found = _MAIL.fullmatch(one)
        return self.digest(one) if found is None else f"{self.digest(one)}@{self._host(found[1])}"

    def _host(self, host: str) -> str:
        """Return a host whose labels are short: a long one may carry something out."""
        name, _, port = host.lower().partition(":")
        named = name.split(".")
        # a domain is told by its end: what stands before the last labels is one digest
        before, named = ".".join(named[:-MOST_SEGMENTS]), named[-MOST_SEGMENTS:]
        labels = [one if _LABEL.fullmatch(one) else self.digest(one) for one in named]
        labels = [self.digest(before), *labels] if before else labels
        return ".".join(labels) + (f":{port}" if port.isascii() and port.isdecimal() else "")

    def _address(self, place: str) -> str | None:
        try:
            parts = urlsplit(place)
        except ValueError:
            return None
        if not _SCHEME.fullmatch(parts.scheme) or any(map(str.isspace, parts.netloc)):
            return None
        host = self._host(parts.netloc.rpartition("@")[2])
        return f"{parts.scheme}://{host}{self._path(parts.path, host)}"

    def _path(self, path: str, root: str = "") -> str:
        """Return a path: plain segments in clear as far as allowed, never the last; then digests of the way to each."""
        segments = path.split("/", MOST_SEGMENTS)
        out: list[str] = []
        clear = self._clear
        way = root
        for at, segment in enumerate(segments, start=1):
            way = f"{way}/{segment}"
            if segment in {"", ".", "..", "~"}:
                out.append(segment)
            elif clear > 0 and at < len(segments) and _PLAIN.fullmatch(segment):
                clear -= 1
                out.append(segment)
            else:
                clear = 0
                out.append(self.digest(way))
        return "/".join(out)


def _is_of(names: Collection[str], arguments: Mapping[str, Any], place: str) -> bool:
    """Return whether a place was taken from an argument of one of these names."""
    for name in names:
        value = arguments.get(name)
        if isinstance(value, list):
            value = " ".join(one for one in value if isinstance(one, str))
        if isinstance(value, str) and text(value) == place:
            return True
    return False
