"""One ordinary session of an agent: what it does, with the noise that honest work has."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.simulate.arguments import ARGUMENTS, Value
from detector.simulate.catalogue import ROLES
from detector.simulate.chance import Chance
from detector.simulate.roles import Role, Tool
from detector.simulate.targets import COMPANY, FAMILIES, Scene

Argument = tuple[str, Value, str]
"""Name, value, origin."""

CONTEXT_LIMIT = 160_000
"""Tokens after which an agent's context is cut, as its harness does."""

COUNTED = ("tool_call", "network", "message")
"""Kinds whose calls say which attempt they are, as retrying harnesses do."""

START = Tool("session_start", "lifecycle", "", (), 0, 0, 1)
END = Tool("session_end", "lifecycle", "", (), 0, 0, 1)
THINK = Tool("chat", "llm_call", "", (), 0, 0, 900)
LOGIN = Tool("refresh_token", "auth", "", (), 220, 640, 80)


@dataclass(slots=True)
class Step:
    """One action before it is written down; attacks change and add steps.

    Parameters
    ----------
    tool : Tool
        What is called.
    target : str or None
        What it acts on.
    origin : str
        Where the target's value came from: user, tool or none.
    args : list of tuple
        Arguments: name, value, origin.
    outcome : str
        ok, error or denied.
    ms : float
        Duration in milliseconds; the next step begins after it.
    sent, received : int
        ``bytes_in`` and ``bytes_out``.
    tokens : tuple of int or None
        Tokens in and out of a model call.
    credential : str or None
        Handle of the credential used; None for the agent's own.
    credential_age_s : float or None
        Seconds since it was issued; None: since the last rotation.
    grant : str or None
        Grant it is done under; None: that of the agent's exception, if it is that.
    peer_zone : str or None
        Zone of the agent talked to.
    is_terse : bool
        Whether the model call before it is short and quick, as when it only repeats itself.
    is_attack : bool
        The label; it never reaches the event.
    """

    tool: Tool
    target: str | None
    origin: str = "user"
    args: list[Argument] = field(default_factory=list)
    outcome: str = "ok"
    ms: float = 1.0
    sent: int = 0
    received: int = 0
    tokens: tuple[int, int] | None = None
    credential: str | None = None
    credential_age_s: float | None = None
    grant: str | None = None
    peer_zone: str | None = None
    is_terse: bool = False
    is_attack: bool = False


def act(scene: Scene, tool: Tool, target: str | None = None) -> Step:
    """Return one call of a tool as this agent would make it; `target` overrides the draw."""
    chance, agent = scene.chance, scene.agent
    origin = "user"
    if tool.family:
        draw, origin = FAMILIES[tool.family]
        target = draw(scene) if target is None else target
        if chance.getrandbits(5) == 0:
            origin = "none" if origin == "user" else "user"
    args: list[Argument] = []
    for name in tool.args:
        make, source = ARGUMENTS[name]
        args.append((name, make(scene, target), source))
    if tool.kind in COUNTED:
        args.append(("attempt", 1, "none"))
    return Step(
        tool,
        target,
        origin,
        args,
        ms=chance.around(tool.ms, 0.45) * agent.speed,
        sent=int(chance.around(tool.sent, 0.3)) + 2,
        received=int(chance.around(tool.received, 0.6) * agent.size) + 2,
        peer_zone=agent.zone if tool.family == "peer" else None,
    )


_OFTEN = {"?": 0.5, "~": 0.0625}


def _names(scene: Scene) -> list[str]:
    """Return the tool names of one session, in order."""
    chance, role = scene.chance, scene.agent.role
    tasks = role.tasks
    favourite = scene.agent.own % len(tasks) if chance.random() < 0.35 else -1
    draw = chance.random() * sum(task.weight for task in tasks)
    chosen = tasks[favourite]
    if favourite < 0:
        for task in tasks:
            chosen = task
            draw -= task.weight
            if draw < 0:
                break
    names: list[str] = []
    for entry in chosen.steps:
        mark = entry[-1]
        name = entry.rstrip("+?~")
        if mark == "+":
            names.extend([name] * (1 + chance.popular(4, 1.7)))
        elif chance.random() < _OFTEN.get(mark, 1.0):
            names.append(name)
    return names


