"""What the demo must know of a coding agent's program: how it is started, set up, asked, and what an odd act of it is.

One `Program` a kind of agent; the scene, the machine, the recording and the measurement are the same for all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from detector.demo.dialects import Call, Dialect
from detector.local.programs import Say


class Session(NamedTuple):
    """How one session is started: options of the program, and its own environment variables."""

    options: Sequence[str]
    environment: Mapping[str, str]


class Work(NamedTuple):
    """What a program is asked for on an ordinary day.

    Attributes
    ----------
    looking, working : sequence of Call
        What it looks at, and what it changes or tries.
    waiting : sequence of Call
        What it goes on with behind an odd act, by turns: everyday calls, which only a containment denies.
    """

    looking: Sequence[Call]
    working: Sequence[Call]
    waiting: Sequence[Call]

    def errand(self, chance: random.Random) -> list[Call]:
        """Return the calls of one ordinary session: some looking, some work, some looking."""
        looks = chance.sample(self.looking, chance.randint(2, 5))
        works = chance.sample(self.working, chance.randint(1, 2))
        return [*looks, *works, *chance.sample(self.looking, 1)]


@dataclass(frozen=True, slots=True)
class Program:
    """A coding agent's program.

    Attributes
    ----------
    source : str
        What `detector connect` calls it, and what its agents are named by: ``<source>/<user>``.
    name : str
        What people call it.
    command : callable
        Returns the words that start it, installed if need be.
    places : mapping of str to str
        Folders of the machine that printed files go to, and where each lies below the machine's own folder.
    session : callable
        Returns how a session against the model at an address is started; the second argument is the prompt.
    dialect : Dialect
        What it asks its model in.
    work : Work
        Its ordinary days.
    recording : Path
        Recorded ordinary sessions, which a history is made of.
    session_id : str
        The attribute that names the session, in its telemetry.
    is_act : callable
        Tells whether an event of its telemetry is that of a call: what it says of a call is its own.
    sees_commands : bool
        Whether its telemetry says what a tool was called with.
    home : mapping of str to str
        Files of a user's home that it would not run without.
    """

    source: str
    name: str
    command: Callable[[Say], list[str]]
    places: Mapping[str, str]
    session: Callable[[str, str], Session]
    dialect: Dialect
    work: Work
    recording: Path
    session_id: str
    is_act: Callable[[Mapping[str, Any], Call], bool]
    sees_commands: bool
    home: Mapping[str, str] = field(default_factory=dict)
