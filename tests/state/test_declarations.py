"""Entries of the registry take effect in a partition, or are refused; what it knows outlives it, byte for byte."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.pipeline import Pipeline
from detector.rules import inventory
from detector.schema.control import Control
from detector.schema.record import Record
from tests.rules.registry import control, entry, registered, zones
from tests.rules.told import ALL, PROFILE
from tests.streams import Script, quick, records_of

ZONED = ("zone_crossing", "zone_mismatch", "new_crossing")


def _gauges(pipeline: Pipeline) -> tuple[float, float]:
    gauges = pipeline.gauges()
    return gauges["registered"], gauges["registry_lacks"]


def test_entries_are_counted_by_what_became_of_them() -> None:
    """Applied, repeated, removed, removed without one; several are one control."""
    pipeline = Pipeline(PROFILE)
    counts = pipeline.control([control(entry(), entry("a-2"), entry(), "a-2", "a-2", "a-3")]).counts
    assert counts == {"registry_applied": 2, "registry_repeated": 1, "registry_removed": 1, "registry_absent": 2}
    assert _gauges(pipeline) == (1.0, 0.0)
    assert pipeline.gauges()["registry_bytes"] > 0


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (entry(revision=4), "registry_outdated"),
        (entry(revision=5, reason="other bytes"), "registry_outdated"),
        (entry(revision=6, tenant="other"), "registry_other_tenant"),
        (entry(revision=6, unknown=1), "bad_registry"),
        (entry(revision=6, owner=None), "bad_registry"),
        (entry(revision=6, tools=["re:("]), "bad_registry"),
        (entry(revision=6, approved={"tool_hashes": {"re:(": ["a"]}}), "bad_registry"),
        (entry(revision=6, approved={"tool_hashes": {"a": ["re:["]}}), "bad_registry"),
        (
            entry(revision=6, grants=[{"id": "g", "granted_at": 0.0, "approver": "a", "targets": ["re:("]}]),
            "bad_registry",
        ),
        ({**entry(revision=6), "schema": "agent.registry/2"}, "bad_registry"),
    ],
)
def test_an_entry_that_may_not_stand_is_refused_with_its_reason(other: dict[str, Any], reason: str) -> None:
    """The one that stands is held against; its neighbours in the control take effect; what was refused is kept."""
    pipeline = registered(entry(revision=5, tools=["read"]))
    before = pipeline.snapshot(full=True)
    outcome = pipeline.control([control(entry("a-0"), other, entry("a-9"))])
    ((index, refusal),) = outcome.refusals
    assert (index, refusal.reason, json.loads(refusal.raw)) == (1, reason, other)
    assert (outcome.counts["registry_applied"], outcome.counts["registry_refused"]) == (2, 1)
    pipeline.control([control("a-0", "a-9")])
    again = registered(entry(revision=5, tools=["read"]), entry("a-0"), entry("a-9"), "a-0", "a-9")
    assert pipeline.snapshot(full=True) == again.snapshot(full=True) != before


def test_an_entry_under_another_agents_key_never_applies() -> None:
    """Whoever may write one agent's entry must not write another's."""
    value = json.dumps([[0, "a-2", entry("a-1")]]).encode()
    outcome = (pipeline := Pipeline(PROFILE)).control([Control(0, value, "registry")])
    assert [refusal.reason for _, refusal in outcome.refusals] == ["registry_key_mismatch"]
    assert _gauges(pipeline) == (0.0, 0.0)


@pytest.mark.parametrize("value", [b"", b"{}", b"[[1]]", b'[["a","b",{}]]', b"\xff", b'[[1,"a",{}]'])
def test_a_control_that_is_no_list_of_records_is_refused(value: bytes) -> None:
    """A journal that somebody wrote by hand breaks nothing."""
    outcome = Pipeline(PROFILE).control([Control(0, value, "registry")])
    assert [(index, refusal.reason) for index, refusal in outcome.refusals] == [(0, "bad_registry")]


def test_a_full_registry_refuses_and_forgets_nobody() -> None:
    """By number and by bytes; from then on nobody is taken for a stranger, also after a restart."""
    profile = quick(rules={**ALL, "registered": 2})
    pipeline = registered(entry("a-2"), entry("a-3"), profile=profile)
    outcome = pipeline.control([control(entry("a-4"), entry("a-3", revision=2))])
    assert [refusal.reason for _, refusal in outcome.refusals] == ["registry_full"]
    assert (_gauges(pipeline), outcome.counts["registry_applied"]) == ((2.0, 1.0), 1)
    again = Pipeline.restore(profile, pipeline.snapshot(full=True))
    script = Script()
    assert pipeline.process(records_of([script.event()])).alerts == []
    assert (again.process(records_of([script.event()])).alerts, _gauges(again)) == ([], (2.0, 1.0))
    wide = registered(entry("a-2"), profile=profile)
    long = entry("a-3", tools=[f"tool-{number}" for number in range(200)])
    assert [one.reason for _, one in wide.control([control(long)]).refusals] == ["registry_full"]


def test_no_registry_leaves_no_trace_in_the_state() -> None:
    """State of those who keep none is what it was before there was one."""
    pipeline = Pipeline(PROFILE)
    pipeline.process(records_of([Script().event()]))
    assert not [name for name in pipeline.snapshot(full=True) if name.startswith("registry/")]
    pipeline.snapshot()
    pipeline.control([control("a-1")])
    assert not [name for name in pipeline.snapshot() if name.startswith("registry/")]


def test_only_blocks_that_changed_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bulk import fills one after another; a change rewrites its own."""
    monkeypatch.setattr(inventory, "BLOCK", 4)
    pipeline = registered(*(entry(f"a-{number}") for number in range(10)))
    held = pipeline.snapshot()
    assert sorted(name for name in held if name.startswith("registry/")) == [
        "registry/000000", "registry/000001", "registry/000002", "registry/head",
    ]  # fmt: skip
    pipeline.control([control(entry("a-5", revision=2))])
    changed = pipeline.snapshot()
    assert sorted(name for name in changed if name.startswith("registry/")) == ["registry/000001", "registry/head"]
    assert not [name for name in pipeline.snapshot() if name.startswith("registry/")]
    full = pipeline.snapshot(full=True)
    newest = {**held, **changed}
    assert all(newest[name] == shard for name, shard in full.items() if name.startswith("registry/"))


