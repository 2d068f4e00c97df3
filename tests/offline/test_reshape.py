"""Other shares and other times of attacks: ids stay unique, time stays in order, what is harmless stays as it was."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import SetupError
from detector.offline.episodes import seconds
from detector.offline.labels import EventLabel, SessionLabel
from detector.offline.reshape import LabelledStream, into_window, merged, shifted, with_attack_share
from tests.offline.stand_in import event

LIVE = 20
"""Session from which on the made-up stream is live; every fifth of those is an attack."""


def _stream(sessions: int = 60) -> LabelledStream:
    """Return overlapping sessions of three events each, a minute apart."""
    rows = []
    labels = {}
    for number in range(sessions):
        is_attack = number >= LIVE and number % 5 == 0
        labels[f"s{number}"] = SessionLabel("a", "", number >= LIVE, is_attack, "theft" if is_attack else "")
        rows += [(number * 60 + step * 45, number, step) for step in range(3)]
    lines, marks = [], {}
    for at, number, step in sorted(rows):
        name = f"e{number}-{step}"
        lines.append(event(at, event_id=name, session_id=f"s{number}", trace_id=f"t{number}"))
        marks[name] = EventLabel(number >= LIVE and number % 5 == 0 and step == 1, "")
    return LabelledStream(lines, labels, marks)


def _bodies(stream: LabelledStream) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.lines]


def _attacks(stream: LabelledStream) -> set[str]:
    return {name for name, label in stream.sessions.items() if label.is_live and label.is_attack}


shares = st.one_of(st.just(0.0), st.floats(0.001, 0.9))


@given(share=shares, seed=st.integers(0, 20))
def test_the_share_is_reached_with_unique_ids_in_order_of_time(share: float, seed: int) -> None:
    """To the nearest session; thinned or repeated alike."""
    made = with_attack_share(_stream(), share, seed)
    harmless = 32
    assert len(_attacks(made)) == round(share / (1.0 - share) * harmless)
    bodies = _bodies(made)
    times = [seconds(body["ts"]) for body in bodies]
    assert times == sorted(times)
    ids = Counter(body["event_id"] for body in bodies)
    assert ids.most_common(1)[0][1] == 1
    assert {body["session_id"] for body in bodies} == set(made.sessions)
    assert made.events is not None
    assert set(ids) == set(made.events)


@given(share=shares, seed=st.integers(0, 20))
def test_harmless_sessions_stay_to_the_byte_and_in_order(share: float, seed: int) -> None:
    """Only attacks are taken out or added, and each has all its events and labels."""
    stream, made = _stream(), with_attack_share(_stream(), share, seed)
    attacks = _attacks(stream)
    kept = [line for line in stream.lines if json.loads(line)["session_id"] not in attacks]
    assert [line for line in made.lines if json.loads(line)["session_id"] not in _attacks(made)] == kept
    assert made.events is not None
    counts = Counter(body["session_id"] for body in _bodies(made))
    marks = Counter(body["session_id"] for body in _bodies(made) if made.events[body["event_id"]].is_attack)
    assert {counts[name] for name in _attacks(made)} <= {3}
    assert marks == Counter(_attacks(made))


@pytest.mark.parametrize("share", [0.05, 0.6])
def test_a_seed_chooses_and_chooses_again_the_same(share: float) -> None:
    """The same seed, the same bytes; another seed, other attacks or other times."""
    one, again, other = (with_attack_share(_stream(), share, seed).lines for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_attacks_are_repeated_evenly_within_the_live_part() -> None:
    """Eight attacks become 32: each four times, a copy as long as its original, with a trace of its own."""
    made = with_attack_share(_stream(), 0.5, 0)
    copies = Counter(name.split("~")[0] for name in _attacks(made))
    assert set(copies.values()) == {4}
    spans: dict[str, list[float]] = {}
    for body in _bodies(made):
        spans.setdefault(body["session_id"], []).append(seconds(body["ts"]))
    assert {round(max(times) - min(times), 3) for name, times in spans.items() if "~" in name} == {90.0}
    first = min(spans[f"s{LIVE}"])
    assert all(min(times) >= first for name, times in spans.items() if "~" in name)
    traces = {(body["session_id"], body["trace_id"]) for body in _bodies(made) if "~" in body["session_id"]}
    assert all(session == trace for session, trace in traces)


def test_a_copy_takes_no_name_that_is_taken() -> None:
    """Whoever called a session like a copy keeps the name."""
    stream = _stream()
    stream.sessions["s20~1"] = SessionLabel("a", "", True, False, "")
    lines = [*stream.lines, event(9_000, event_id="e20-0~1", session_id="s20~1")]
    made = with_attack_share(stream._replace(lines=lines), 0.9, 0)
    assert Counter(body["event_id"] for body in _bodies(made)).most_common(1)[0][1] == 1
    assert not made.sessions["s20~1"].is_attack


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    """One means no harmless session at all."""
    with pytest.raises(SetupError, match="attack-share must be at least 0 and below 1"):
        with_attack_share(_stream(), share, 0)


def test_no_attack_cannot_be_repeated() -> None:
    """None stays none; more is refused."""
    stream = _stream()
    quiet = with_attack_share(stream, 0.0, 0)
    assert _attacks(quiet) == set()
    assert with_attack_share(quiet, 0.0, 0).lines == quiet.lines
    with pytest.raises(SetupError, match="there is none to repeat"):
        with_attack_share(quiet, 0.1, 0)


def test_attacks_without_sessions_are_refused() -> None:
    """Taking them out would take the agent out."""
    lines = [event(1, agent_id="x"), event(2, agent_id="y")]
    labels = {name: SessionLabel(name, "", True, name == "x", "") for name in "xy"}
    with pytest.raises(SetupError, match="session_id of an attack's events must be given"):
        with_attack_share(LabelledStream(lines, labels), 0.0, 0)


@given(seed=st.integers(0, 20))
def test_a_wave_has_all_attacks_in_its_window(seed: int) -> None:
    """Each begins within it; nothing is lost, time stays in order."""
    stream, made = _stream(), into_window(_stream(), 300.0, seed)
    begins: dict[str, float] = {}
    for body in _bodies(made):
        begins.setdefault(body["session_id"], seconds(body["ts"]))
    found = [begins[name] for name in _attacks(made)]
    assert max(found) - min(found) <= 300.0
    times = [seconds(body["ts"]) for body in _bodies(made)]
    assert times == sorted(times)
    assert {body["event_id"] for body in _bodies(made)} == {body["event_id"] for body in _bodies(stream)}


def test_what_an_event_says_is_valid_moves_with_it() -> None:
    """Else a moved session would bear expired credentials, and a rule would find that."""
    body = {
        "ts": "2026-03-02T00:00:00Z",
        "credential": {"id": "c", "issued_at": "2026-03-01T00:00:00+00:00", "expires_at": None},
        "grant": {"expires_at": "2026-03-03T00:00:00Z"},
    }
    found = shifted(body, 3_600.5)
    assert found["ts"] == "2026-03-02T01:00:00.500Z"
    assert found["credential"] == {"id": "c", "issued_at": "2026-03-01T01:00:00.500Z", "expires_at": None}
    assert found["grant"] == {"expires_at": "2026-03-03T01:00:00.500Z"}
    assert shifted({"ts": "no time", "credential": "none"}, 1.0) == {"ts": "no time", "credential": "none"}


def test_lines_out_of_order_keep_their_places() -> None:
    """What is put in between goes by the newest before it."""
    lines = [event(10), event(50), event(20), b"no event", event(60)]
    found = merged(lines, [event(40), event(15), event(55)])
    assert [line for line in found if line in lines] == lines
    numbers = [msgspec.json.decode(line)["event_id"] for line in found if line != b"no event"]
    assert numbers == ["e10", "e15", "e40", "e50", "e20", "e55", "e60"]