def _tool_of(role: Role, name: str) -> Tool:
    return _TOOLS[role.name, name]


_TOOLS = {(role.name, tool.name): tool for role in ROLES for tool in role.tools}


def acts_of(scene: Scene, at: float) -> list[Step]:
    """Return the tool calls of an ordinary session, with errors, retries, detours and rare tools.

    Parameters
    ----------
    scene : Scene
        Agent, chance and what the session is about.
    at : float
        When it starts, epoch seconds: decides the agent's version.
    """
    chance, agent = scene.chance, scene.agent
    role = agent.role
    is_new = at >= agent.upgrade
    steps: list[Step] = []
    for name in _names(scene):
        step = act(scene, _tool_of(role, name))
        draw = chance.random()
        if draw < agent.errors:
            steps.extend(_failed(scene, step))
        elif draw < agent.errors + 0.003:
            step.outcome, step.received = "denied", 60
        steps.append(step)
        if chance.random() < 0.02:
            steps.append(act(scene, role.tools[chance.below(len(role.tools) - (not is_new))]))
    if is_new:
        for step in steps:
            step.received = int(step.received * 1.15)
        if chance.random() < 0.15:
            steps.append(act(scene, role.tools[-1]))
    return steps


def _failed(scene: Scene, step: Step) -> list[Step]:
    """Return one to three failed tries of a step; the step itself then carries how often it was tried."""
    tries = 1 + scene.chance.popular(3, 2.5)
    failed = [
        Step(step.tool, step.target, step.origin, _tried(step, number + 1), "error",
             step.ms * 0.6, step.sent, 90 + scene.chance.below(60))
        for number in range(tries)
    ]  # fmt: skip
    step.args = _tried(step, tries + 1)
    return failed


def _tried(step: Step, attempt: int) -> list[Argument]:
    """Return a step's arguments with this number of the attempt."""
    return [*(part for part in step.args if part[0] != "attempt"), ("attempt", attempt, "none")]


def middle(chance: Chance, acts: list[Step]) -> int:
    """Return where an attack sets in: after the first call, before the last."""
    return 1 + chance.below(max(len(acts) - 1, 1))


def insert(acts: list[Step], at: int, added: list[Step]) -> list[Step]:
    """Return the calls with those of an attack among them, which are labelled."""
    for step in added:
        step.is_attack = True
    return [*acts[:at], *added, *acts[at:]]


def complete(scene: Scene, acts: list[Step]) -> list[Step]:
    """Return the whole session: start, a model call before every tool call, end.

    The context grows with what tools return, so tokens follow from the calls.
    """
    chance, agent = scene.chance, scene.agent
    prompt = int(chance.around(420, 0.5))
    context = 900 + prompt / 4.0
    steps = [Step(START, None, sent=prompt)]
    if chance.random() < 0.2:
        steps.append(Step(LOGIN, f"idp.{COMPANY}", ms=60 + 60 * chance.random(), sent=220, received=640))
    for step in acts:
        steps.append(_think(scene, context, step))
        steps.append(step)
        context = min(context + (step.sent + min(step.received, 24_000)) / 4.0, CONTEXT_LIMIT)
    steps.append(_think(scene, context, None))
    steps.append(Step(END, None, sent=0, ms=1.0 + agent.speed))
    return steps


def _think(scene: Scene, context: float, before: Step | None) -> Step:
    """Return the model call over a context of this many tokens that decides on the step it comes before."""
    is_terse = before is not None and before.is_terse
    out = int(scene.chance.around(14 if is_terse else 110, 0.3 if is_terse else 0.6)) + 4
    ms = ((60 if is_terse else 350) + 9.0 * out + 0.002 * context) * scene.agent.speed
    return Step(
        THINK, scene.agent.model, ms=ms, sent=int(context * 4), received=out * 4, tokens=(int(context), out),
        is_attack=before is not None and before.is_attack,
    )  # fmt: skip
