"""Under a deployment's own key: the same scores, other collisions, and state that no other key continues."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.channels.context import OF_TARGET
from detector.channels.known import value_key
from detector.errors import StateError
from detector.pipeline import Pipeline
from detector.sketches.hashing import PUBLIC_KEY, digest_of, hash_key, hash_text, mix
from detector.sketches.index import find_row
from detector.sketches.keys import is_known, tick_of
from detector.state.shards import pack, unpack
from tests.streams import Look, Script, digest_free, feed, ordinary, quick, quiet

PROFILE = quick()
SECRET = "a secret of the group"
ODD: list[dict[str, Any]] = [
    {"name": "send", "target": "x@evil.example", "outcome": "denied", "attributes": {"to": "Zz9!", "lines": 9e7}},
    {"name": "llm_call", "kind": "llm_call", "attributes": {"(standing)": "a", "duration_ms": 4.0}},
    {"name": "session_end", "kind": "lifecycle", "target": "x", "zone": "eu", "peer_agent_id": "p"},
    {"name": "read", "target": "a,b", "arg_origin": {"target": "tool"}, "agent_type": "default", "duration_ms": 4e5},
]


def stream(sessions: int) -> tuple[list[bytes], float]:
    """Return sessions of three clerks, days of rest, more sessions and odd acts; and until when to trust."""
    script = Script()
    values = [*ordinary(script, sessions), *quiet(script, 1.5), *ordinary(script, 20, first=sessions)]
    until = script.now
    return [*values, *script.session("odd", ODD, agent_id="a-1"), *ordinary(script, 3, first=sessions + 20)], until


STREAM, UNTIL = stream(30)


def run(secret: str | None) -> tuple[list[str], list[str]]:
    """Return scores and alerts of the stream under a key."""
    pipeline = Pipeline(PROFILE, trusted_until=UNTIL, secret=secret)
    outcome, closed = feed(pipeline, STREAM), pipeline.finish()
    return [f"{score:.6f}" for score in outcome.scores], digest_free([*outcome.alerts, *closed.alerts])


PUBLIC = run(None)


@settings(max_examples=8)
@given(secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_scores_and_alerts_are_the_same_under_any_key(secret: str) -> None:
    """A hash is a name: whatever the names, the same things are the same, and others are others."""
    assert run(secret) == PUBLIC
    assert len(set(PUBLIC[0])) > 60


def own_cells(pipeline: Pipeline, secret: str | None, agent: str) -> np.ndarray:
    """Return the cells of an agent's keys."""
    key, memory = hash_key(secret), pipeline.state.memory
    with np.errstate(over="ignore"):
        row = find_row(memory.agent_index, np.uint64(mix(hash_text(agent, key), hash_text("default", key))))
    cells: np.ndarray = memory.agents["keys"][row]
    return cells


def found_offline(cells: np.ndarray, now: float) -> str:
    """Return an address the public key gives the fingerprint of something the agent knows, as an attacker would."""
    tick = tick_of(now, PROFILE.learning.probation_s)
    tool, name = hash_text("send"), hash_text("target")
    for number in range(100_000):
        text = f"drop{number}@evil.example"
        with np.errstate(over="ignore"):
            if is_known(cells, np.uint64(value_key(tool, name, hash_text(text))), tick):
                return text
    raise AssertionError("no collision of a 16-bit fingerprint in 100,000 texts")


def test_a_collision_that_is_searched_for_is_known_under_the_public_key_and_found_out_under_a_secret_one() -> None:
    """Digits are appended offline until a fingerprint fits: level 0 without a secret, a stranger with one."""
    script = Script()
    files = [{"name": "read", "kind": "data_access", "target": f"/docs/team/old-{n}"} for n in range(300)]
    values = [*ordinary(script, 40), *script.session("files", files, agent_id="a-1"), *quiet(script, 1.5)]
    values += ordinary(script, 40, first=40)
    pipelines = {secret: Pipeline(PROFILE, trusted_until=script.now, secret=secret) for secret in (None, SECRET)}
    for pipeline in pipelines.values():
        feed(pipeline, values)
    address = found_offline(own_cells(pipelines[None], None, "a-1"), script.now)
    act = [script.event("send", agent_id="a-1", session_id="new", target=address)]
    public, secret = (Look(pipelines[one], act) for one in (None, SECRET))
    assert public.level[0, OF_TARGET] == 0
    assert secret.level[0, OF_TARGET] >= 3
    assert secret.outcome.scores[0] > public.outcome.scores[0] + 1.0


@pytest.mark.parametrize(("learned", "asked"), [(SECRET, None), (None, SECRET), (SECRET, "another")])
def test_state_learned_under_another_key_is_refused_with_what_to_do(learned: str | None, asked: str | None) -> None:
    """Its names mean nothing under this key: the partition would know nobody, and say nothing of it."""
    pipeline = Pipeline(PROFILE, secret=learned)
    feed(pipeline, STREAM[:50])
    shards = pipeline.snapshot(full=True)
    with pytest.raises(StateError, match="another DETECTOR_STATE_KEY; set that one again, or let the partition"):
        Pipeline.restore(PROFILE, shards, secret=asked)
    again = Pipeline.restore(PROFILE, shards, secret=learned)
    assert again.snapshot(full=True) == shards
    assert feed(again, STREAM[50:]).scores.tolist() == feed(pipeline, STREAM[50:]).scores.tolist()


def test_state_says_which_key_it_was_learned_under_and_holds_no_secret() -> None:
    """A digest in the first of its shards; a state that does not say is refused."""
    pipeline = Pipeline(PROFILE, secret=SECRET)
    feed(pipeline, STREAM[:50])
    shards, key = pipeline.snapshot(full=True), hash_key(SECRET)
    arrays, facts = unpack("core", shards["core"])
    assert facts["key"] == digest_of(key) != digest_of(PUBLIC_KEY)
    halves = [int(half).to_bytes(8, order) for half in key for order in ("big", "little")]
    assert not [name for name, shard in shards.items() for raw in (SECRET.encode(), *halves) if raw in shard]
    assert not [raw for raw in halves if raw in msgspec.msgpack.encode(facts)]
    unsaid = {name: fact for name, fact in facts.items() if name != "key"}
    with pytest.raises(StateError):
        Pipeline.restore(PROFILE, {**shards, "core": pack(arrays, unsaid)}, secret=SECRET)
