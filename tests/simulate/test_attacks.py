"""Attacks look like the incidents they stand for, and ordinary sessions of the same agents do not."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

import msgspec
import pytest

from detector.schema.event import Event
from detector.simulate.attacks import KINDS, Kind
from detector.simulate.fleet import DAY_S, MONDAY, Fleet, Injection
from detector.simulate.render import Simulated

FLEET = Fleet(agents=200, seed=9)
AT = MONDAY + 5 * DAY_S
DECODER = msgspec.json.Decoder(Event)

Session = list[tuple[Simulated, Event]]


def _session(kind: Kind | None, agent: int = 17, number: int = 70, strength: int = 8) -> Session:
    injection = None if kind is None else Injection(kind, agent, AT, strength)
    return [(event, DECODER.decode(event.value)) for event in FLEET.session(agent, number, AT, injection)]


def _calls(session: Session, *, is_attack: bool) -> list[Event]:
    return [one for event, one in session if event.is_attack is is_attack and one.kind not in ("llm_call", "lifecycle")]


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_sits_inside_ordinary_work(kind: Kind) -> None:
    """Harmless events before and after, malicious ones labelled, nothing of the label in the bytes."""
    session = _session(kind)
    flags = [event.is_attack for event, _ in session]
    assert any(flags)
    assert not flags[0]
    assert not flags[-1]
    assert {event.attack for event, _ in session} == {kind}
    assert all(word not in event.value for event, _ in session for word in (b"attack", b"label", kind.encode()))


def test_an_ordinary_session_is_not_labelled() -> None:
    """The harmless twin of all kinds."""
    assert not any(event.is_attack or event.attack for event, _ in _session(None))


@pytest.mark.parametrize("agent", [3, 17, 40, 101])
def test_a_hijack_sends_much_to_a_host_named_by_tool_output(agent: int) -> None:
    """Exfiltration: a host ordinary work never meets, big uploads, origin tool."""
    sent = [one for one in _calls(_session("hijack", agent), is_attack=True) if one.kind in ("network", "message")]
    usual = {one.target for number in range(40) for one in _calls(_session(None, agent, number), is_attack=False)}
    assert sent
    assert all(one.target not in usual for one in sent)
    assert all((one.bytes_out or 0) > 50_000 for one in sent)
    assert all(one.arg_origin.get("target", "tool") == "tool" for one in sent)


def test_credential_misuse_uses_tools_of_another_role_and_is_refused_at_times() -> None:
    """Another agent's credential on tools the role does not have."""
    bad = _calls(_session("credential_misuse"), is_attack=True)
    own = {tool.name for tool in FLEET.agent(17).role.tools}
    assert not own & {one.name for one in bad}
    assert len({one.credential.id for one in bad if one.credential}) == 1
    assert f"cred-{bad[0].agent_id}" not in {one.credential.id for one in bad if one.credential}
    assert {"denied", "ok"} == {one.outcome for number in range(5) for one in
                                _calls(_session("credential_misuse", number=number), is_attack=True)}  # fmt: skip


def test_lateral_movement_fans_out_over_peers_and_hosts() -> None:
    """Many agents and hosts in one session, where ordinary sessions have at most a few."""
    bad = _calls(_session("lateral_movement"), is_attack=True)
    assert len({one.peer_agent_id for one in bad if one.peer_agent_id}) >= 5
    assert len({one.target for one in bad if one.kind == "network"}) >= 4
    zones = {one.peer_zone for one in bad if one.peer_zone}
    assert zones
    assert FLEET.agent(17).zone not in zones


def test_a_runaway_loop_repeats_one_call_at_machine_pace_with_a_growing_context() -> None:
    """Same tool, target and text again and again; tokens grow; pauses are far shorter than usual."""
    session = _session("runaway_loop")
    bad = _calls(session, is_attack=True)
    assert len(bad) >= 50
    assert len({(one.name, one.target) for one in bad}) == 1
    assert len({tuple(v for v in one.attributes.values() if isinstance(v, str)) for one in bad}) == 1
    tokens = [one.tokens_in or 0.0 for event, one in session if event.is_attack and one.kind == "llm_call"]
    assert tokens[-1] > 4 * tokens[0]
    gaps = [b.ts_ms - a.ts_ms for (a, _), (b, _) in pairwise(session) if a.is_attack]
    calm = _session(None)
    usual = [b.ts_ms - a.ts_ms for (a, _), (b, _) in pairwise(calm)]
    assert median(gaps) < median(usual) / 2


def test_a_slow_drift_reaches_further_each_time() -> None:
    """Reads grow from session to session, and places come that were not there before."""
    seen: list[set[str | None]] = []
    size: list[float] = []
    for strength in range(1, 13):
        bad = _calls(_session("slow_drift", number=strength, strength=strength), is_attack=True)
        seen.append({one.target for one in bad if str(one.target).startswith(("vault/", "restricted/"))})
        size.append(max(one.bytes_out or 0.0 for one in bad if one.kind == "data_access"))
    assert median(size[8:]) > 4 * median(size[:4])
    assert not any(seen[:3])
    assert all(now - before for before, now in pairwise(seen[4:]))


def test_attacks_come_besides_the_agents_ordinary_sessions() -> None:
    """The same fleet without attacks keeps the same number of harmless sessions."""
    attacked = Fleet(agents=20, seed=1, days=3.0, injections=(Injection("hijack", 4, MONDAY + DAY_S),))
    calm = Fleet(agents=20, seed=1, days=3.0)
    harmless = {event.session_id for event in attacked.stream() if not event.attack}
    assert len(harmless) == len({event.session_id for event in calm.stream()})
