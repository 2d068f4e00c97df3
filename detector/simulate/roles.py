"""What a role is made of: tools, and tasks these tools are strung into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Schedule = Literal["office", "always"]


class Tool(NamedTuple):
    """One tool of a role.

    Parameters
    ----------
    name : str
        What the event's ``name`` says.
    kind : str
        The event's ``kind``; ``data_access`` is a pure read.
    family : str
        What its target is drawn from, see :mod:`detector.simulate.targets`; empty for no target.
    args : tuple of str
        Argument names, see :mod:`detector.simulate.arguments`.
    sent, received : int
        Median bytes of the call (``bytes_in``) and of its result (``bytes_out``).
    ms : int
        Median duration in milliseconds.
    """

    name: str
    kind: str
    family: str
    args: tuple[str, ...]
    sent: int
    received: int
    ms: int


class Task(NamedTuple):
    """One kind of job: a weight and tool names, in order.

    ``name+`` repeats one to four times, ``name?`` happens half of the time, ``name~`` once in sixteen.
    """

    weight: int
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """What agents of one type do.

    Parameters
    ----------
    name : str
        The event's ``agent_type``.
    share : float
        Share of the fleet.
    schedule : {"office", "always"}
        ``office`` follows the working hours of the agent's zone.
    tools : tuple of Tool
        All tools its agents may use; the last one comes with version 2.
    tasks : tuple of Task
        What its sessions are made of.
    """

    name: str
    share: float
    schedule: Schedule
    tools: tuple[Tool, ...]
    tasks: tuple[Task, ...]

    def tool(self, name: str) -> Tool:
        """Return the tool of this name; ``KeyError`` if the role has none."""
        for tool in self.tools:
            if tool.name == name:
                return tool
        raise KeyError(name)
