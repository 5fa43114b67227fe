"""What a video holds beside the best moment: its other scenes, and what rises above the rest of one.

The rest is divided where the picture changes for good and where the curve changes its level, into the likeliest
pieces: a penalized sum of squares, minimized exactly (Jackson et al., "An algorithm for optimal partitioning of data
on an interval", IEEE Signal Processing Letters 2005).
"""

import numpy as np

from grounding.segments.scene_changes import SceneChanges

# Chosen on training clips held out and composed, with composed val in view.
UNSEEN = -2.0  # log odds of a cut that the picture does not show
LEVELS = 0.25  # how much the curve counts beside the picture
STILL = 1e-12  # variance of a curve that has none

Piece = tuple[int, int]  # first and last edge


def find_scenes(
    edges: np.ndarray,
    logits: np.ndarray,
    changes: SceneChanges,
    crossings: np.ndarray,
    best: Piece,
    shortest: float,
) -> list[Piece]:
    """The pieces beside `best`, in order of time; none overlaps it or another.

    Args:
        edges: (T + 1,) seconds.
        logits: (T,) log odds of the scores.
        changes: of the picture.
        crossings: (C,) edges where the curve changes its level, see find_crossings.
        best: the moment that the pieces lie beside.
        shortest: seconds that a piece lasts at least.
    """
    chances = np.clip(changes.chances, 1e-6, 1 - 1e-6)  # (T + 1,)
    cuts = np.maximum(np.log(chances / (1 - chances)), UNSEEN)  # (T + 1,), what dividing there is worth
    is_bound = changes.strength > 0  # (T + 1,)
    is_bound[crossings] = True
    pieces = [best]
    for first, last in ((0, best[0]), (best[1], len(logits))):
        inner = np.flatnonzero(is_bound[first + 1 : last]) + first + 1
        if first < last:
            pieces += divide(edges, logits, np.concatenate([[first], inner, [last]]), cuts, shortest)

    pieces.sort()
    heights = [float(np.average(logits[a:b], weights=np.diff(edges[a : b + 1]))) for a, b in pieces]
    slopes = find_slopes(pieces, heights, cuts)
    return [
        (first, last)
        for number, (first, last) in enumerate(pieces)
        if (first, last) != best and number not in slopes and edges[last] - edges[first] >= shortest
    ]


def find_slopes(pieces: list[Piece], heights: list[float], cuts: np.ndarray) -> set[int]:
    """Which pieces, in order of time, no change of the picture divides from a higher neighbour: slopes of that one."""
    slopes = set()
    for left, (_, edge) in enumerate(pieces[:-1]):
        if cuts[edge] <= UNSEEN and heights[left] != heights[left + 1]:
            slopes.add(left if heights[left] < heights[left + 1] else left + 1)
    return slopes


def divide(edges: np.ndarray, logits: np.ndarray, bounds: np.ndarray, cuts: np.ndarray, shortest: float) -> list[Piece]:
    """The likeliest pieces between the first and the last of `bounds` (K,); one where it is too short to be divided.

    `cuts` (T + 1,) is the log odds that two scenes meet at an edge; the others are as in `find_scenes`.
    """
    seconds = np.diff(edges)  # (T,)
    logits = logits - np.average(logits, weights=seconds)  # (T,)
    noise = max(float(np.average(logits**2, weights=seconds)), STILL)
    time = edges[bounds]  # (K,)
    total, squares = (np.concatenate([[0.0], np.cumsum(row * seconds)])[bounds] for row in (logits, logits**2))  # (K,)

    # What a piece from each bound (rows) to each later one costs: how much the curve varies in it.
    length, of_squares, of_total = (row - row[:, None] for row in (time, squares, total))  # (K, K) each
    is_piece = length >= max(shortest, STILL)
    worth = np.full(length.shape, -np.inf)  # (K, K)
    worth[is_piece] = -LEVELS / noise * (of_squares[is_piece] - of_total[is_piece] ** 2 / length[is_piece])

    # The best division up to each bound goes on from the best one up to an earlier bound.
    value, before = np.full(len(bounds), -np.inf), np.zeros(len(bounds), dtype=int)  # (K,) each
    value[0] = 0.0
    for last in range(1, len(bounds)):
        ways = value[:last] + worth[:last, last]  # (last,)
        before[last] = ways.argmax()
        value[last] = ways[before[last]] + cuts[bounds[last]]

    at, pieces = len(bounds) - 1, []
    if not np.isfinite(value[at]):
        return [(int(bounds[0]), int(bounds[at]))]
    while at > 0:
        pieces.append((int(bounds[before[at]]), int(bounds[at])))
        at = before[at]
    return pieces[::-1]
