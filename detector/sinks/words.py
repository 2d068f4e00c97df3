"""What an alert says to a person: what happened, how sure it is, and the commands that answer it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from detector.schema.alert import OF_SEVERAL
from detector.schema.shown import shown
from detector.schema.tenant import DEFAULT_TENANT

if TYPE_CHECKING:
    from detector.schema.alert import Alert, ContainedNote, Contribution
    from detector.schema.zone_cut import ZoneCut

MOST_TITLE: Final = 256
"""Letters of a title in a sentence."""
MOST_ID: Final = 64
"""Letters of an enforcement point's name."""
VERDICTS: Final = (
    ("confirm", "if it is an attack"),
    ("dismiss", "if it happened and is harmless"),
    ("safe", "if it is normal and may be learned"),
)
"""Verdicts that answer a finding, and when each is right."""
RUNBOOK: Final = "models/profiles/{profile}/runbook.md"
GUIDE: Final = "docs/alerts.md"
TOGETHER: Final = "docs/graph.md"
EARLY: Final = "learning: too early to tell, so it is medium at most and nobody is contained for it"
_MOST_DIGITS: Final = 15.0
_BASES: Final = {
    "confirmed": ", told because its cause was confirmed to be an attack",
    "indicator": ", told because it carries a value of a confirmed attack",
}
VOICES: Final = {
    "own": "its own history",
    "peers": "its peers",
    "fleet": "the fleet",
    "forest": "the isolation forest",
    "half_space": "the half-space trees",
    "rule": "a rule",
}
"""Who knew what would have been usual."""


def in_a_sentence(alert: Alert) -> str:
    """Return an alert as one line for a list of messages: what, who, how strange, and the main reason."""
    title = shown(alert.title, MOST_TITLE)
    who = shown(alert.agent_id, MOST_TITLE)
    why = f"; {_reason(alert.contributions[0])}" if alert.contributions else ""
    return f"{title} (agent {who}, risk {alert.risk}): {how_rare(alert)}{why}"


def how_rare(alert: Alert) -> str:
    """Return how rare a session is, never rarer than those it was held against can show, and from when on one alerts.

    The score carries on beyond the strangest session that was seen, by the tail of the others. What is said does not:
    of a session that none was as strange as it says just that.
    """
    if alert.is_nobodys:
        return "the detector's word about itself"
    if alert.score is None:
        return "found by a rule, whatever is usual"
    return f"{_counted(alert)}{_held_to(alert)}"


def how_rare_and_how_often(alert: Alert) -> str:
    """Return how rare a session is, and how many of its events alert."""
    acts = f" Events that alert: {alert.events_over} of {alert.events}." if is_judged(alert) else ""
    return f"{capital(how_rare(alert))}.{acts}"


def is_judged(alert: Alert) -> bool:
    """Tell whether a session's score has spoken, and not only a rule, or the detector of itself."""
    return alert.score is not None and not alert.is_nobodys


def one_in(alert: Alert) -> int | None:
    """Return N where one in N sessions is as strange, as far as those it was held against can show; None if untold."""
    known, stranger = alert.recent_sessions, alert.recent_as_strange or 1
    if alert.score is None or alert.is_nobodys or not known:
        return None
    return max(1, round(min(_one_in(alert.score), (known + 1) / stranger)))


def threshold_one_in(alert: Alert) -> int | None:
    """Return N where one in N sessions may alert, None if no score of a session has spoken."""
    return None if alert.threshold is None or alert.is_nobodys else round(_one_in(alert.threshold))


def seen_and_expected(alert: Alert) -> str:
    """Return how sure an alert is, and what each channel saw beside what is usual."""
    parts = [capital(how_rare(alert)) + _behind(alert)]
    parts += [f"{part.channel}: {_reason(part)}" for part in alert.contributions]
    if alert.incident_sessions > 1:
        parts.append(f"session {alert.incident_sessions} of incident {alert.incident_uid}{_before(alert)}")
    if alert.contained is not None:
        parts.append(_contained(alert.contained))
    if alert.learning:
        parts.append(EARLY)
    if alert.folded:
        parts.append(f"{alert.folded} more causes are not listed")
    return "; ".join(parts)


def next_steps(alert: Alert) -> list[str]:
    """Return what to do, each a line, the command at its end: read, answer, and lift what may have been contained.

    Names stand in the commands as one word for a POSIX shell, whatever is in them. An id that no command line can hold
    gets no command.
    """
    steps = [f"read {runbook(alert)}"]
    if alert.detection in OF_SEVERAL:
        return [*steps, f"see who called whom: detector graph {alert.finding_uid} --out {alert.finding_uid[:8]}.svg"]
    if alert.is_nobodys:
        return steps
    steps += [f"{what}: detector verdict {alert.finding_uid} {kind} --by NAME --reason TEXT" for kind, what in VERDICTS]
    if alert.score is None and alert.contained is None:
        return steps
    agent, tenant = shell_word(alert.agent_id), shell_word(f"--tenant={alert.tenant}")
    held = "if it is contained" if alert.contained is None else f"it is contained ({alert.contained.tier})"
    if agent is None or tenant is None:
        return [*steps, f"{held}: wait until its term is over, its id cannot stand on a command line"]
    where = "" if alert.tenant == DEFAULT_TENANT else f" {tenant}"
    steps.append(f"{held}, to lift it: detector release --by NAME --reason TEXT{where} -- {agent}")
    return steps if alert.cut is None else [*steps, _cut(alert.cut, f"{where} -- {agent}")]


