"""Where one scene is likely to end and another to begin: changes that last, unlike a cut within a scene."""

import numpy as np

SHARPNESS = 5.3  # of the step from a cut within a scene to a join of two
STILL = 1e-6  # product of lengths below which two sides do not differ from the video's mean
LEAST = 1e-3  # chance that even the clearest join lies within a moment


def lasting_change(features: np.ndarray, reach: int) -> np.ndarray:
    """Cosine distance of the means of `reach` frames before and after each inner edge: (T, D) give (T - 1,)."""
    count = len(features)
    total = np.concatenate(
        [np.zeros((1, features.shape[1]), features.dtype), np.cumsum(features, axis=0)]
    )  # (T + 1, D)
    edge = np.arange(1, count)  # (T - 1,)
    low, high = np.maximum(edge - reach, 0), np.minimum(edge + reach, count)  # (T - 1,) each
    before, after = total[edge] - total[low], total[high] - total[edge]  # (T - 1, D) each; a cosine needs no division
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)  # (T - 1,)
    cosine = (before * after).sum(axis=1) / np.maximum(lengths, STILL)  # (T - 1,)
    return np.where(lengths > STILL, 1 - cosine, 0.0)  # (T - 1,)


def local_peaks(values: np.ndarray, reach: int) -> np.ndarray:
    """Indices of the values (N,) that none within `reach` on either side exceeds."""
    padded = np.pad(values, reach, constant_values=-np.inf)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)  # (N,)
    return np.flatnonzero(values >= highest)


def join_chances(timestamps: np.ndarray, features: np.ndarray, windows: tuple[float, ...], middle: float) -> np.ndarray:
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
    features = features.astype(np.float32)  # (T, D)
    features = features - features.mean(axis=0)  # (T, D)
    step = float(np.median(np.diff(timestamps)))
    reaches = [max(1, round(window / step)) for window in windows]
    distance = np.mean([lasting_change(features, reach) for reach in reaches], axis=0)  # (T - 1,)
    peaks = local_peaks(distance, min(reaches))
    peaks = peaks[distance[peaks] > 0]
    chances[peaks + 1] = 1 / (1 + np.exp(SHARPNESS * (middle - distance[peaks])))
    return chances


def unbroken(chances: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Log of the chance that no scenes meet strictly between edges `first` and `last`, (W,) each; (W,), at most 0."""
    total = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(1 - chances, LEAST)))])  # (T + 2,)
    return np.minimum(total[last] - total[first + 1], 0.0)


def strongest(chances: np.ndarray, most: int) -> np.ndarray:
    """The same chances (T + 1,) with all but the `most` highest inner ones 0."""
    kept = chances.copy()
    inner = np.argsort(-chances[1:-1], kind="stable") + 1
    kept[inner[most:]] = 0.0
    return kept
