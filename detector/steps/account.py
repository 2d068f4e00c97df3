"""Account of false alarms: what people say of alerts moves the share that may alert, so that the promise comes out.

A quantile of a window keeps its promise where sessions come from one and the same distribution; attacks, new jobs and
small windows break that in both directions. So each session that closes without an alert earns a little, each false
alarm costs what a promised one is worth, and the balance is the logarithm of the factor by which the share is widened
or narrowed: integral control, which holds whatever the scores do, within its bounds. Without verdicts the factor is 1.

Formulas and constants: ``docs/science.md``, *Account*.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from detector.profile.section import MOST_SHARE

STEP: Final = 0.2
"""What one false alarm takes from the balance, and what a promised alarm's worth of quiet sessions gives to it."""
START: Final = -0.25
"""Balance at the first verdict: a reserve, for of the alarms before it nothing was charged."""
LIMIT: Final = 2.0
"""Bounds of the balance, both ways: a factor of 7.4."""
FORGET: Final = 0.98
"""What an answer weighs after each further one in the share of answers that were dismissals."""
ANSWER_CLOSES: Final = 100
"""Closed sessions after which an alert that nobody answered is charged at the false share."""
LAPSE: Final = 30
"""Alerts in a row that nobody answered in time, after which the account is as it was before the first answer."""
LOUD_CHARGES: Final = 6.0
"""False alarms of one agent that are charged, later ones weighing more: decoys of one agent do not burn the budget."""
HALF_CLOSES: Final = 500
"""Closed sessions after which what was charged to an agent counts half."""
MOST_CHARGED: Final = 512
"""Agents whose charges are remembered; those charged longest ago leave first."""


class Account:
    """The balance of one partition, and what share of answered alerts were false.

    Attributes
    ----------
    balance : float
        Logarithm of the factor on the promised share.
    false, answered : float
        Dismissals and answers, later ones weighing more; born as one of one.
    has_begun : bool
        Whether anybody answers: before the first answer, without one that stands, and :data:`LAPSE` unanswered alerts
        after the last nothing is charged and nothing earned.
    answers, unanswered : int
        Answers that stand; alerts that nobody answered in time since the last.
    closes : int
        Closed sessions since then.
    waiting : deque of (int, int)
        Cases nobody answered yet: at which close they are charged, and their number.
    charged : dict of int to (float, int)
        By agent: what was charged to it, and at which close last.
    """

    def __init__(self) -> None:
        self.balance = 0.0
        self.false = 1.0
        self.answered = 1.0
        self.has_begun = False
        self.answers = 0
        self.unanswered = 0
        self.closes = 0
        self.waiting: deque[tuple[int, int]] = deque()
        self.charged: dict[int, tuple[float, int]] = {}

    @property
    def false_share(self) -> float:
        """What share of alerts is false, as far as people answered."""
        return self.false / self.answered

    def level(self, share: float) -> float:
        """Return the rarity, -log10 of a share of sessions, from which on a session alerts."""
        return -math.log10(min(share * math.exp(self.balance), MOST_SHARE))

    def loosest(self, share: float, closes: int) -> float:
        """Return a level that no event of a batch in which so many sessions close is held to less than."""
        most = min(self.balance + STEP * share * closes, LIMIT)
        if self.has_begun and self.unanswered + len(self.waiting) >= LAPSE:
            most = max(most, 0.0)  # it may end within the batch
        return -math.log10(min(share * math.exp(most), MOST_SHARE))

    def answer(self, *, is_false: bool) -> None:
        """Note that somebody answered an alert."""
        if not self.has_begun:
            self.has_begun, self.balance = True, START
        self.answers, self.unanswered = self.answers + 1, 0
        self.false = FORGET * self.false + is_false
        self.answered = FORGET * self.answered + 1.0

    def take_back(self, *, is_false: bool) -> None:
        """Take an answer back, as if it were the last one; with none left the share is what it was born as."""
        self.answers = max(self.answers - 1, 0)
        self.false, self.answered = self.false - is_false, self.answered - 1.0
        if self.answered <= 0.0:
            self.false, self.answered = 1.0, 1.0
        self.false = min(max(self.false, 0.0), self.answered)

    def miss(self) -> None:
        """Note that nobody answered an alert in time."""
        self.unanswered += 1

    def lapse(self) -> bool:
        """Begin anew if no answer stands, or nobody has answered for long; return whether it did.

        One verdict that is taken back, or a week of them long ago, must not narrow the level for good.
        """
        if not self.has_begun or (self.answers and self.unanswered < LAPSE):
            return False
        self.has_begun, self.balance, self.false, self.answered = False, 0.0, 1.0, 1.0
        self.answers = self.unanswered = 0
        self.charged.clear()
        return True

    def wait(self, number: int) -> None:
        """Note that somebody may answer a case, for :data:`ANSWER_CLOSES`."""
        self.waiting.append((self.closes + ANSWER_CLOSES, number))

    def close(self, share: float, *, is_quiet: bool) -> list[int]:
        """Note that a session closed, earning a little if it did not alert; return the cases whose time is over."""
        self.closes += 1
        if self.has_begun and is_quiet:
            self.balance = min(self.balance + STEP * share, LIMIT)
        overdue = []
        while self.waiting and self.waiting[0][0] <= self.closes:
            overdue.append(self.waiting.popleft()[1])
        return overdue

    def charge(self, agent: int, times: float) -> float:
        """Charge so many false alarms to an agent, as far as it is not loud; return how many were.

        A loud agent has been charged :data:`LOUD_CHARGES` of late: whoever makes an agent alert all day moves the
        level no further. Fewer than none gives back.
        """
        if not self.has_begun:
            return 0.0
        before, at = self.charged.pop(agent, (0.0, self.closes))
        before *= 0.5 ** ((self.closes - at) / HALF_CLOSES)
        taken = min(times, max(LOUD_CHARGES - before, 0.0))
        self.charged[agent] = (max(before + taken, 0.0), self.closes)
        while len(self.charged) > MOST_CHARGED:
            del self.charged[next(iter(self.charged))]
        self.balance = min(max(self.balance - STEP * taken, -LIMIT), LIMIT)
        return taken

    def facts(self) -> dict[str, Any]:
        """Return the state as plain facts."""
        return {
            "balance": self.balance, "false": self.false, "answered": self.answered, "has_begun": self.has_begun,
            "answers": self.answers, "unanswered": self.unanswered,
            "closes": self.closes, "waiting": [list(one) for one in self.waiting],
            "charged": [[agent, *past] for agent, past in self.charged.items()],
        }  # fmt: skip

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Go on where the facts left off."""
        self.balance, self.has_begun = float(facts["balance"]), bool(facts["has_begun"])
        self.false, self.answered = float(facts["false"]), float(facts["answered"])
        # a snapshot from before the two were kept: whoever had answered is taken to answer still
        self.answers = int(facts.get("answers", self.has_begun))
        self.unanswered = int(facts.get("unanswered", 0))
        self.closes = int(facts["closes"])
        self.waiting = deque((int(at), int(number)) for at, number in facts["waiting"])
        self.charged = {int(agent): (float(times), int(at)) for agent, times, at in facts["charged"]}