def mixed(seed: int, count: int = 240) -> list[Record | Control]:
    """Return events, entries and zones by turns: every rule of the registry has something to say."""
    chance, script = random.Random(seed), Script()
    drawn = 0
    revisions = dict.fromkeys([f"a-{number}" for number in range(8)], 0)
    found: list[Record | Control] = []
    offset = 0
    for number in range(count):
        agent = f"a-{chance.randrange(9)}"
        if agent in revisions and chance.random() < 0.2:
            revisions[agent] += chance.choice([1, 1, 0])
            changed: list[Any] = [_entry_of(agent, max(1, revisions[agent]), chance)]
            changed += [f"a-{chance.randrange(8)}"] if chance.random() < 0.2 else []
            found.append(control(*changed, first=number))
            continue
        if chance.random() < 0.04:
            drawn += chance.choice([1, 1, 0])
            found.append(control(_zones_of(drawn + 1, chance), first=number))
            continue
        script.now += chance.choice([1.0] * 20 + [30.0, 4_000.0, 90_000.0])
        body: dict[str, Any] = {
            "agent_id": agent,
            "session_id": f"s-{agent}",
            "name": chance.choice(["read", "send", "get_x"]),
        }
        body |= {"instance_id": chance.choice("ab"), "agent_version": chance.choice("12"), "grant": {"id": "g"}}
        body |= {"credential": {"id": "c", "issued_at": "2026-03-02T00:00:00Z"}, "target": chance.choice("xy")}
        if chance.random() < 0.6:
            body |= {"zone": chance.choice(["east", "west"]), "peer_zone": f"z-{chance.randrange(40)}"}
            body |= {"peer_agent_id": f"a-{chance.randrange(12)}"}
        found.append(Record(script.event(**body), None, "events", 3, offset))
        offset += 1
    return found


