"""What can be searched for elsewhere: hosts, addresses, accounts, files, hashes and tools of an alert's evidence.

Only what reads like one without doubt is one: a target is a name of any kind. Everything read here was chosen by
whoever acts, so looks are linear in the text and what is found has a cap, an act as well as an alert.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from detector.schema.shown import shown

if TYPE_CHECKING:
    from detector.schema.alert import Alert, Evidence

MOST_OBSERVABLES: Final = 32
"""Observables of an alert."""
MOST_OF_AN_ACT: Final = 8
"""Observables of one act, so that one with many names leaves room for the others."""
MOST_WORDS: Final = 16
"""Words of one text that are looked at."""
MOST_LETTERS: Final = 256
"""Letters of a value that are shown; of a longer one a digest says which it was."""

TYPES: Final = {
    "Hostname": 1,
    "IP Address": 2,
    "User Name": 4,
    "Email Address": 5,
    "URL String": 6,
    "File Name": 7,
    "Hash": 8,
    "Resource UID": 10,
    "User Credential ID": 19,
    "File Path": 45,
    "Bank Account": 99,
    "Tool": 99,
}
"""Kinds by their captions in OCSF, with its ``type_id``; 99 are kinds of our own."""

_MAIL: Final = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://\S+")
_HOST: Final = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.(?P<last>[^\W\d_][\w-]{1,62})")
_PORT: Final = re.compile(r":\d{1,5}$")
_PATH: Final = re.compile(r"(?:~?/|\.\.?/|[A-Za-z]:\\|\\\\)\S")
_HASH: Final = re.compile(r"(?:(?:md5|sha\d{1,3})[:-])?(?P<digits>[0-9A-Fa-f]{32,128})", re.IGNORECASE)
_HASH_DIGITS: Final = frozenset({40, 64, 96, 128})
_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_FILES: Final = frozenset(
    "bak bin cfg conf csv db doc docx eml env exe gz htm html ics ini jpeg jpg js json jsonl key log md parquet pdf pem"
    " png ppt pptx py rtf sh sql sqlite tar toml ts tsv txt xls xlsx xml yaml yml zip".split()
)
"""Ends of names that are files' and not hosts': of a name that may be either, both searches find it as text."""
_FIELDS: Final = {
    "on_behalf_of": "User Name",
    "peer_agent_id": "Resource UID",
    "credential": "User Credential ID",
    "tool_hash": "Hash",
    "prompt_hash": "Hash",
}


class Observable(NamedTuple):
    """Something to search for: its kind as OCSF calls it, its value, and where in the alert it stands."""

    kind: str
    value: str
    place: str


def observables_of(alert: Alert) -> tuple[list[Observable], int]:
    """Return what can be searched for, the agent first, then of the strongest act on; and how many were left out."""
    agent = Observable("Resource UID", shown(alert.agent_id, MOST_LETTERS), "resources.uid")
    found = {(agent.kind, agent.value): agent}
    left = 0
    for one in sorted(alert.evidence, key=lambda act: -act.strength):
        mine = 0
        for each in dict.fromkeys(_of_an_act(one)):
            key = (each.kind, each.value)
            if key in found:
                continue
            if mine >= MOST_OF_AN_ACT or len(found) >= MOST_OBSERVABLES:
                left += 1
                continue
            found[key] = each
            mine += 1
    return list(found.values()), left


def _of_an_act(act: Evidence) -> Iterator[Observable]:
    """Yield what an act names: its tool, what it was about, and what its target and arguments read like."""
    if act.kind == "tool_call":
        yield Observable("Tool", shown(act.name, MOST_LETTERS), "evidences.data.name")
    yield from _found(act.target or "", "evidences.data.target")
    for name, kind in _FIELDS.items():
        value = act.about.get(name)
        if value:
            read = next(kinds_of(value), (kind, value)) if name == "on_behalf_of" else (kind, value)
            yield Observable(*read, f"evidences.data.about.{name}")
    for one in act.arguments:
        yield from _found(one.value, "evidences.data.arguments")


def _found(text: str, place: str) -> Iterator[Observable]:
    for kind, value in kinds_of(text):
        yield Observable(kind, shown(value, MOST_LETTERS), place)


def kinds_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a text names, kind and value: the items of a list, and what stands among words without doubt.

    Examples
    --------
    >>> list(kinds_of("eve@drop.example, ledger.internal:443"))
    [('Email Address', 'eve@drop.example'), ('Hostname', 'ledger.internal')]
    >>> list(kinds_of("see https://10.0.0.7/x now"))
    [('URL String', 'https://10.0.0.7/x'), ('IP Address', '10.0.0.7')]
    """
    for item in text.replace(";", ",").split(",", MOST_WORDS)[:MOST_WORDS]:
        words = item.split(None, MOST_WORDS)[:MOST_WORDS]
        for word in words:
            yield from _kinds_of_word(word.strip("\"'<>()[]{}"), is_alone=len(words) == 1)


def _kinds_of_word(word: str, *, is_alone: bool) -> Iterator[tuple[str, str]]:
    """Yield the kinds of a word; hosts, files, paths and accounts are told only from one that stands alone."""
    if not word.isprintable():
        return
    if _URL.fullmatch(word):
        yield "URL String", word
        yield from _host_of(word)
    elif _MAIL.fullmatch(word):
        yield "Email Address", word
    elif _is_address(_PORT.sub("", word) if "." in word else word):
        yield "IP Address", _PORT.sub("", word) if "." in word else word
    elif (match := _HASH.fullmatch(word)) and (len(match["digits"]) in _HASH_DIGITS or match["digits"] != word):
        yield "Hash", word
    elif is_alone:
        yield from _alone(word)


def _alone(word: str) -> Iterator[tuple[str, str]]:
    if _PATH.match(word):
        yield "File Path", word
    elif _IBAN.fullmatch(word) and _adds_up(word):
        yield "Bank Account", word
    elif match := _HOST.fullmatch(_PORT.sub("", word)):
        yield ("File Name" if match["last"].lower() in _FILES else "Hostname"), match[0]


def _host_of(url: str) -> Iterator[tuple[str, str]]:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return
    if _is_address(host):
        yield "IP Address", host
    elif _HOST.fullmatch(host):
        yield "Hostname", host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _adds_up(iban: str) -> bool:
    """Tell whether the check digits of an account's number (ISO 13616) are right."""
    return int("".join(str(int(one, 36)) for one in iban[4:] + iban[:4])) % 97 == 1
