"""Entries as data of Open Policy Agent, and the policy that reads them; patterns keep their meaning, RE2 in both."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, Final

from detector.registry.study.allowed import declared_at
from detector.registry.study.usage import LISTED
from detector.rules.patterns import expression_of, is_plain
from detector.schema.registry import RegistryEntry

ROOT: Final = "agent_registry"
"""Where the data stands: ``data.agent_registry``."""
ASKED: Final = {
    "tools": "tool",
    "targets": "target",
    "peers": "peer",
    "delegates": "delegate",
    "data_classes": "data_class",
    "approved.versions": "version",
    "approved.models": "model",
    "approved.prompt_hashes": "prompt_hash",
}
"""Field of an entry -> what a question calls it (``input.tool``)."""


def policy() -> str:
    """Return the policy, in Rego."""
    return files(__package__).joinpath("registry.rego").read_text(encoding="utf-8")


def data_of(entries: Iterable[RegistryEntry]) -> str:
    """Return entries as JSON: tenant, agent, lists of names and of expressions that match from end to end."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        lists = {
            ASKED[field]: _split(declared) for field in LISTED if (declared := declared_at(entry, field)) is not None
        }
        grants = [
            {
                "granted_at": one.granted_at,
                "expires_at": one.expires_at,
                "lists": {name: _split(some) for name, some in (("tool", one.tools), ("target", one.targets)) if some},
            }
            for one in entry.grants
        ]
        body = {"revision": entry.revision, "lifecycle": entry.lifecycle, "lists": lists, "grants": grants}
        found.setdefault(entry.tenant, {})[entry.agent_id] = body
    return json.dumps({ROOT: found}, indent=1, sort_keys=True) + "\n"


def _split(declared: Iterable[str]) -> dict[str, list[str]]:
    names = [one for one in declared if is_plain(one)]
    patterns = [f"^(?:{expression_of(one)})$" for one in declared if not is_plain(one)]
    return {"names": names, "patterns": patterns}
