"""A fleet's stream: valid, ordered, seeded, and like work."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from itertools import islice, pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.errors import SetupError
from detector.schema.event import Event, StrictEvent
from detector.simulate.catalogue import ROLES
from detector.simulate.fleet import DAY_S, Fleet

STRICT = msgspec.json.Decoder(StrictEvent)


def _digest(fleet: Fleet) -> str:
    return hashlib.sha256(b"\n".join(event.value for event in fleet.stream())).hexdigest()


def test_every_event_is_a_valid_event_without_unknown_fields() -> None:
    """What the simulator writes passes the strict decoder, with and without origins."""
    events = list(Fleet(agents=40, seed=3, days=2.0).stream())
    decoded: list[Event] = [STRICT.decode(event.value) for event in events]
    assert len(decoded) > 1_000
    assert [one.event_id for one in decoded] == [event.event_id for event in events]
    assert any(one.arg_origin for one in decoded)
    assert not all(one.arg_origin for one in decoded if one.kind == "tool_call")


@given(agents=st.integers(1, 60), seed=st.integers(0, 2**31), per_day=st.floats(0.5, 40.0), burst=st.floats(1.0, 6.0))
@settings(max_examples=20, deadline=None)
def test_any_fleet_is_in_time_order_with_ids_of_its_own(agents: int, seed: int, per_day: float, burst: float) -> None:
    """Time never steps back, no event id stands twice, and every session begins with its start."""
    fleet = Fleet(agents=agents, seed=seed, days=0.5, sessions_per_day=per_day, burst=burst)
    events = list(islice(fleet.stream(), 3_000))
    assert all(one.ts_ms <= other.ts_ms for one, other in pairwise(events))
    assert len({event.event_id for event in events}) == len(events)
    first: dict[str, bytes] = {}
    for event in events:
        first.setdefault(event.session_id, event.value)
    assert all(b'"name":"session_start"' in value for value in first.values())


@pytest.mark.integration
def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    """No draw depends on the hash of a string or the order of a set."""
    code = (
        "import hashlib\nfrom detector.simulate.fleet import Fleet\n"
        "s = Fleet(agents=30, seed=11, days=1.0).stream()\n"
        "print(hashlib.sha256(b'\\n'.join(e.value for e in s)).hexdigest())"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert out.stdout.strip() == _digest(Fleet(agents=30, seed=11, days=1.0))


def test_another_seed_gives_other_bytes() -> None:
    """The harmless twin: the seed matters."""
    assert _digest(Fleet(agents=30, seed=11, days=1.0)) != _digest(Fleet(agents=30, seed=12, days=1.0))


def test_a_longer_stream_begins_like_the_shorter_one() -> None:
    """More days add events and change none, but for the time of upgrades, which is given here."""
    span = (0.0, 1.0)
    short = list(Fleet(agents=30, seed=1, days=1.0, upgrades=span).stream())
    long = Fleet(agents=30, seed=1, days=2.0, upgrades=span)
    ended = int((long.start + DAY_S * 0.9) * 1000)
    assert [e.value for e in short if e.ts_ms < ended] == [e.value for e in long.stream() if e.ts_ms < ended]


def test_roles_hold_their_shares_in_a_small_fleet() -> None:
    """Ten roles whose shares sum to one, all of them there among a hundred agents."""
    assert len(ROLES) >= 8
    assert sum(role.share for role in ROLES) == pytest.approx(1.0)
    seen = Counter(Fleet(agents=100).agent(number).role.name for number in range(100))
    assert all(abs(seen[role.name] - 100 * role.share) <= 3 for role in ROLES)


def test_tasks_name_tools_that_their_role_has() -> None:
    """A task with an unknown tool would fail only in the session that draws it."""
    for role in ROLES:
        for task in role.tasks:
            assert all(role.tool(step.rstrip("+?~")) for step in task.steps)


def test_office_roles_rest_at_night_and_others_do_not() -> None:
    """Schedules show: an office zone's night is quieter than its day."""
    hours: dict[str, Counter[int]] = {"support": Counter(), "ops": Counter()}
    for event in Fleet(agents=300, seed=2, days=4.0).stream():
        role = event.agent_id.rsplit("-", 1)[0]
        if role in hours and b'"zone":"eu-west"' in event.value and b"session_start" in event.value:
            hours[role][event.ts_ms // 3_600_000 % 24] += 1
    night, day = range(4), range(9, 13)
    assert sum(hours["support"][h] for h in night) * 5 < sum(hours["support"][h] for h in day)
    assert sum(hours["ops"][h] for h in night) * 2 > sum(hours["ops"][h] for h in day)


def test_agents_are_upgraded_once() -> None:
    """Every agent starts at a version 1 and ends at a version 2."""
    versions: dict[str, list[str]] = {}
    for event in Fleet(agents=20, seed=4, days=12.0).stream():
        seen = versions.setdefault(event.agent_id, [])
        version = STRICT.decode(event.value).agent_version or ""
        if not seen or seen[-1] != version:
            seen.append(version)
    majors = [[version[0] for version in seen] for seen in versions.values()]
    assert all(seen in (["1"], ["2"], ["1", "2"]) for seen in majors)
    assert sum(seen == ["1", "2"] for seen in majors) > len(majors) // 2


def test_ordinary_work_has_errors_retries_and_new_things() -> None:
    """Detection must not be trivial: harmless sessions fail, retry and meet what nobody has met."""
    events = [STRICT.decode(event.value) for event in Fleet(agents=100, seed=5, days=5.0).stream()]
    calls = [event for event in events if event.kind not in ("llm_call", "lifecycle")]
    failed = sum(event.outcome == "error" for event in calls) / len(calls)
    assert 0.01 < failed < 0.08
    assert any(event.outcome == "denied" for event in calls)
    assert any(event.attributes.get("attempt", 1) != 1 and event.outcome == "ok" for event in calls)
    half = len(calls) // 2
    known = {event.target for event in calls[:half]}
    later = [event for event in calls[half:] if event.target is not None]
    assert 0.05 < sum(event.target not in known for event in later) / len(later) < 0.6


@pytest.mark.slow
def test_an_event_is_about_450_bytes() -> None:
    """The size that speed is measured with."""
    sizes = [len(event.value) for event in islice(Fleet(agents=100_000, seed=1).stream(), 20_000)]
    assert 420 < sum(sizes) / len(sizes) < 480


@pytest.mark.parametrize(("name", "value"), [("agents", 0), ("days", -1.0), ("burst", 0.5), ("pace", float("nan"))])
def test_a_fleet_that_cannot_be_is_refused(name: str, value: float) -> None:
    """The message names the setting and its rule."""
    with pytest.raises(SetupError, match=f"{name} of the simulated fleet must be at least"):
        Fleet(**{name: value})  # type: ignore[arg-type]


def test_a_roll_call_touches_every_agent_once_in_time_order() -> None:
    """One whole session each, begun and ended."""
    events = list(Fleet(agents=1_200, seed=3).roll_call(0.5))
    assert all(one.ts_ms <= other.ts_ms for one, other in pairwise(events))
    assert len({event.agent_id for event in events}) == len({event.session_id for event in events}) == 1_200
    assert sum(b'"name":"session_end"' in event.value for event in events) == 1_200
