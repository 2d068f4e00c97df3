"""Sequence: whether this is the tool that follows, and whether these tools go together in one session.

Formulas and constants: ``docs/science.md``, *Sequence*.
"""

from __future__ import annotations

import math

import numpy as np

from detector.channels.catalogue import position
from detector.channels.context import OUTCOME_BITS, Context, Surroundings
from detector.intake.columns import FINE, TOOL_NAME, WHOLE_TARGET, Columns
from detector.memory.layout import DISTINCT, PAIRS, TAUGHT, TOOLS
from detector.memory.sessions import has_tool
from detector.sketches.hashing import mix
from detector.sketches.kernel import kernel
from detector.sketches.keys import count_of
from detector.sketches.survival import HALF
from detector.sketches.tails import blend

TRANSITION, COOCCURRENCE, PAIR = (position(name) for name in ("transition", "cooccurrence", "pair"))
PAIR_PRIOR = 0.1
"""What a pair never seen counts for."""
PAIRS_UNKNOWN = 1.0
"""Pairs that stand for all those nobody has thought of."""
LEAST_PAIRS = 50
"""Distinct pairs the fleet is taken to have at least."""
TOGETHER_PRIOR = 2.0
"""Sessions that the share of a tool weighs as, beside the sessions with the other tool."""
_ONE_BEFORE = np.uint64(0x1F83D9ABFB41BD6B)
_TWO_BEFORE = np.uint64(0x5BE0CD19137E2179)
_ANY = np.uint64(0x510E527FADE682D1)
_OUTCOME = np.uint64(0x9B05688C2B3E6C1F)
_OF_SESSION = np.uint64(0xCBBB9D5DC1059ED8)
_READ = np.uint64(0x3C2A96D0F5B1E84D)
_ASKED = np.uint64(0x8F1BBCDC6A09E667)
_DENIED = np.uint64(0x59F111F1B605D019)
_TOLD = np.uint64(0xCA62C1D6BB67AE85)
_AIMLESS = np.uint64(0x8EB44A8768581511)
_AIMED = np.uint64(0x1F83D9ABFB41BD6B)
USUAL_FAILURES = 0.25
"""Tail probability of a failure from which a tool is known to fail: the whole discount for one."""
USUAL_DENIALS = 0.1
"""Share of a tool's sessions with a denial from which it is known to be denied."""
USUAL_READS = 0.5
"""Share of a tool's sessions in which it only read, from which it is known to read."""
EARNED_PRIOR = 2.0
"""Sessions that what a sender declares weighs as, before its peers have shown better."""
LEAST_ASKED, ALWAYS = 20, 0.95
"""Sessions after which, and share of them from which, a tool always has a target, its values always origins."""
_TOGETHER = np.uint64(0x629A292A367CD507)
OUTCOMES = np.array([0x2B992DDFA23249D6, 0x74CB4A9B7F1F3D2E], np.uint64)
"""What an ok and a failed outcome are called among the symbols."""


@kernel
def after_one(previous: np.uint64) -> np.uint64:
    """Return the context *the tool before*."""
    return mix(previous, _ONE_BEFORE)


@kernel
def after_two(before: np.uint64, previous: np.uint64) -> np.uint64:
    """Return the context *the two tools before*."""
    return mix(mix(before, previous), _TWO_BEFORE)


@kernel
def anywhere() -> np.uint64:
    """Return the context *whatever came before*."""
    return _ANY


@kernel
def outcome_of(tool: np.uint64) -> np.uint64:
    """Return the context *outcomes of a tool*."""
    return mix(tool, _OUTCOME)


@kernel
def outcome_anywhere() -> np.uint64:
    """Return the context *outcomes of any tool*."""
    return _OUTCOME


@kernel
def _tail(owner: np.void, context: np.uint64, symbol: np.uint64, prior: float) -> float:
    """Return a symbol's tail probability with one owner, an agent or a peer group."""
    count = count_of(owner["keys"], mix(context, symbol))
    return blend(owner["tails"], context, count, prior)


@kernel
def transition_bits(agent: np.void, group: np.void, previous: np.ndarray, tool: np.uint64) -> float:
    """Return the surprise of a tool after the two before it.

    Backed off (group, two before), (agent, one before), (group, one before), (agent), (group).
    """
    p = _tail(group, anywhere(), tool, 1.0)
    p = _tail(agent, anywhere(), tool, p)
    context = after_one(previous[0])
    p = _tail(group, context, tool, p)
    p = _tail(agent, context, tool, p)
    p = _tail(group, after_two(previous[1], previous[0]), tool, p)
    return -math.log2(p)


@kernel
def outcome_bits(group: np.void, tool: np.uint64, failed: int) -> float:
    """Return the surprise of an outcome of this tool among peers."""
    symbol = OUTCOMES[failed]
    p = _tail(group, outcome_anywhere(), symbol, 1.0)
    p = _tail(group, outcome_of(tool), symbol, p)
    return -math.log2(p)


@kernel
def session_tool_key(tool: np.uint64) -> np.uint64:
    """Return the key that counts sessions with a tool."""
    return mix(tool, _OF_SESSION)


@kernel
def together_key(one: np.uint64, other: np.uint64) -> np.uint64:
    """Return the key that counts sessions with two tools, in either order."""
    low, high = (one, other) if one < other else (other, one)
    return mix(mix(low, high), _TOGETHER)


