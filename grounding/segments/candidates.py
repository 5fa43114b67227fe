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


def rank_candidates(edges: np.ndarray, curve: np.ndarray, changes: SceneChanges, config: SegmentConfig) -> Candidates:
    """The candidates that the config asks for; shapes as in `rank_windows`."""
    if not config.contrast:
        return Candidates(*find_runs(edges, curve, changes.strength, config.thresholds))
    found = rank_windows(edges, curve, changes.strength, config)
    if not config.windows:
        return found
    kept = np.exp(config.coherence * measure_coherence(changes.chances, found.first, found.last))  # (W,)
    return replace(found, rank=found.rank * kept)


def rank_windows(edges: np.ndarray, curve: np.ndarray, strength: np.ndarray, config: SegmentConfig) -> Candidates:
    """Every window between two boundaries, ranked.

    The rank is the contrast of the mean score inside with that of the surroundings, times (w(1 - w)) ** balance,
    w the window's share of the video, and more where the window lies between changes.

    Args:
        edges: (T + 1,) seconds, the first 0.
        curve: (T,) smoothed scores.
        strength: (T + 1,) changes at the edges.
    """
    # Boundaries are crossings, changes and the two ends; a window lies between any two of them.
    inner = np.union1d(find_crossings(curve, config.thresholds), np.flatnonzero(strength))
    bounds = np.union1d(inner, [0, len(curve)]).astype(int)  # (K,)
    first, last = (bounds[side] for side in np.triu_indices(len(bounds), 1))  # (W,) each
    start, end = edges[first], edges[last]  # (W,) each

    # The area under the curve so far makes the mean of any window one subtraction.
    total = np.concatenate([[0.0], np.cumsum(curve * np.diff(edges))])  # (T + 1,)
    length, area = end - start, total[last] - total[first]  # (W,) each

    # A window is held against what lies around it, not against the whole video, where other moments may lie.
    low = np.maximum(start - config.surroundings * length, 0.0)  # (W,)
    high = np.minimum(end + config.surroundings * length, edges[-1])  # (W,)
    rest = high - low - length  # (W,)
    around = np.interp(high, edges, total) - np.interp(low, edges, total) - area  # (W,)
    contrast = np.where(rest > 1e-9, area / length - around / np.maximum(rest, 1e-9), 0.0)  # (W,)
    contrast[np.abs(contrast) < FLAT] = 0.0

    # Of equal contrasts the longer window tells more. In a long video the share is that of the horizon, lest long
    # windows win everywhere.
    share = np.minimum(length / min(edges[-1], HORIZON), np.maximum(0.5, length / edges[-1]))  # (W,)

    # A moment begins and ends where the picture changes more often than elsewhere.
    bonus = 1 + config.change_bonus * (strength[first] + strength[last]) / 2  # (W,)
    return Candidates(first, last, contrast * (share * (1 - share)) ** config.balance * bonus)
