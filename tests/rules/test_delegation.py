"""Sessions that change whom they act for, agents that call all others, with their harmless twins."""

from __future__ import annotations

from typing import Any

import pytest

from detector.pipeline import Pipeline
from detector.rules.delegation import LEAST_PEERS, MOST_PRINCIPALS, PEERS_S
from tests.rules.told import causes, found_in, news, of_one
from tests.streams import Script, feed, quick

PRINCIPAL, BURST = {"enabled": ("principal_changed",)}, {"enabled": ("delegation_burst",)}
KIM, LEE = {"on_behalf_of": "kim@corp.example"}, {"on_behalf_of": "lee@corp.example"}


def test_a_session_that_goes_on_for_another_principal_alerts_and_names_neither() -> None:
    """Whom it is for is a person's name, and stands in the event alone."""
    (alert,) = of_one(KIM, LEE, **PRINCIPAL)
    assert (alert.detection, alert.severity) == ("rule.principal_changed", "high")
    assert alert.contributions[0].observed == "an act on behalf of another than the session began for"


@pytest.mark.parametrize(
    "bodies",
    [[KIM, KIM], [KIM, {**LEE, "session_id": "s-2"}], [KIM, {**LEE, "agent_id": "a-2"}], [KIM, {}, KIM], [{}, LEE]],
)
def test_one_principal_a_session_is_silent(bodies: list[dict[str, Any]]) -> None:
    """The twins: also one who is not named at every act."""
    assert of_one(*bodies, **PRINCIPAL) == []


def test_sessions_without_end_are_followed_in_the_last_ones() -> None:
    """Notes are bounded."""
    script, pipeline = Script(), Pipeline(quick(rules=PRINCIPAL))
    feed(pipeline, [script.event(**{**KIM, "session_id": f"s-{n}"}) for n in range(500)])
    ((_, facts),) = pipeline.state.rule_memory.shards(full=True).items()
    assert len(facts["principal_changed"][0][3]) == MOST_PRINCIPALS
    assert news(pipeline, script.event(**{**LEE, "session_id": "s-499"})) == ["rule.principal_changed/principal"]


def calls(count: int) -> list[dict[str, Any]]:
    """Return calls of as many agents."""
    return [{"name": "ask", "kind": "message", "peer_agent_id": f"b-{n}"} for n in range(count)]


def test_twelve_agents_called_within_minutes_alert_once() -> None:
    """It tells how many."""
    (alert,) = of_one(*calls(3 * LEAST_PEERS), **BURST)
    assert alert.causes == ("rule.delegation_burst/peers",)
    assert alert.contributions[0].observed == "12 different agents called within ten minutes"


def test_one_agent_again_and_again_fewer_and_an_orchestrator_are_silent() -> None:
    """The twins: an orchestrator is told of once, and is known from then on."""
    assert of_one(*calls(1) * 50, **BURST) == []
    assert of_one(*calls(LEAST_PEERS - 1), **BURST) == []
    script, pipeline = Script(), Pipeline(quick(rules=BURST))
    for one in calls(4 * LEAST_PEERS):
        script.now += PEERS_S / (LEAST_PEERS - 1)
        assert found_in(pipeline, script.event(**one)) == []
    pipeline, found = Pipeline(quick(rules=BURST)), []
    for day in range(3):
        script.now += 90_000.0
        found.append(news(pipeline, *(script.event(**{**one, "session_id": f"s-{day}"}) for one in calls(20))))
    assert found == [["rule.delegation_burst/peers"], [], []]
    assert causes(of_one(*calls(20), **BURST)) == ["rule.delegation_burst/peers"]