def _entry_of(agent: str, revision: int, chance: random.Random) -> dict[str, Any]:
    more: dict[str, Any] = chance.choice(
        [{}, {"tools": ["read", "re:get_.*"]}, {"targets": ["x*"]}, {"approved": {"versions": ["1"]}}]
    )
    lifecycle = chance.choice(["active", "active", "active", "proposed", "retired"])
    return entry(agent, revision=revision, lifecycle=lifecycle, criticality=chance.choice(["low", "critical"]), **more)


def _zones_of(revision: int, chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.3:
        return {**zones(revision=revision), "zones": []}
    named = [{"name": "east", "members": ["re:a-[0-3]"]}, {"name": "west", "members": ["re:a-[4-6]"]}]
    allowed = [{"from": chance.choice(["east", "*"]), "to": "west", "tools": ["read"]}]
    return {**zones(*allowed, revision=revision), "zones": named}


def _run(pipeline: Pipeline, items: Sequence[Record | Control], most: int) -> list[str]:
    """Return the alerts of events and controls, events in pieces of at most so many."""
    out: list[str] = []
    waiting: list[Record] = []
    for one in [*items, None]:
        if isinstance(one, Record):
            waiting.append(one)
        if waiting and (not isinstance(one, Record) or len(waiting) == most):
            out += [alert.model_dump_json() for alert in pipeline.process(waiting).alerts]
            waiting = []
        if isinstance(one, Control):
            out += [alert.model_dump_json() for alert in pipeline.control([one]).alerts]
    return out


def test_every_rule_of_the_registry_speaks_in_the_made_up_stream() -> None:
    """Or the laws below say nothing of it."""
    told = " ".join(line for seed in range(6) for line in _run(Pipeline(PROFILE), mixed(seed), 512))
    entries = ("unregistered", "outside_grant", "credential_age", "grant_overdue", "two_instances", "unapproved")
    for rule in (*entries, *ZONED):
        assert f"rule.{rule}/" in told, rule


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_what_entries_lead_to_does_not_depend_on_how_events_are_cut(seed: int, most: int) -> None:
    """Same alerts, same state, byte for byte."""
    items = mixed(seed)
    one, other = Pipeline(PROFILE), Pipeline(PROFILE)
    assert _run(one, items, 512) == _run(other, items, most)
    assert one.snapshot(full=True) == other.snapshot(full=True)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 239), min_size=1, max_size=4))
def test_a_partition_goes_on_where_its_snapshots_left_off(seed: int, stops: list[int]) -> None:
    """From shards written piece by piece, newer over older: same alerts, same state."""
    items = mixed(seed)
    whole = Pipeline(PROFILE)
    expected = _run(whole, items, 512)
    pipeline, found, held = Pipeline(PROFILE), list[str](), dict[str, bytes]()
    for first, stop in pairwise(sorted({0, len(items), *stops})):
        found += _run(pipeline, items[first:stop], 512)
        held |= pipeline.snapshot()
        pipeline = Pipeline.restore(PROFILE, {name: shard for name, shard in held.items() if shard})
    assert found == expected
    assert pipeline.snapshot(full=True) == whole.snapshot(full=True)


def test_a_first_snapshot_before_any_event_is_whole() -> None:
    """A registry is imported before its agents act: what was written then must be taken up."""
    pipeline = registered(entry())
    again = Pipeline.restore(PROFILE, pipeline.snapshot())
    assert again.snapshot(full=True) == pipeline.snapshot(full=True)
