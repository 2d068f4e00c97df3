"""Which rules have what they read from which source: found in the recordings of real programs, mapped as they came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.rules import has_fields
from detector.otlp.mapper import Mapper
from detector.otlp.read import read
from detector.rules import ENTRIES, RuleEntry
from detector.schema.event import BRIDGED, Event

SHOWN, ABSENT = "yes", "-"
PIECES: Final = {"secret_harvest": "/", "shell_attack": " "}
"""What a text must have for rules of texts to read anything: a path or an address, a command of several words."""


def recorded(folder: Path) -> Iterator[Event]:
    """Yield the events that all recordings of a data folder become."""
    files = [*folder.glob("agent-telemetry/*/otlp/*.json"), *folder.glob("otlp/*.otlp.json*")]
    for path in sorted(files):
        for verdict in Mapper().map(read(path.read_bytes())):
            if verdict.event is not None:
                yield verdict.event


def is_heard(entry: RuleEntry, event: Event) -> bool:
    """Tell whether an event is one that a rule could speak of."""
    if entry.kinds and event.kind not in entry.kinds:
        return False
    if entry.outcomes and event.outcome not in entry.outcomes:
        return False
    if (piece := PIECES.get(entry.name)) is not None:
        texts = [value for name, value in event.attributes.items() if not name.startswith("otlp.")]
        return any(isinstance(one, str) and piece in one for one in (event.target, *texts))
    return has_fields(event, entry.name, entry.needs)


def coverage(events: Iterable[Event]) -> dict[str, set[str]]:
    """Return of each source, as the mapping calls it, the rules that its events have the fields of."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in events:
        heard = found[str(event.attributes[BRIDGED])]
        heard.update(name for name, entry in ENTRIES.items() if name not in heard and is_heard(entry, event))
    return dict(found)


def table(folder: Path) -> str:
    """Return the map, one line a rule, one column a source; sources of which the recordings show the same are one."""
    found = coverage(recorded(folder))
    columns: dict[frozenset[str], list[str]] = defaultdict(list)
    for source in sorted(found):
        columns[frozenset(found[source])].append(f"`{source}`")
    heads = {", ".join(sources): rules for rules, sources in columns.items()}
    lines = [f"| rule | {' | '.join(heads)} |", "|" + "---|" * (len(heads) + 1)]
    lines += [
        f"| `{name}` | {' | '.join(SHOWN if name in rules else ABSENT for rules in heads.values())} |"
        for name in ENTRIES
    ]
    return "\n".join(lines) + "\n"
