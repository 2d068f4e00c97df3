"""What goes wrong against the registry of a fleet, as changes to a session that began as ordinary work.

Little of it is odd in itself: what an agent does here it may do, or might; what makes it wrong stands on record.
"""

from __future__ import annotations

from typing import Final

from detector.simulate.agent import agent_name
from detector.simulate.roles import Tool
from detector.simulate.session import Step, act, insert, middle
from detector.simulate.targets import Scene
from detector.simulate.words import word

_DAY_S: Final = 86_400.0
_ASK = Tool("ask_agent", "message", "peer", ("question",), 340, 500, 400)
UNDER_GRANT: Final = Tool("copy_backup", "tool_call", "", ("rows", "reason"), 220, 2600, 900)
"""What an agent is allowed for a time, and goes on doing afterwards."""
BACKUPS: Final = "backups/"
"""What stands before the names of all that it is done to."""


def overdue_grant(scene: Scene, acts: list[Step], strength: int) -> list[Step]:
    """Return the session with something done under a temporary grant, as for what it was given.

    Parameters
    ----------
    strength : int
        0 while the term runs: nothing is wrong with it; 1 after its end.
    """
    added = []
    for _ in range(2 + scene.chance.below(2)):
        step = act(scene, UNDER_GRANT, f"{BACKUPS}{word(scene.agent.own % 4096)}")
        step.grant = story_grant(scene.agent.agent_id)
        added.append(step)
    changed = insert(acts, middle(scene.chance, acts), added)
    for step in added:
        step.is_attack = strength > 0
    return changed


def story_grant(agent_id: str) -> str:
    """Return the id of the grant that outlives its term."""
    return f"backup-{agent_id}"


def stale_credential(scene: Scene, acts: list[Step], _strength: int) -> list[Step]:
    """Return the session with a credential from weeks ago in use for the rest of it: its rotation was switched off."""
    age_s = (20 + scene.chance.below(40)) * _DAY_S
    at = middle(scene.chance, acts) if len(acts) > 1 else 0
    for step in acts[at:]:
        step.credential_age_s, step.is_attack = age_s, True
    return acts


def unregistered_clone(scene: Scene, acts: list[Step], _strength: int) -> list[Step]:
    """Return the session as it is: a clone does what its original does, by the original's credential.

    That it is a clone shows in its name and its instance, see :func:`detector.simulate.registered.clone_of`.
    """
    for step in acts:
        step.credential, step.is_attack = f"cred-{scene.agent.agent_id}", True
    return acts


def lateral_path(scene: Scene, acts: list[Step], strength: int) -> list[Step]:
    """Return the session with questions to an agent it never asks: one step of a path.

    Parameters
    ----------
    strength : int
        Number of the agent that is asked.
    """
    added = []
    for _ in range(1 + scene.chance.below(2)):
        step = act(scene, _ASK, agent_name(strength))
        step.origin = "tool"
        added.append(step)
    return insert(acts, middle(scene.chance, acts), added)
