"""The plainest way to read segments off a curve: the stretches in which it stays above a threshold."""

import numpy as np


def find_runs(
    edges: np.ndarray, curve: np.ndarray, strength: np.ndarray, thresholds: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last edge index and mean score of every stretch above a threshold, (W,) each.

    Args:
        edges: (T + 1,) seconds.
        curve: (T,) smoothed scores.
        strength: (T + 1,) changes at the edges; where there are any, the curve is averaged between them first.
        thresholds: shares of the way from the lowest to the highest score.
    """
    length = np.diff(edges)  # (T,)
    level = average_between_changes(curve, length, strength)  # (T,)
    found: set[tuple[int, int]] = set()
    for threshold in thresholds:
        above = level >= level.min() + threshold * np.ptp(level)  # (T,)
        turns = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]))).tolist()
        found |= set(zip(turns[::2], turns[1::2], strict=True))
    first, last = np.array(sorted(found)).T  # (W,) each
    total = np.concatenate([[0.0], np.cumsum(level * length)])  # (T + 1,)
    return first, last, (total[last] - total[first]) / (edges[last] - edges[first])


def average_between_changes(curve: np.ndarray, length: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The curve (T,) with its mean over each stretch between two changes; unchanged where there are none."""
    if not strength.any():
        return curve
    piece = np.cumsum(strength[:-1] > 0)  # (T,), counts the changes up to each frame
    return (np.bincount(piece, curve * length) / np.maximum(np.bincount(piece, length), 1e-9))[piece]  # (T,)
