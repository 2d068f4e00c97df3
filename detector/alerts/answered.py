"""What people said of findings by rules: a dismissed cause is quiet for its agent, a disabled rule for a time.

A score's causes have their casebook (:mod:`detector.steps.casebook`); a rule knows no score, so here a cause is quiet
whatever it is about, and is shown again at each doubling, so that one wrong answer hides no wave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from detector.alerts.findings import OF_RULES
from detector.steps.casebook import FIRST_SHOWN
from detector.steps.cases import Ruling

MOST_ANSWERS: Final = 256
"""Answers kept; the oldest leave first, and what they kept quiet is told again."""
EVERYONE: Final = 0

Owners = tuple[int, int]
"""Names of an agent and of the peer group it is held against; a group of 0 is none."""


@dataclass(slots=True)
class RuleAnswer:
    """What is kept quiet since a verdict.

    Parameters
    ----------
    uid, agent : str, int
        The finding it was given on, and that one's agent.
    until : float or None
        Event time at which it is over, epoch seconds; None if it stays.
    hidden : int
        Sessions of which it hid something.
    session : int
        The last one.
    """

    uid: str
    agent: int
    until: float | None = None
    hidden: int = 0
    session: int = 0

    def hides(self, session: int) -> bool:
        """Tell whether nothing is told of a session: not the fourth that would be, nor each doubling."""
        if self.session != session:
            self.session, self.hidden = session, self.hidden + 1
        return self.until is not None or self.hidden < FIRST_SHOWN or self.hidden.bit_count() != 1


class RuleAnswers:
    """The answers of one partition.

    Attributes
    ----------
    answers : dict of (str, int) to RuleAnswer
        By what is quiet, a cause or a whole rule (``rule.name``), and for whom: an agent, a peer group, or everyone.
    hidden, expired : int
        How often a session was quiet; answers whose time was over.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int], RuleAnswer] = {}
        self.hidden = 0
        self.expired = 0

    def is_quiet(self, cause: str, session: int, owners: Owners, at: float) -> bool:
        """Tell whether what a rule found is not told; forgets what is over.

        Parameters
        ----------
        cause : str
            As in the alert, ``rule.name/...``.
        session : int
            Name of the session, or the event's id outside of one.
        owners : (int, int)
            Names of agent and peer group.
        at : float
            The watermark, epoch seconds.
        """
        if not self.answers:
            return False
        rule, (agent, group) = cause.partition("/")[0], owners
        for key in ((cause, agent), (rule, agent), (rule, group), (rule, EVERYONE)):
            answer = self.answers.get(key)
            if answer is None:
                continue
            if answer.until is not None and at >= answer.until:
                del self.answers[key]
                self.expired += 1
                continue
            is_first = answer.session != session
            if answer.hides(session):
                self.hidden += is_first
                return True
        return False

    def take(self, uid: str, causes: Sequence[str], owners: Owners, ruling: Ruling) -> bool:
        """Let a verdict on a finding take effect, the last one on it taken back; return whether that changed any.

        A cause that another finding's dismissal keeps quiet stays that one's.

        Parameters
        ----------
        uid : str
            The finding.
        causes : sequence of str
            Its causes, none if it is not remembered; those of scores are passed over.
        owners : (int, int)
            Names of its agent and that one's peer group.
        ruling : Ruling
            What was said; `confirm` and `undo` leave nothing quiet.
        """
        agent = owners[0]
        told = {key: answer for key, answer in self.answers.items() if (answer.uid, answer.agent) == (uid, agent)}
        wanted = dict(_kept_quiet(causes, owners, ruling))
        if ruling.said == "confirm":
            # it may be another session's finding that showed it again
            told |= {key: self.answers[key] for cause in causes if (key := (cause, agent)) in self.answers}
        if ruling.said != "disable":
            wanted = {key: until for key, until in wanted.items() if key in told or key not in self.answers}
        if wanted == {key: answer.until for key, answer in told.items()}:
            return False
        for key in told:
            del self.answers[key]
        for key, until in wanted.items():
            self.answers.pop(key, None)
            self.answers[key] = RuleAnswer(uid, agent, until)
        while len(self.answers) > MOST_ANSWERS:
            del self.answers[next(iter(self.answers))]
        return True

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        answers = [[*key, asdict(answer)] for key, answer in self.answers.items()]
        return {"answers": answers, "hidden": self.hidden, "expired": self.expired}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        self.answers = {(str(what), int(who)): RuleAnswer(**answer) for what, who, answer in facts["answers"]}
        self.hidden, self.expired = int(facts["hidden"]), int(facts["expired"])


def _kept_quiet(
    causes: Sequence[str], owners: Owners, ruling: Ruling
) -> Iterator[tuple[tuple[str, int], float | None]]:
    """Yield what a verdict keeps quiet, for whom, and until when."""
    agent, group = owners
    # strangers are no group: what is said of one of them is not said of everyone
    who = {"agent": agent, "group": group or agent, "everyone": EVERYONE}[ruling.scope]
    for cause in causes:
        if cause.startswith(OF_RULES) and ruling.said == "disable":
            yield (cause.partition("/")[0], who), ruling.until
        elif cause.startswith(OF_RULES) and ruling.said in ("dismiss", "safe"):
            yield (cause, agent), None
