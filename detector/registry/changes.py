"""What a file of drafts would change in the inventory that stands, line by line, and what it may not change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from detector.registry.documents import scalar, time_text
from detector.registry.drafts import STAMP, Draft
from detector.schema.registry import RegistryEntry
from detector.views.shown import moment, shown

Kind = Literal["new", "changed", "same", "refused"]
_TIMES: Final = frozenset({"granted_at", "expires_at", "at"})


class Stamp(NamedTuple):
    """When a change is made (epoch seconds), by whom, and why."""

    at: float
    by: str
    reason: str


class Change(NamedTuple):
    """One draft held against what stands.

    Parameters
    ----------
    kind : str
        `same` needs nothing; `refused` was made from something else than what stands.
    draft : Draft
        What is wanted.
    stands : RegistryEntry or None
        What there is.
    lines : list of str
        ``+`` and ``-`` lines by field, as a person reads them.
    why_not : str
        Why it is refused.
    """

    kind: Kind
    draft: Draft
    stands: RegistryEntry | None
    lines: list[str]
    why_not: str = ""

    def entry(self, stamp: Stamp) -> RegistryEntry:
        """Return the entry as it is written: the next revision, stamped."""
        revision = 1 if self.stands is None else self.stands.revision + 1
        return self.draft.entry.model_copy(update={"revision": revision, **stamp._asdict()})


def changes_of(drafts: Iterable[Draft], standing: Mapping[str, RegistryEntry]) -> list[Change]:
    """Return what each draft would change.

    A draft that says what already stands is the same, whatever it was made from: applying a file twice is no conflict.
    """
    return [_change(draft, standing.get(draft.entry.agent_id)) for draft in drafts]


def _change(draft: Draft, stands: RegistryEntry | None) -> Change:
    lines = list(difference(stands, draft.entry))
    if stands is None:
        if draft.made_from:
            why = f"it was made from revision {draft.made_from}, and no entry stands: set revision to 0 to make one"
            return Change("refused", draft, None, lines, why)
        return Change("new", draft, None, lines)
    if stands.tenant != draft.entry.tenant:
        why = f"it stands for tenant {shown(stands.tenant)}; an agent does not change its tenant: retire it"
        return Change("refused", draft, stands, lines, why)
    if not lines:
        return Change("same", draft, stands, lines)
    if draft.made_from != stands.revision:
        made = f"was made from revision {draft.made_from}" if draft.made_from else "was made when none stood"
        why = (
            f"it {made}; revision {stands.revision} stands, changed by {shown(stands.by)} at {moment(stands.at)} "
            f"({shown(stands.reason, 120)}): export it, enter your change there, and set revision to {stands.revision}"
        )
        return Change("refused", draft, stands, lines, why)
    return Change("changed", draft, stands, lines)


def content_of(entry: RegistryEntry) -> dict[str, Any]:
    """Return what an entry says, without its stamp and what it says nothing about: plain values for a file."""
    body = entry.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    kept = {name: value for name, value in body.items() if name not in STAMP and name != "schema"}
    # said although they are defaults: an entry is read by people
    return {"lifecycle": entry.lifecycle, "criticality": entry.criticality, **kept}


def digest_of(entry: RegistryEntry) -> str:
    """Return sha256 of an entry as its record has it, 64 hexadecimal digits."""
    from detector.registry.drafts import record_of

    return hashlib.sha256(record_of(entry)).hexdigest()


def fields_changed(before: RegistryEntry | None, after: RegistryEntry) -> list[str]:
    """Return the names of the fields in which two entries differ, stamps apart; all that are said of a new one."""
    old, new = {} if before is None else content_of(before), content_of(after)
    return sorted(name for name in old | new if old.get(name) != new.get(name))


def difference(before: RegistryEntry | None, after: RegistryEntry) -> Iterator[str]:
    """Yield how two entries differ, in the order of the fields; lists name by name."""
    yield from compared({} if before is None else content_of(before), content_of(after))


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield how two mappings of plain values differ, in the order of their fields; lists name by name."""
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) != new.get(name):
            yield from _differ(name, old.get(name), new.get(name))


def _differ(name: str, old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401 - plain values
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        one, other = old or {}, new or {}
        for key in dict.fromkeys([*other, *one]):
            if one.get(key) != other.get(key):
                yield from _differ(f"{name}.{shown(str(key))}", one.get(key), other.get(key))
        return
    if isinstance(old, list) or isinstance(new, list):
        if new == [] or old == []:
            yield f"  {name}: {_list_of(old)} -> {_list_of(new)}"
        one, other = old or [], new or []
        yield from (f"  - {name}: {_words(value)}" for value in one if value not in other)
        yield from (f"  + {name}: {_words(value)}" for value in other if value not in one)
        return
    if old is not None:
        yield f"  - {name}: {_words(old, name)}"
    if new is not None:
        yield f"  + {name}: {_words(new, name)}"


def _list_of(value: list[Any] | None) -> str:
    return "anything" if value is None else "none" if not value else f"{len(value)} names"


def _words(value: Any, name: str = "") -> str:  # noqa: ANN401 - plain values
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(one, key)}" for key, one in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_words(one) for one in value) + "]"
    if name in _TIMES and isinstance(value, int | float):
        return time_text(value)
    return shown(scalar(value), 200)
