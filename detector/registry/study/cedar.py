"""Entries as Cedar policies; Cedar has no expressions, so an RE2 one becomes the values that were seen under it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from detector.registry.documents import comment
from detector.registry.study.allowed import declared_at
from detector.registry.study.opa import ASKED
from detector.registry.study.usage import LISTED, Usage
from detector.rules.patterns import Patterns, is_plain
from detector.schema.registry import EXPRESSION, RegistryEntry

HEAD: Final = (
    'Ask with principal Agent::"TENANT/AGENT", action Action::"act", any resource, and what the act uses as context:',
    "tool, target, peer, delegate, data_class, version, model, prompt_hash. What no policy permits is denied.",
)


def policies_of(entries: Iterable[RegistryEntry], usage: Usage | None) -> Iterator[str]:
    """Yield the lines of one policy for each agent that may act; grants with a term are left out, and said."""
    yield from (f"//{comment(line)[1:]}" for line in HEAD)
    for entry in entries:
        if entry.lifecycle in {"active", "proposed"}:
            yield from _policy(entry, usage)


def _policy(entry: RegistryEntry, usage: Usage | None) -> Iterator[str]:
    yield ""
    if entry.grants:
        yield f"// {len(entry.grants)} grants with a term are not in this policy: Cedar is not told the time"
    conditions = []
    if entry.lifecycle == "active":
        for field in LISTED:
            declared = declared_at(entry, field)
            if declared is not None:
                names, lost = _names(entry, field, declared, usage)
                if lost:
                    yield f"// {field}: {lost} expressions were not used, and Cedar has none: they are denied here"
                conditions.append(_condition(ASKED[field], names))
    who = text(f"{entry.tenant}/{entry.agent_id}")
    yield f'@id({who})\npermit (principal == Agent::{who}, action == Action::"act", resource)'
    if conditions:
        yield "when {\n  " + " &&\n  ".join(conditions) + "\n};"
    else:
        yield ";"


def _names(
    entry: RegistryEntry, field: str, declared: Iterable[str], usage: Usage | None
) -> tuple[list[tuple[str, bool]], int]:
    """Return names and whether each is a wildcard, and how many expressions nothing stands in for."""
    agent = None if usage is None else usage.agent(entry)
    seen: Mapping[str, object] = {} if agent is None else agent.uses.get(field, {})
    names: list[tuple[str, bool]] = []
    lost = 0
    for one in declared:
        if not one.startswith(EXPRESSION):
            names.append((one, not is_plain(one)))
            continue
        pattern = Patterns((one,))
        under = sorted(value for value in seen if pattern.allows(value))
        names += [(value, False) for value in under]
        lost += not under
    return names, lost


def _condition(asked: str, names: Iterable[tuple[str, bool]]) -> str:
    plain = sorted({name for name, is_wild in names if not is_wild})
    likes = [f"context.{asked} like {text(name)}" for name, is_wild in names if is_wild]
    listed = f"[{', '.join(map(text, plain))}].contains(context.{asked})"
    return f"(!(context has {asked}) || {' || '.join([listed, *likes])})"


def text(value: str) -> str:
    r"""Return a text of Cedar; a star is a wildcard within `like`, and itself elsewhere.

    >>> print(text('a"b'), text("a*"), text("é"))
    "a\"b" "a*" "\u{e9}"
    """
    made = (f"\\{char}" if char in '"\\' else char if " " <= char <= "~" else f"\\u{{{ord(char):x}}}" for char in value)
    return f'"{"".join(made)}"'
