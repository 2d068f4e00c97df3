"""Half-space trees as flat arrays: river builds the trees, these kernels score and learn exactly as river does.

river walks linked nodes and counts at every node it passes. Here a leaf alone is counted while a window fills; when it
ends, what river would answer for each leaf is worked out once. An event then costs one walk through arrays that all
peer groups share, one read and one increment a tree. What the trees see: ``docs/science.md``, *The models*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from detector.sketches.kernel import allocating_kernel, kernel

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

U = np.uint64  # an unsigned index spares numba the test for counting from the end: a third of the time
SIZE_LIMIT = 0.1  # river's own: below this share of a window a node is not split further
MAX_TREES = 1_000
MAX_HEIGHT = 12
MAX_FEATURES = 127
MAX_WINDOW = 65_535  # a leaf's count must fit uint16


class Structure(NamedTuple):
    """The random splits, shared by every peer group; read only.

    Nodes are numbered as in a heap: the children of ``i`` are ``2 i + 1`` (value below the threshold) and ``2 i + 2``.

    Parameters
    ----------
    feature : ndarray of int8, shape (n_trees, 2 ** height - 1)
        Column looked at by each inner node.
    threshold : ndarray of float64, shape (n_trees, 2 ** height - 1)
        Split point of each inner node, inside (0, 1).
    height : int
        Splits between the root and a leaf.
    window : int
        Events after which what was learned becomes what is scored against.
    """

    feature: NDArray[np.int8]
    threshold: FloatArray
    height: int
    window: int


class Masses(NamedTuple):
    """What each peer group has learned; plain arrays with the group first, so they can be stored and grown.

    At 10 trees of height 6 a group takes 3.8 KB: 6 bytes a leaf.

    Parameters
    ----------
    reference : ndarray of int32, shape (n_groups, n_trees, 2 ** height)
        What the last full window adds to the score of an event that falls into the leaf.
    latest : ndarray of uint16, shape (n_groups, n_trees, 2 ** height)
        Events of the window under way, by leaf; at most ``window``, so it cannot overflow.
    seen : ndarray of int64, shape (n_groups,)
        Events learned since the start.
    """

    reference: NDArray[np.int32]
    latest: NDArray[np.uint16]
    seen: NDArray[np.int64]


def build(seed: int, *, features: int = 8, trees: int = 10, height: int = 6, window: int = 250) -> Structure:
    """Return the splits river would draw for a seed (imports river: about 1.4 s the first time).

    Parameters
    ----------
    seed : int
        Seed of river's generator.
    features, trees, height, window : int
        As in ``river.anomaly.HalfSpaceTrees``; every feature lies in [0, 1].

    Raises
    ------
    ValueError
        If a parameter is outside what the arrays can hold.
    """
    check_shape(features=features, trees=trees, height=height, window=window)
    from river.anomaly import HalfSpaceTrees

    limits: dict[Hashable, tuple[float, float]] = dict.fromkeys(range(features), (0.0, 1.0))
    model = HalfSpaceTrees(n_trees=trees, height=height, window_size=window, limits=limits, seed=seed)
    model.learn_one(dict.fromkeys(range(features), 0.5))  # river draws its trees at the first event
    inner = 2**height - 1
    feature = np.zeros((trees, inner), dtype=np.int8)
    threshold = np.zeros((trees, inner), dtype=np.float64)
    for tree, root in enumerate(model.trees):
        level = [root]
        for node in range(inner):
            branch = level[node]
            feature[tree, node], threshold[tree, node] = branch.feature, branch.threshold
            level.extend(branch.children)
    return Structure(feature, threshold, height, window)


def check_shape(*, features: int, trees: int, height: int, window: int) -> None:
    """Return None if half-space trees of this shape fit the arrays.

    Raises
    ------
    ValueError
        Naming the parameter, its rule and its value.
    """
    given = (("features", features), ("trees", trees), ("height", height), ("window", window))
    for (name, value), most in zip(given, (MAX_FEATURES, MAX_TREES, MAX_HEIGHT, MAX_WINDOW), strict=True):
        if not 1 <= value <= most:
            message = f"{name} of half-space trees must be between 1 and {most}, got {value}"
            raise ValueError(message)


def allocate(structure: Structure, groups: int) -> Masses:
    """Return the empty masses of a number of peer groups."""
    shape = (groups, structure.feature.shape[0], 2**structure.height)
    return Masses(np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.uint16), np.zeros(groups, dtype=np.int64))


def grow(masses: Masses, groups: int) -> Masses:
    """Return masses with room for ``groups`` peer groups, never fewer than there are; copies."""
    more = max(groups - len(masses.seen), 0)
    return Masses(*(np.concatenate([part, np.zeros((more, *part.shape[1:]), part.dtype)]) for part in masses))


@kernel(nogil=True)
def is_ready(structure: Structure, masses: Masses, group: int) -> bool:
    """Return whether the group has filled its first window; before that river's score is a constant 0."""
    return bool(masses.seen[group] >= structure.window)


@allocating_kernel(nogil=True)
def _pivot(structure: Structure, masses: Masses, group: int) -> None:
    """Turn the finished window into what each leaf will score, as river's walk from the root would add it up.

    River adds ``mass * 2 ** depth`` at each node passed and stops at the first whose mass is below a tenth of the
    window. Those are integers below 2 ** 31, so the order of addition cannot matter.
    """
    height = structure.height
    leaves = 1 << height
    limit = SIZE_LIMIT * structure.window
    mass = np.zeros(2 * leaves, dtype=np.int64)  # heap from 1: the children of i are 2 i and 2 i + 1
    for tree in range(structure.feature.shape[0]):
        for leaf in range(leaves):
            mass[leaves + leaf] = masses.latest[group, tree, leaf]
            masses.latest[group, tree, leaf] = 0
        for node in range(leaves - 1, 0, -1):
            mass[node] = mass[2 * node] + mass[2 * node + 1]
        for leaf in range(leaves):
            total = 0
            for depth in range(height + 1):
                here = mass[(leaves + leaf) >> (height - depth)]
                total += here << depth
                if here < limit:
                    break
            masses.reference[group, tree, leaf] = total


