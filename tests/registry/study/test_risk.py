"""Risk: each part counts, no more than it may, and the page shows what was written as text."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from detector.registry.study.findings import open_findings
from detector.registry.study.outside import is_outside
from detector.registry.study.risk import (
    CRITICALITY,
    FULL,
    SEVERITY,
    WEIGHTS,
    AgentRisk,
    RiskInputs,
    risk_lines,
    risks_of,
)
from detector.registry.study.risk_page import page
from detector.registry.study.usage import Usage
from detector.schema.alert import VerdictNote
from detector.schema.event import Credential, Event
from detector.schema.registry import RegistryEntry
from detector.sinks.ocsf import encode
from tests.project.sources import ROOT
from tests.registry.inventory import MONDAY, daily, entry, event, seen
from tests.sinks.alerts import make

NOW = MONDAY.timestamp() + 30 * 86_400.0


def _inputs(events: list[Event], *entries: RegistryEntry, **changes: Any) -> RiskInputs:
    usage = Usage(seen(events), {one.agent_id: one for one in entries})
    return RiskInputs(usage, changes.get("findings", {}), changes.get("inner", ()), NOW)


def _risk(events: list[Event], stands: RegistryEntry | None, **changes: Any) -> AgentRisk:
    found = risks_of(_inputs(events, *([] if stands is None else [stands]), **changes))
    return next(one for one in found if one.agent_id == "a-1")


QUIET = entry(tools=["read_file"], targets=[], data_classes=[], peers=[])


def test_an_agent_that_can_do_nothing_outside_has_no_risk() -> None:
    """It reads, everything declared is used, somebody answers for it."""
    assert _risk(daily(range(3)), QUIET).risk == 0.0


@pytest.mark.parametrize(
    ("part", "changed", "events"),
    [
        ("external", {"targets": [f"h{n}.example.com" for n in range(10)]}, []),
        ("data", {"data_classes": ["pii", "health", "card", "secret"]}, []),
        ("writes", {"tools": ["*"]}, [event(1, name=f"send_{n}") for n in range(10)]),
        ("unused", {"tools": ["read_file", "other"]}, []),
        ("unsaid", {"tools": None, "targets": None}, []),
        ("credential", {}, [event(1, credential=Credential(id="c", issued_at=MONDAY - timedelta(days=9)))]),
        ("owner", {"owner": None, "lifecycle": "proposed"}, []),
        ("exceptions", {"grants": [{"id": "g", "granted_at": 1.0, "expires_at": 2.0, "approver": "bob"}]}, []),
    ],
)
def test_each_part_raises_the_risk(part: str, changed: dict[str, Any], events: list[Event]) -> None:
    """By no more than its weight, and it is named."""
    base = {"tools": ["read_file"], "targets": [], "data_classes": [], "peers": []}
    found = _risk([*daily(range(3)), *events], entry(**{**base, **changed}))
    assert found.parts[part].share > 0.0
    least = 60.0 * WEIGHTS[part] * found.parts[part].share / sum(WEIGHTS.values())
    assert found.risk >= round(least, 1) - 0.1
    assert all(0.0 <= one.share <= 1.0 for one in found.parts.values())
    assert found.why


def test_risk_grows_with_criticality_up_to_a_hundred() -> None:
    """The same exposure of a critical agent counts more."""
    risks = [
        _risk(daily(range(3)), entry(criticality=level, tools=None, targets=None)).risk
        for level in ("low", "medium", "high", "critical")
    ]
    assert risks == sorted(risks)
    assert risks[0] == pytest.approx(risks[3] * CRITICALITY["low"], abs=0.1)


def test_open_findings_count_and_closed_or_harmless_ones_do_not() -> None:
    """The newest record of each says which."""
    note = VerdictNote(verdict="dismiss", by="bob", reason="known", at=1.0)
    alerts = [
        make("a-1", tenant="default", event_id="e-1", severity="critical"),
        make("a-1", tenant="default", event_id="e-2", severity="high"),
        make("a-1", tenant="default", event_id="e-2", severity="high", counter=2, activity="close"),
        make("a-1", tenant="default", event_id="e-3", severity="low", verdict=note),
    ]
    found = open_findings([*map(encode, alerts), b"{}", b"nonsense"])
    assert found.severities == {("default", "a-1"): Counter({"critical": 1})}
    assert found.left_out == 2
    assert _risk(daily(range(3)), QUIET, findings=found.severities).parts["findings"].share == SEVERITY["critical"]


def test_who_has_no_entry_is_on_the_list_and_a_retired_one_is_not() -> None:
    """Nobody answers for it, and nothing limits it."""
    found = risks_of(_inputs([*daily([0]), *daily([0], "a-9")], entry("a-9", lifecycle="retired")))
    assert [(one.agent_id, one.lifecycle) for one in found] == [("a-1", "unregistered")]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("www.example.com", True),
        ("*.example.com", True),
        ("*@example.com", True),
        ("https://user@x.example.com:8443/a", True),
        ("8.8.8.8", True),
        ("*", True),
        ("example.com/repo", True),
        ("mail.acme.com", False),
        ("acme.com", False),
        ("https://10.0.0.7/x", False),
        ("db.prod.internal", False),
        ("localhost", False),
        ("/etc/passwd", False),
        ("owner/repo", False),
        ("report.txt", False),
        ("re:P[0-9]{3}", False),
        ("git push origin", False),
    ],
)
def test_a_target_is_outside_by_its_name(target: str, expected: bool) -> None:
    """Hosts and mailboxes that are not known to be one's own."""
    assert is_outside(target, ["acme.com"]) is expected


class _Page(HTMLParser):
    """What a page holds: tags, loads from elsewhere, handlers within tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.odd: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.odd += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "action"} or name.startswith("on")]


def test_names_are_text_on_the_page_and_nothing_is_loaded() -> None:
    """No markup, no handler, no address; and what is not ours would not run."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e"
    events = [*daily(range(3), evil, name=evil, agent_type=evil), *daily([0])]
    stands = entry(
        evil, owner=evil, tools=[evil, "*"], grants=[{"id": evil, "granted_at": 1, "expires_at": 2, "approver": evil}]
    )
    inputs = _inputs(events, stands)
    text = page(inputs, risks_of(inputs)).html()
    found = _Page(text)
    assert found.tags["script"] == found.tags["style"] == 1
    assert found.tags["img"] == 0
    assert found.odd == []
    assert "\u202e" not in text
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in text or "default-src &#x27;none&#x27;" in text


def test_an_empty_page_says_so() -> None:
    """No table without a row."""
    inputs = _inputs([])
    text = page(inputs, risks_of(inputs)).html()
    assert "the inventory is empty" in text
    assert "<table" not in text


def test_the_lines_are_a_table_or_json() -> None:
    """With every part and its weight in JSON."""
    found = risks_of(_inputs(daily(range(3)), entry(tools=["other"])))
    assert "declared names not used 1" in list(risk_lines(found, is_json=False))[1]
    (row,) = map(json.loads, risk_lines(found, is_json=True))
    assert set(row["parts"]) == set(WEIGHTS)


def test_the_formula_in_the_docs_is_the_one_that_is_computed() -> None:
    """Every weight, every level, every number from which on a part counts in full."""
    text = (Path(ROOT) / "docs" / "inventory.md").read_text(encoding="utf-8")
    for name, weight in WEIGHTS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"| {weight:g} |" in row
        if name in FULL:
            assert f" {FULL[name]} " in row
    for level, share in CRITICALITY.items():
        assert f"{level} {share:g}" in text
    for level, share in SEVERITY.items():
        assert f"{level} {share:g}" in text
