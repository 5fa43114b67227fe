"""Where one scene is likely to end and another to begin: changes that last, unlike a cut within a scene."""

import numpy as np

BLOCK = 512  # edges that are looked at together
SHARPNESS = 5.3  # of the step from a cut within a scene to a join of two
STILL = 1e-6  # product of lengths below which two sides do not differ from the video's mean
LEAST = 1e-3  # chance that even the clearest join lies within a moment


def measure_lasting_change(features: np.ndarray, reach: int, mean: np.ndarray | float = 0.0) -> np.ndarray:
    """Cosine distance of the means of `reach` frames before and after each inner edge: (T, D) give (T - 1,).

    `mean` (D,) is taken off the features first. Edges are looked at block by block: memory does not grow with T.
    """
    edges = np.arange(1, len(features))  # (T - 1,)
    blocks = np.split(edges, range(BLOCK, len(edges), BLOCK))
    return np.concatenate([_changes_at(block, features, reach, mean) for block in blocks if len(block)] or [[]])


def _changes_at(edge: np.ndarray, features: np.ndarray, reach: int, mean: np.ndarray | float) -> np.ndarray:
    """`edge` (E,), neighbours in order, give (E,)."""
    first, end = max(edge[0] - reach, 0), min(edge[-1] + reach, len(features))
    rows = features[first:end].astype(np.float32) - mean  # (N, D), those that these edges look at
    total = np.concatenate([np.zeros_like(rows[:1]), np.cumsum(rows, axis=0)])  # (N + 1, D)
    edge = edge - first  # (E,)
    low, high = np.maximum(edge - reach, 0), np.minimum(edge + reach, len(rows))  # (E,) each
    before, after = total[edge] - total[low], total[high] - total[edge]  # (E, D) each; a cosine needs no division
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)  # (E,)
    cosine = (before * after).sum(axis=1) / np.maximum(lengths, STILL)  # (E,)
    return np.where(lengths > STILL, 1 - cosine, 0.0)  # (E,)


def measure_neighbour_distance(features: np.ndarray) -> np.ndarray:
    """Cosine distance of each frame and the next: (T, D), T above 1, give (T - 1,). Block by block, as above."""
    starts = range(0, len(features) - 1, BLOCK)
    return np.concatenate([_to_next(features[first : first + BLOCK + 1]) for first in starts])  # (T - 1,)


def _to_next(features: np.ndarray) -> np.ndarray:
    rows = features.astype(np.float32)  # (N, D)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)  # (N, D)
    return 1 - (unit[1:] * unit[:-1]).sum(axis=1)  # (N - 1,)


def find_local_peaks(values: np.ndarray, reach: int) -> np.ndarray:
    """Indices of the values (N,) that none within `reach` on either side exceeds."""
    padded = np.pad(values, reach, constant_values=-np.inf)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)  # (N,)
    return np.flatnonzero(values >= highest)


def estimate_join_chances(
    timestamps: np.ndarray, features: np.ndarray, windows: tuple[float, ...], middle: float
) -> np.ndarray:
    """How likely two scenes meet at each edge between frames, in [0, 1]; edge i lies between frames i - 1 and i.

    The video's mean is taken off the features, so that what all its scenes share does not count. Composed videos of
    training clips gave `middle` and the windows: they show which changes are joins.

    Args:
        timestamps: (T,) seconds.
        features: (T, D).
        windows: seconds on either side that are averaged and compared; the distances of all windows are averaged.
        middle: distance at which a join is as likely as not.

    Returns:
        (T + 1,), 0 away from the peaks of the distance. The ends of the video are as likely as not.
    """
    chances = np.zeros(len(features) + 1)  # (T + 1,)
    chances[[0, -1]] = 0.5
    if len(features) < 2:
        return chances
    mean = features.mean(axis=0, dtype=np.float32)  # (D,)
    step = float(np.median(np.diff(timestamps)))
    reaches = [max(1, round(window / step)) for window in windows]
    distance = np.mean([measure_lasting_change(features, reach, mean) for reach in reaches], axis=0)  # (T - 1,)
    peaks = find_local_peaks(distance, min(reaches))
    peaks = peaks[distance[peaks] > 0]
    chances[peaks + 1] = 1 / (1 + np.exp(SHARPNESS * (middle - distance[peaks])))
    return chances


def measure_coherence(chances: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Log of the chance that no scenes meet strictly between edges `first` and `last`, (W,) each; (W,), at most 0."""
    total = np.cumsum(np.log(np.maximum(1 - chances, LEAST)))  # (T + 1,), up to and with each edge
    return total[last - 1] - total[first]


def keep_strongest(chances: np.ndarray, most: int) -> np.ndarray:
    """The same chances (T + 1,) with all but the `most` highest inner ones 0."""
    kept = chances.copy()
    inner = np.argsort(-chances[1:-1], kind="stable") + 1
    kept[inner[most:]] = 0.0
    return kept