def runbook(alert: Alert) -> str:
    """Return where it is written what to do, within the project."""
    if alert.detection in OF_SEVERAL:
        return TOGETHER
    return GUIDE if alert.is_nobodys or alert.score is None else RUNBOOK.format(profile=alert.profile)


def shell_word(text: str) -> str | None:
    r"""Return a text as one word of a POSIX shell's command line, in printable ASCII; None if it cannot be one.

    Examples
    --------
    >>> print(shell_word("a; rm -rf ~"), shell_word("it's"), shell_word("a\n"), shell_word("a\0"))
    'a; rm -rf ~' 'it'"'"'s' $'a\x0a' None
    """
    if "\0" in text:
        return None
    if text.isascii() and text.isprintable():
        return shlex.quote(text)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return None
    return "$'" + "".join(_byte(one) for one in data) + "'"


def capital(text: str) -> str:
    """Return a text with its first letter in capital."""
    return text[:1].upper() + text[1:]


def _one_in(rarity: float) -> float:
    return float(10.0 ** min(max(rarity, 0.0), _MOST_DIGITS))


_BY: Final = "by its peers or by how far it lies out"
MUCH: Final = 1.5
"""Times rarer by its count than by its score, from which an alert says why."""


def _counted(alert: Alert) -> str:
    """Return how rare it is, and how many of how many sessions were as strange."""
    known, stranger, rarity = alert.recent_sessions, alert.recent_as_strange, one_in(alert)
    if rarity is None:
        return "stranger than usual, on how many sessions that rests is not told"
    if known == 1:
        return "one session is known to hold it against"
    if stranger is None:
        return f"about 1 in {rarity:,} of {known:,} recent sessions is as strange"
    if not stranger:
        return f"the strangest of {known:,} recent sessions"
    taken = _one_in(alert.score or 0.0)
    held = f", held to be rarer {_BY}" if taken > rarity + 1 else ""
    held = f", held to be commoner {_BY}" if MUCH * taken < (known + 1) / (stranger + 0.5) else held
    return f"about 1 in {rarity:,} is as strange, {stranger:,} of {known:,} recent sessions{held}"


def _held_to(alert: Alert) -> str:
    """Return from which rarity on a session alerts, and why this one did if it is not as rare."""
    if alert.threshold is None or alert.score is None:
        return ""
    if alert.score >= alert.threshold:
        return f"; alerts from 1 in {threshold_one_in(alert):,} on"
    return f"; below the threshold of 1 in {threshold_one_in(alert):,}{_BASES.get(alert.basis, '')}"


def _byte(one: int) -> str:
    """Return a byte within ``$'...'``: an escape where it is no plain letter, digit or mark."""
    letter = chr(one)
    return letter if 32 <= one < 127 and letter not in "'\\" else f"\\x{one:02x}"


def _reason(part: Contribution) -> str:
    behind = f" ({VOICES[part.voice]}, n = {part.n})" if part.voice != "rule" else ""
    return f"{part.observed}; usual: {part.expected}{behind}"


def _behind(alert: Alert) -> str:
    if alert.score is None or not (alert.own_sessions or alert.peer_sessions):
        return ""
    return f"; judged on {alert.own_sessions} sessions of its own and {alert.peer_sessions} of its peers"


def _contained(note: ContainedNote) -> str:
    """Return what already holds of the agent, until when, and whether anybody obeys it."""
    until = "until a person lifts it" if note.until is None else f"until {_moment(note.until)}"
    by = f"obeyed by {shown(note.acknowledged_by, MOST_ID)}" if note.acknowledged_by else "nobody has acknowledged it"
    return f"already contained: {note.tier} since {_moment(note.since)}, {until}, {by}"


def _moment(seconds: float) -> str:
    """Return a time of an event to the second, in UTC; as a number where no calendar has it."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s"


def _cut(cut: ZoneCut, whose: str) -> str:
    """Return which edges are cut where its agent is isolated; by which tools the command says."""
    sides = (("acts on", cut.out_of), ("is reached from", cut.into))
    told = [f"{verb} {', '.join(shown(one, MOST_ID) for one in names)}" for verb, names in sides if names]
    more = [f"{cut.left} more"] if cut.left else []
    edges = "; ".join([*told, *more]) or "no other zone is declared to be reached"
    return f"to isolate it cut zone {shown(cut.zone, MOST_ID)} ({edges}): detector registry zones cut{whose}"


def _before(alert: Alert) -> str:
    """Return which sessions were in the incident before, the newest first, and how many more."""
    if not alert.incident_earlier:
        return ""
    named = [f"{one.session_id or 'without id'} of {one.agent_id}" for one in alert.incident_earlier]
    more = alert.incident_sessions - 1 - len(named)
    return ", after " + ", ".join(named) + (f" and {more} more" if more > 0 else "")
