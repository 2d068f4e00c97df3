"""Entries as policies of other engines: the real ones answer as the entry does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detector.registry.study.allowed import Judge
from detector.registry.study.cedar import policies_of
from detector.registry.study.opa import ASKED, data_of, policy
from detector.registry.study.usage import Usage
from detector.schema.registry import RegistryEntry
from tests.libraries import library
from tests.registry.inventory import daily, entry, seen
from tests.registry.study.engines import ask_cedar, ask_opa

ENTRIES = [
    entry(
        tools=["read_file", "send_*", "re:get_[a-z]+", 'odd"na\\me', "é\n"],
        targets=["/data/*", "a*b*c", "re:P[0-9]{3}", "*@acme.com"],
        peers=[],
        approved={"models": ["m-1"]},
    ),
    entry("a-2", tenant="acme"),
    entry("a-3", tools=["re:x|y"], targets=["re:(?s:.)*"]),
    entry("a-4", lifecycle="suspended"),
    entry("a-5", lifecycle="proposed", owner=None, tools=["read_file"]),
    entry('a-6"); permit(principal, action, resource); //', tools=[]),
]
VALUES: dict[str, list[str]] = {
    "tools": ["read_file", "send_x", "get_me", "get_2", 'odd"na\\me', "é\n", "*", "x", "y", "xy", "READ_FILE", ""],
    "targets": ["/data/x/y", "/data", "abc", "a1b2c", "P001", "P0001", "P001\n", "x@acme.com", "x@acme.com.evil", "\n"],
    "peers": ["a-2"],
    "approved.models": ["m-1", "m-2"],
}


def _questions() -> list[tuple[RegistryEntry, str, str, dict[str, Any]]]:
    return [
        (one, field, value, {"tenant": one.tenant, "agent_id": one.agent_id, "at": 5_000.0, ASKED[field]: value})
        for one in ENTRIES
        for field, values in VALUES.items()
        for value in values
    ]


def _expected(one: RegistryEntry, field: str, value: str) -> bool:
    if one.lifecycle != "active":
        return one.lifecycle == "proposed"
    return Judge(one).allows(field, value, 5_000.0)


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(1_000)
def test_opa_answers_as_the_entry_does(tmp_path: Path) -> None:
    """Names, patterns, expressions, from end to end; grants in their term only; a stranger nothing."""
    lent = entry(
        "a-7",
        tools=[],
        grants=[{"id": "g", "granted_at": 1_000.0, "expires_at": 2_000.0, "approver": "bob", "tools": ["send_*"]}],
    )
    (tmp_path / "data.json").write_text(data_of([*ENTRIES, lent]), encoding="utf-8")
    (tmp_path / "registry.rego").write_text(policy(), encoding="utf-8")
    cases = _questions()
    asked = [question for *_, question in cases]
    terms = [{"agent_id": "a-7", "at": at, "tool": "send_x"} for at in (999.0, 1_000.0, 1_999.0, 2_000.0)]
    strangers = [
        {"agent_id": "nobody", "tool": "read_file", "at": 1.0},
        {"agent_id": "a-1", "tenant": "evil", "at": 1.0},
    ]
    answers = ask_opa(tmp_path, [*asked, *terms, *strangers])
    expected = [_expected(one, field, value) for one, field, value, _ in cases]
    assert answers == [*expected, False, True, True, False, False, False]
    assert True in expected
    assert False in expected


def test_cedar_answers_as_the_entry_does_for_what_was_seen() -> None:
    """What only an expression allows is allowed if it was seen; a name full of Cedar is a name."""
    used = seen(daily(range(2), name="get_me"), daily(range(2), target="P001"), daily(range(2), "a-3", name="x"))
    usage = Usage(used, {one.agent_id: one for one in ENTRIES})
    policies = "\n".join(policies_of(ENTRIES, usage))
    cases = _questions()
    answers = ask_cedar(library("cedarpy"), policies, [question for *_, question in cases])
    for (one, field, value, _), answer in zip(cases, answers, strict=True):
        known = {"a-1": {"get_me", "P001"}, "a-3": {"x"}}.get(one.agent_id, set())
        judged = _expected(one, field, value)
        by_expression = (
            judged and one.lifecycle == "active" and field != "peers" and _only_by_expression(one, field, value)
        )
        assert answer == (judged and (not by_expression or value in known)), (one.agent_id, field, value)
    assert any(line.startswith("//") and "were not used" in line for line in policies.splitlines())


def _only_by_expression(one: RegistryEntry, field: str, value: str) -> bool:
    names = {"tools": one.tools, "targets": one.targets, "approved.models": one.approved.models}[field]
    if names is None:
        return False
    plain = one.model_copy(update={field: tuple(name for name in names if not name.startswith("re:"))})
    return field in {"tools", "targets"} and not Judge(plain).allows(field, value, 0.0)
