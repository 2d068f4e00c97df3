"""What has gone on too long: credentials older than their agent may use, grants past the term that is on record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from detector.rules.criticality import declared_acts
from detector.rules.declared import SKEW_S, Term
from detector.rules.rule import Hit, RuleScene, short

MOST_RENEWALS: Final = 3
"""Renewals of a temporary grant, beyond which it is one without an end in all but name."""


def credential_age(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events whose credential was issued longer ago than the agent's entry allows; one cause a credential."""
    for act in declared_acts(scene, "credential"):
        held = act.event.credential
        if held is None or held.issued_at is None:
            continue
        age, most = act.now - held.issued_at.timestamp(), act.agent.facts.max_age_s
        if age > most + SKEW_S:
            words = {"credential": short(held.id), "age": _span(age), "most": _span(most)}
            yield Hit(act.place, short(held.id), words, act.severity("medium"))


def grant_overdue(scene: RuleScene) -> Iterator[Hit]:
    """Yield the events under a grant that its agent's entry does not have, that is over, or is renewed again and again.

    What the event says of the grant is not asked; one cause a grant and fault.
    """
    for act in declared_acts(scene, "grant"):
        if act.event.grant is None:
            continue
        name = act.event.grant.id
        term = next((one for one in act.agent.facts.grants if one.id == name), None)
        if (fault := _fault(term, act.now)) is not None:
            cause, words = fault[0], {"grant": short(name), "fault": fault[1]}
            yield Hit(act.place, f"{cause}/{short(name)}", words, act.severity("medium"))


def _fault(term: Term | None, now: float) -> tuple[str, str] | None:
    """Return what is wrong with a grant that is used, in a word and in a sentence; None if nothing is."""
    if term is None:
        return "unknown", "is not on record"
    if term.expires_at is not None and now > term.expires_at + SKEW_S:
        return "over", f"ended {_span(now - term.expires_at)} before"
    if term.temporary and term.renewals > MOST_RENEWALS:
        return "renewed", f"is temporary and was renewed {term.renewals} times"
    return None


def _span(seconds: float) -> str:
    """Return a span in whole seconds, as people read it."""
    return str(timedelta(seconds=int(seconds)))
