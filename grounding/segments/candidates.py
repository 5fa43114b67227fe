"""Candidates for segments, ranked: stretches between places where the curve crosses a threshold or features change.

They are ranked by inside-minus-outside contrast, as in between-class variance (Otsu, 1979).
"""

from dataclasses import dataclass, replace

import numpy as np

from grounding.segments.config import SegmentConfig
from grounding.segments.curve import find_crossings, find_runs
from grounding.segments.scene_changes import SceneChanges, measure_coherence

HORIZON = 180.0  # seconds; the stretch of a long video that a moment's length is held against
FLAT = 1e-9  # contrast up to which a curve differs by rounding alone


@dataclass(frozen=True)
class Candidates:
    """First and last edge index, and rank, (W,) each; the higher the rank the better."""

    first: np.ndarray
    last: np.ndarray
    rank: np.ndarray


def rank_candidates(
    edges: np.ndarray,
    curve: np.ndarray,
    changes: SceneChanges,
    config: SegmentConfig,
    taken: np.ndarray | None = None,
) -> Candidates:
    """The candidates that the config asks for; shapes as in `rank_windows`."""
    if not config.contrast:
        return Candidates(*find_runs(edges, curve, changes.strength, config.thresholds))
    found = rank_windows(edges, curve, changes.strength, config, taken)
    if not config.windows:
        return found
    kept = np.exp(config.coherence * measure_coherence(changes.chances, found.first, found.last))  # (W,)
    return replace(found, rank=found.rank * kept)


def rank_windows(
    edges: np.ndarray,
    curve: np.ndarray,
    strength: np.ndarray,
    config: SegmentConfig,
    taken: np.ndarray | None = None,
) -> Candidates:
    """Every window between two boundaries, ranked.

    The rank is the contrast of the mean score inside with that of the surroundings, times (w(1 - w)) ** balance,
    w the window's share of the video, and more where the window lies between changes.

    Args:
        edges: (T + 1,) seconds.
        curve: (T,) smoothed scores.
        strength: (T + 1,) changes at the edges.
        taken: (T,) bool, frames that are as if they were cut out of the video; none are by default.
    """
    taken = np.zeros(len(curve), dtype=bool) if taken is None else taken  # (T,)
    first, last = pair_boundaries(curve, strength, config.thresholds, taken)  # (W,) each

    # Time without what was cut out, and the area under the curve, so far: a window's mean is one subtraction.
    seconds = np.diff(edges) * ~taken  # (T,)
    clock = np.concatenate([[0.0], np.cumsum(seconds)])  # (T + 1,)
    total = np.concatenate([[0.0], np.cumsum(curve * seconds)])  # (T + 1,)
    contrast = measure_contrast(clock, total, first, last, config.surroundings)  # (W,)

    # Of equal contrasts the longer window tells more. In a long video the share is that of the horizon, lest long
    # windows win everywhere.
    length = clock[last] - clock[first]  # (W,)
    share = np.minimum(length / min(clock[-1], HORIZON), np.maximum(0.5, length / clock[-1]))  # (W,)

    # A moment begins and ends where the picture changes more often than elsewhere.
    bonus = 1 + config.change_bonus * (strength[first] + strength[last]) / 2  # (W,)
    return Candidates(first, last, contrast * (share * (1 - share)).clip(min=0) ** config.balance * bonus)


def measure_contrast(
    clock: np.ndarray, total: np.ndarray, first: np.ndarray, last: np.ndarray, surroundings: float
) -> np.ndarray:
    """The mean inside each window less that around it, (W,).

    A window is held against what lies around it, not against the whole video, where other moments may lie.

    Args:
        clock, total: (T + 1,) seconds, and area under the curve, up to each edge.
        first, last: (W,) edges of the windows.
        surroundings: see SegmentConfig.
    """
    start, end = clock[first], clock[last]  # (W,) each
    length, area = end - start, total[last] - total[first]  # (W,) each
    low = np.maximum(start - surroundings * length, 0.0)  # (W,)
    high = np.minimum(end + surroundings * length, clock[-1])  # (W,)
    rest = high - low - length  # (W,)
    around = np.interp(high, clock, total) - np.interp(low, clock, total) - area  # (W,)
    contrast = np.where(rest > 1e-9, area / length - around / np.maximum(rest, 1e-9), 0.0)  # (W,)
    contrast[np.abs(contrast) < FLAT] = 0.0
    return contrast


def pair_boundaries(
    curve: np.ndarray, strength: np.ndarray, thresholds: tuple[float, ...], taken: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First and last edge index of every window, (W,) each; shapes as in `rank_windows`.

    Boundaries are crossings, changes, the ends and what was cut out; a window lies between any two of them.
    """
    is_bound = strength != 0  # (T + 1,)
    is_bound[find_crossings(curve, thresholds, ~taken)] = True
    is_bound[1:-1] |= taken[1:] != taken[:-1]
    is_bound[[0, -1]] = True
    bounds = np.flatnonzero(is_bound)  # (K,)
    cut = np.concatenate([[0], np.cumsum(taken)])[bounds]  # (K,), frames that are cut out so far
    first, last = np.nonzero(np.less.outer(bounds, bounds) & np.equal.outer(cut, cut))  # (W,) each
    return bounds[first], bounds[last]