@kernel
def cooccurrence_bits(group: np.void, session: np.void, tool: np.uint64) -> float:
    """Return how little a tool that is new in its session goes with the tools before it: mean surprise; else 0."""
    if has_tool(session, tool):
        return 0.0
    counts = group["counts"]
    taught = group["totals"][TAUGHT]
    share = (count_of(counts, session_tool_key(tool)) + HALF) / (taught + 1.0)
    used = np.int64(session["count"][TOOLS])
    if used == 0:
        return -math.log2(min(share, 1.0))
    bits = 0.0
    for k in range(used):
        other = session["tools"][k]
        both = count_of(counts, together_key(other, tool))
        alone = count_of(counts, session_tool_key(other))
        bits -= math.log2(min((both + TOGETHER_PRIOR * share) / (alone + TOGETHER_PRIOR), 1.0))
    return bits / used


@kernel
def read_key(tool: np.uint64) -> np.uint64:
    """Return the key that counts sessions in which a tool only read."""
    return mix(tool, _READ)


@kernel
def asked_key(tool: np.uint64) -> np.uint64:
    """Return the key that counts sessions in which a tool was given values."""
    return mix(tool, _ASKED)


@kernel
def told_key(tool: np.uint64) -> np.uint64:
    """Return the key that counts sessions in which a tool's values came with their origins."""
    return mix(tool, _TOLD)


@kernel
def earned(group: np.void, tool: np.uint64, key: np.uint64, usual: float) -> float:
    """Return how far a manner is what a tool is known for among peers: 0 to 1.

    ``key`` counts the sessions with that manner; from a share of ``usual`` on it is earned in full.
    """
    used = count_of(group["counts"], session_tool_key(tool)) + EARNED_PRIOR
    return min(1.0, (count_of(group["counts"], key) + EARNED_PRIOR) / (usual * used))


@kernel
def denied_key(tool: np.uint64) -> np.uint64:
    """Return the key that counts sessions in which a tool was denied."""
    return mix(tool, _DENIED)


@kernel
def earned_by_denials(group: np.void, tool: np.uint64) -> float:
    """Return how far being denied is what a tool is known for: 0 to 1; backs off to all tools of its peers."""
    counts, anywhere = group["counts"], denied_key(_ANY)
    share = (count_of(counts, anywhere) + HALF) / (group["totals"][TAUGHT] + 1.0)
    used = count_of(counts, session_tool_key(tool)) + EARNED_PRIOR
    return min(1.0, (count_of(counts, denied_key(tool)) + EARNED_PRIOR * share) / (USUAL_DENIALS * used))


@kernel
def earned_by_failing(group: np.void, tool: np.uint64) -> float:
    """Return how far failing is what a tool is known for among peers: 0 to 1; 1 before they have taught anything.

    From the tail probability of a failure, which backs off to that of all tools: a tool that is new to the group
    fails as often as any.
    """
    return min(1.0, 2.0 ** -outcome_bits(group, tool, np.int64(1)) / USUAL_FAILURES)


@kernel
def always_tells(group: np.void, tool: np.uint64) -> bool:
    """Return whether a tool's values come with their origins among peers, always."""
    asked = count_of(group["counts"], asked_key(tool))
    return asked >= LEAST_ASKED and count_of(group["counts"], told_key(tool)) >= ALWAYS * asked


@kernel
def aimed_key(tool: np.uint64) -> np.uint64:
    """Return the key that counts sessions in which a tool had a target, once or always."""
    return mix(tool, _AIMED)


@kernel
def aimless_key(tool: np.uint64) -> np.uint64:
    """Return the key that counts sessions in which a tool had no target, once or always."""
    return mix(tool, _AIMLESS)


@kernel
def always_aims(group: np.void, tool: np.uint64) -> bool:
    """Return whether a tool has a target among peers, always: one session without, and it may be left out.

    Both are counted: of what was forgotten for want of room, or was never counted in a state from before, nothing is
    said.
    """
    counts = group["counts"]
    used = count_of(counts, session_tool_key(tool))
    aimed = count_of(counts, aimed_key(tool))
    return used >= LEAST_ASKED and aimed >= ALWAYS * used and count_of(counts, aimless_key(tool)) == 0


@kernel
def pair_key(tool: np.uint64, target: np.uint64) -> np.uint64:
    """Return the key that counts sessions with a (tool, whole target) pair."""
    return mix(tool, target)


@kernel
def pair_bits(fleet: np.void, group: np.void, tool: np.uint64, target: np.uint64) -> float:
    """Return the surprise of a (tool, target) pair among peers, counted once a session."""
    count = count_of(group["counts"], pair_key(tool, target))
    distinct = max(fleet["totals"][DISTINCT], LEAST_PAIRS)
    return -math.log2((count + PAIR_PRIOR) / (group["totals"][PAIRS] + PAIR_PRIOR * distinct + PAIRS_UNKNOWN))


@kernel(inline="always")
def measure_sequence(at: Surroundings, columns: Columns, out: Context, i: int) -> None:
    """Write what the tools before it make of an action; ready once the peers have taught a session."""
    tool = columns.ident[i, TOOL_NAME]
    bits, ready = out.bits[i], out.ready[i]
    bits[TRANSITION] = transition_bits(at.agent, at.group, at.session["previous"], tool)
    bits[COOCCURRENCE] = cooccurrence_bits(at.group, at.session, tool)
    bits[PAIR] = pair_bits(at.fleet, at.group, tool, columns.ident[i, WHOLE_TARGET])
    out.measures[i, OUTCOME_BITS] = outcome_bits(at.group, tool, np.int64(columns.outcome[i] != FINE))
    ready[TRANSITION] = ready[COOCCURRENCE] = ready[PAIR] = at.group["totals"][TAUGHT] > 0