@kernel(inline="always")  # called, they would cost a fifth more
def _walk_one(
    structure: Structure, reference: NDArray[np.int32], latest: NDArray[np.uint16], x: FloatArray, tree: int
) -> int:
    """Return what one tree adds to the score; count the event at its leaf."""
    feature, threshold = structure.feature, structure.threshold
    at, node = U(tree), U(0)
    for _ in range(structure.height):
        node = U(2) * node + U(1) + U(not x[U(feature[at, node])] < threshold[at, node])
    leaf = node - U(feature.shape[1])
    latest[at, leaf] += 1
    return int(reference[at, leaf])


@kernel(inline="always")  # called, they would cost a fifth more
def _walk_five(
    structure: Structure, reference: NDArray[np.int32], latest: NDArray[np.uint16], x: FloatArray, tree: int
) -> int:
    """Return what five trees add, as :func:`_walk_one`; five walks at once take half the time of one by one."""
    feature, threshold = structure.feature, structure.threshold
    first, inner = U(tree), U(feature.shape[1])
    a = b = c = d = e = U(0)
    for _ in range(structure.height):
        a = U(2) * a + U(1) + U(not x[U(feature[first, a])] < threshold[first, a])
        b = U(2) * b + U(1) + U(not x[U(feature[first + U(1), b])] < threshold[first + U(1), b])
        c = U(2) * c + U(1) + U(not x[U(feature[first + U(2), c])] < threshold[first + U(2), c])
        d = U(2) * d + U(1) + U(not x[U(feature[first + U(3), d])] < threshold[first + U(3), d])
        e = U(2) * e + U(1) + U(not x[U(feature[first + U(4), e])] < threshold[first + U(4), e])
    a, b, c, d, e = a - inner, b - inner, c - inner, d - inner, e - inner
    latest[first, a] += 1
    latest[first + U(1), b] += 1
    latest[first + U(2), c] += 1
    latest[first + U(3), d] += 1
    latest[first + U(4), e] += 1
    left = int(reference[first, a]) + int(reference[first + U(1), b]) + int(reference[first + U(2), c])
    return left + int(reference[first + U(3), d]) + int(reference[first + U(4), e])


@kernel(nogil=True)
def score_then_learn_one(structure: Structure, masses: Masses, group: int, x: FloatArray) -> float:
    """Return river's ``score_one`` of one event, then learn it; high is strange.

    Called from other kernels, one event at a time. While :func:`is_ready` is false the score is river's 0, which says
    nothing: ask before the call.

    Parameters
    ----------
    structure : Structure
        Splits.
    masses : Masses
        Changed in place.
    group : int
        Row of the peer group.
    x : ndarray of float64, shape (n_features,)
        Values in [0, 1]; the caller answers for their being finite.
    """
    trees = structure.feature.shape[0]
    reference, latest = masses.reference[group], masses.latest[group]
    total, tree = 0, 0
    while tree + 5 <= trees:
        total += _walk_five(structure, reference, latest, x, tree)
        tree += 5
    while tree < trees:
        total += _walk_one(structure, reference, latest, x, tree)
        tree += 1
    was_ready = masses.seen[group] >= structure.window
    masses.seen[group] += 1
    if masses.seen[group] % structure.window == 0:
        _pivot(structure, masses, group)
    if not was_ready:
        return 0.0
    return float(1.0 - total / (trees * structure.window * ((2 << structure.height) - 1)))


@kernel(nogil=True)
def _run(
    structure: Structure,
    masses: Masses,
    groups: NDArray[np.int64],
    x: FloatArray,
    out: FloatArray,
    ready: NDArray[np.bool_],
) -> None:
    for row in range(len(groups)):
        ready[row] = is_ready(structure, masses, groups[row])
        out[row] = score_then_learn_one(structure, masses, groups[row], x[row])


def score_then_learn(
    structure: Structure,
    masses: Masses,
    groups: NDArray[np.int64],
    x: FloatArray,
    out: FloatArray,
    ready: NDArray[np.bool_],
) -> None:
    """Return nothing; score each event against its peer group and then learn it, in order.

    Equal to river's ``score_one`` followed by ``learn_one`` on one model per group, to the last bit, however the
    events are cut into calls.

    Parameters
    ----------
    structure : Structure
        Splits.
    masses : Masses
        Changed in place.
    groups : ndarray of int64, shape (n_events,)
        Row of each event's peer group.
    x : ndarray of float64, shape (n_events, n_features)
        Values in [0, 1].
    out : ndarray of float64, shape (n_events,)
        Written: scores between 0 and 1, high is strange; 0 where not ready.
    ready : ndarray of bool, shape (n_events,)
        Written: whether the group had filled its first window.

    Raises
    ------
    ValueError
        If a value is not finite or a group has no row; nothing was learned then.
    """
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        message = f"x of half-space trees must be finite, got {x[row].tolist()} in row {row}"
        raise ValueError(message)
    if len(groups) and not (groups.min() >= 0 and groups.max() < len(masses.seen)):
        message = (
            f"groups of half-space trees must be between 0 and {len(masses.seen) - 1}, "
            f"got {int(groups.min())} to {int(groups.max())}; grow the masses first"
        )
        raise ValueError(message)
    _run(structure, masses, groups, x, out, ready)
