"""Whether an incident is too early to tell: of a partition that is learning, or of a newcomer's first steps."""

from __future__ import annotations

from detector.alerts.findings import OF_RULES
from detector.alerts.leads import Lead
from detector.schema.alert import Alert


def is_early(alert: Alert, newer: Alert) -> bool:
    """Tell whether an incident is still too early to tell after a score spoke again, as `newer`.

    Only scores say: what a rule finds needs no history, and says nothing of whether a score has enough.
    """
    return newer.learning and (alert.learning or alert.score is None)


def is_lifted_by(alert: Alert, lead: Lead) -> bool:
    """Tell whether an act shows more than a newcomer's first steps, which was all its incident showed so far.

    Also one of a cause that was told: the same tool at the same place with a value that its peers do not use.
    """
    if not alert.learning or lead.known.is_learning or lead.cause.startswith(OF_RULES):
        return False
    return not lead.find().is_of_newcomer
