"""Detections by rule, from the first event on: they read events and say what they found. The table of all is here."""

from detector.rules.allowed import outside_grant, unapproved
from detector.rules.denials import denied_elsewhere
from detector.rules.find import Acts, find
from detector.rules.inventory import Inventory
from detector.rules.memory import RuleMemory
from detector.rules.overdue import credential_age, grant_overdue
from detector.rules.protections import hook_failed, permission_bypass, sandbox_off
from detector.rules.registered import two_instances, unregistered
from detector.rules.rule import ENTRIES, SHIPPED, Hit, Rule, RuleEntry, RuleScene
from detector.rules.telemetry import session_cut, telemetry_gap
from detector.rules.terms import credential_expired, grant_expired
from detector.rules.tools import new_mcp_server, tool_redefined

RULES = {
    look.__name__: Rule(ENTRIES[look.__name__], look)
    for look in (
        credential_expired,
        grant_expired,
        permission_bypass,
        sandbox_off,
        hook_failed,
        telemetry_gap,
        session_cut,
        tool_redefined,
        new_mcp_server,
        denied_elsewhere,
        unregistered,
        outside_grant,
        credential_age,
        grant_overdue,
        two_instances,
        unapproved,
    )
}
"""Every rule by name; an entry of the catalogue without its function here, or the other way round, fails a test."""

__all__ = [
    "ENTRIES",
    "RULES",
    "SHIPPED",
    "Acts",
    "Hit",
    "Inventory",
    "Rule",
    "RuleEntry",
    "RuleMemory",
    "RuleScene",
    "find",
]
