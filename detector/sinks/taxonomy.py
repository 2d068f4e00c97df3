"""Names and pages of the ids that detections carry, read from ``taxonomies.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import msgspec


class Taxonomy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public list of kinds of attack: its name, where it stands, of which version, and the names by id."""

    name: str
    source: str
    version: str
    names: dict[str, str]


class _Taxonomies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    atlas: Taxonomy
    asi: Taxonomy


_FILE: Final = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("taxonomies.toml").read_text(encoding="utf-8")), _Taxonomies
)
ATLAS: Final = _FILE.atlas
"""MITRE ATLAS: techniques against AI systems."""
OWASP: Final = _FILE.asi
"""The OWASP Top 10 for agentic applications."""


def atlas_technique(uid: str) -> str:
    """Return the full id of a MITRE ATLAS technique, also of one written without its prefix."""
    return uid if uid.startswith("AML.") else f"AML.{uid}"


def atlas_url(technique: str) -> str:
    """Return the page of a MITRE ATLAS technique."""
    return f"{ATLAS.source}/{technique}"


def atlas_name(technique: str) -> str | None:
    """Return the name of a technique, None if the file does not hold it."""
    return ATLAS.names.get(technique)


def owasp_title(uid: str) -> str:
    """Return an id of the OWASP list with its name behind it, alone if the file does not hold it.

    Examples
    --------
    >>> owasp_title("ASI01"), owasp_title("ASI99")
    ('ASI01 Agent Goal Hijack', 'ASI99')
    """
    name = OWASP.names.get(uid)
    return uid if name is None else f"{uid} {name}"
