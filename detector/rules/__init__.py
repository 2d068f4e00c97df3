"""Detections that need no history: they read events and say what they found. The table of all rules is here."""

from detector.rules.rule import ENTRIES, Hit, Rule, RuleEntry
from detector.rules.terms import credential_expired, grant_expired

RULES = {
    look.__name__: Rule(ENTRIES[look.__name__], look)
    for look in (
        credential_expired,
        grant_expired,
    )
}
"""Every rule by name; an entry of the catalogue without its function here, or the other way round, fails a test."""

__all__ = ["ENTRIES", "RULES", "Hit", "Rule", "RuleEntry"]
