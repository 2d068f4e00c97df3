"""The inventory of a made-up fleet: one entry an agent, as a platform team that knows its agents would write it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from detector.schema.registry import Approved, CredentialRule, GrantEntry, RegistryEntry
from detector.simulate.agent import Agent
from detector.simulate.fleet import DAY_S, HOUR_S, Fleet, Injection
from detector.simulate.registered import CRITICALITY
from detector.simulate.render import exception_grant
from detector.simulate.session import LOGIN
from detector.simulate.stories import BACKUPS, UNDER_GRANT, story_grant
from detector.simulate.targets import COMPANY, TEAMS, usual_peers
from detector.simulate.words import FIRMS

BY: Final = f"platform@{COMPANY}"
WHY: Final = "inventory of the made-up fleet"
_NAMES: Final = "|".join(FIRMS)
_TEAM: Final = "|".join(TEAMS)
PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    "ticket": ("TCK-*",),
    "customer": ("cust-*",),
    "order": ("ORD-*",),
    "article": ("kb/*",),
    "contact": (f"*@{COMPANY}", rf"re:[a-z.]+@({_NAMES})\.example"),
    "channel": ("#*",),
    "api": (rf"re:api\.({_NAMES})\.example",),
    "site": ("www.*.example", "docs.*.example"),
    "repo": (f"git.{COMPANY}/*",),
    "file": (rf"re:/srv/({_TEAM})/.+",),
    "registry": ("registry.npm.example", "packages.python.example"),
    "engine": ("search.lumen.example", "search.zephyr.example"),
    "report": ("/shared/reports/*",),
    "invoice": ("INV-2026-*",),
    "vendor": ("vendor-*",),
    "ledger": ("ledger/*",),
    "service": ("*.svc.internal",),
    "secret": (rf"re:vault/({_TEAM})/.+",),
    "schema": (rf"re:warehouse\.({_TEAM})",),
    "table": (rf"re:warehouse\.({_TEAM})\..+",),
    "bucket": (rf"re:s3://({_TEAM})-reports/.+",),
    "shop": (rf"re:shop\.({_NAMES})\.example",),
    "employee": ("emp-*",),
    "document": ("/shared/cv/*",),
    "alert": ("ALR-*",),
}
"""Family of targets -> what is declared of it; agents that are asked are declared by name."""
PURPOSES: Final[dict[str, str]] = {
    "support": "answers tickets of customers and refunds orders",
    "coder": "changes code in the team's repositories",
    "researcher": "reads the web and writes reports",
    "finance": "matches invoices, pays vendors and keeps the ledger",
    "ops": "watches services and restarts them",
    "data-analyst": "answers questions from the warehouse",
    "shopper": "buys what employees ask for",
    "hr": "reads applications and keeps records of employees",
    "sales": "prepares offers and keeps the list of customers",
    "triage": "looks at alerts of security and closes them",
}
"""Role -> what its agents are for."""
OVERDUE_S: Final = 0.5 * HOUR_S
"""Seconds after its term at which the grant of a story is used again: well beyond the skew of clocks."""
TERM_S: Final = 5.0 * DAY_S


@dataclass(frozen=True, slots=True)
class Terms:
    """The temporary grants of a fleet's exceptions: since when, until when, and how often renewed.

    What was renewed before the entries were written is no revision of them.
    """

    granted_at: float
    expires_at: float
    renewals: int = 0


def entries_of(fleet: Fleet, terms: Terms, at: float, injections: Iterable[Injection] = ()) -> Iterator[RegistryEntry]:
    """Yield the entry of each agent of a fleet, by number; harmless work lies within them.

    Parameters
    ----------
    fleet : Fleet
        Whose agents work as registered ones do.
    terms : Terms
        Of the exceptions that are in use.
    at : float
        When the entries were written, epoch seconds.
    injections : iterable of Injection
        What is injected: an overdue grant stands on record, with a term that ended before.
    """
    ended = {one.agent: one.start for one in injections if one.kind == "overdue_grant" and one.strength}
    for number in range(fleet.agents):
        agent = fleet.agent(number)
        grants = tuple(_grants(agent, terms, ended.get(number)))
        yield _entry(agent, at, grants)


def renewed(entries: Iterable[RegistryEntry], until: float, at: float) -> Iterator[RegistryEntry]:
    """Yield a further revision of those entries whose exception is in use: its grant renewed, once more."""
    for entry in entries:
        name = exception_grant(entry.agent_id)
        grants = tuple(
            one.model_copy(update={"expires_at": until, "renewals": one.renewals + 1}) if one.id == name else one
            for one in entry.grants
        )
        if grants != entry.grants:
            stamp = {"revision": entry.revision + 1, "at": at, "reason": "exception renewed, asked for by its owner"}
            yield entry.model_copy(update={**stamp, "grants": grants})


def _entry(agent: Agent, at: float, grants: tuple[GrantEntry, ...]) -> RegistryEntry:
    role = agent.role
    families = dict.fromkeys(tool.family for tool in role.tools if tool.family)
    peers = tuple(dict.fromkeys(usual_peers(agent))) if "peer" in families else ()
    targets = [pattern for family in families for pattern in PATTERNS.get(family, ())]
    version = agent.version(agent.upgrade)[1:]
    return RegistryEntry(
        agent_id=agent.agent_id,
        revision=1,
        at=at,
        by=BY,
        reason=WHY,
        lifecycle="active",
        owner=f"{TEAMS[agent.own % len(TEAMS)]}@{COMPANY}",
        purpose=PURPOSES[role.name],
        criticality=CRITICALITY[role.name],
        agent_type=role.name,
        zone=agent.zone,
        tools=tuple(tool.name for tool in (*role.tools, LOGIN) if tool.name != agent.exception),
        targets=(*dict.fromkeys(targets), *peers, f"idp.{COMPANY}", agent.model),
        peers=peers,
        approved=Approved(versions=(f"1{version}", f"2{version}"), models=(agent.model,)),
        credential=CredentialRule(kind="short-lived token"),
        grants=grants,
    )


def _grants(agent: Agent, terms: Terms, overdue: float | None) -> Iterator[GrantEntry]:
    approver = f"security@{COMPANY}"
    if agent.exception:
        yield GrantEntry(
            id=exception_grant(agent.agent_id),
            granted_at=terms.granted_at,
            expires_at=terms.expires_at,
            temporary=True,
            approver=approver,
            renewals=terms.renewals,
            tools=(agent.exception,),
        )
    if overdue is not None:
        end = overdue - OVERDUE_S
        yield GrantEntry(
            id=story_grant(agent.agent_id),
            granted_at=end - TERM_S,
            expires_at=end,
            temporary=True,
            approver=approver,
            tools=(UNDER_GRANT.name,),
            targets=(f"{BACKUPS}*",),
        )
