"""What every rendering of alerts must keep: one line of bytes, the same each time, apart for what is apart.

Each check returns faults, a sentence each; none if it holds.
"""

from __future__ import annotations

from collections.abc import Callable

from detector.schema.alert import Alert

NASTY = ('"quoted"', "back\\slash", "]bracket]", "line\nfeed\r", "nul\0", "ünïcode 日本", "\x1b[31mred", "a" * 1_024)
"""Strings an agent may choose: whoever renders them must neither break nor be broken by them."""


def faults_of_rendering(render: Callable[[Alert], bytes], alert: Alert) -> list[str]:
    """Return where a rendering of alerts to bytes breaks the law of renderings.

    Parameters
    ----------
    render : callable
        Returns what is sent of one alert.
    alert : Alert
        One that renders well; it is varied with strings agents may choose.
    """
    faults = []
    variants = [alert, *(alert.model_copy(update={"agent_id": text, "title": text, "zone": text}) for text in NASTY)]
    for one in variants:
        sent = render(one)
        if sent != render(one):
            faults.append(f"rendering of agent {one.agent_id!r:.40} must be the same each time, got another")
        if not sent or b"\n" in sent or b"\0" in sent:
            faults.append(f"rendering of agent {one.agent_id!r:.40} must be one line without NUL, got {sent[:40]!r}")
        try:
            sent.decode()
        except UnicodeDecodeError:
            faults.append(f"rendering of agent {one.agent_id!r:.40} must be UTF-8, got other bytes")
    if len({render(one) for one in variants}) != len(variants):
        faults.append("renderings of alerts that differ must differ, got the same for two")
    later = alert.model_copy(update={"counter": alert.counter + 1, "activity": "update"})
    if render(later) == render(alert):
        faults.append("rendering of an update must differ from its first alert, got the same")
    return faults
