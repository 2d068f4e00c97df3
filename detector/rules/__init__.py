"""Detections by rule, from the first event on: they read events and say what they found. The table of all is here."""

from detector.rules.acts import approval_pressed, approval_too_fast, irreversible_burst, self_approved
from detector.rules.allowed import outside_grant, unapproved
from detector.rules.containments import Containments, StandingCommand
from detector.rules.crossings import new_crossing, zone_crossing, zone_mismatch
from detector.rules.delegation import delegation_burst, principal_changed
from detector.rules.denials import denied_elsewhere
from detector.rules.escape import escape
from detector.rules.find import Acts, find
from detector.rules.flow import memory_tainted, toxic_flow
from detector.rules.inventory import Inventory
from detector.rules.loops import no_progress, token_burn
from detector.rules.memory import RuleMemory
from detector.rules.models import model_substituted, prompt_changed
from detector.rules.overdue import credential_age, grant_overdue
from detector.rules.presence import LastAct
from detector.rules.probing import access_probing, enumeration
from detector.rules.protections import hook_failed, permission_bypass, sandbox_off
from detector.rules.registered import two_instances, unregistered
from detector.rules.rule import ENTRIES, SHIPPED, Hit, Rule, RuleEntry, RuleScene
from detector.rules.silence import silent_agent
from detector.rules.telemetry import session_cut, telemetry_gap
from detector.rules.terms import credential_expired, grant_expired
from detector.rules.texts import secret_harvest, shell_attack
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
        toxic_flow,
        access_probing,
        enumeration,
        no_progress,
        token_burn,
        secret_harvest,
        shell_attack,
        irreversible_burst,
        approval_pressed,
        self_approved,
        approval_too_fast,
        principal_changed,
        delegation_burst,
        memory_tainted,
        model_substituted,
        prompt_changed,
        escape,
        silent_agent,
        unregistered,
        outside_grant,
        credential_age,
        grant_overdue,
        two_instances,
        unapproved,
        zone_crossing,
        zone_mismatch,
        new_crossing,
    )
}
"""Every rule by name; an entry of the catalogue without its function here, or the other way round, fails a test."""

__all__ = [
    "ENTRIES",
    "RULES",
    "SHIPPED",
    "Acts",
    "Containments",
    "Hit",
    "Inventory",
    "LastAct",
    "Rule",
    "RuleEntry",
    "RuleMemory",
    "RuleScene",
    "StandingCommand",
    "find",
]
