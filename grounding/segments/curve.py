"""What segments are read off: the curve of scores, made ready, and the edges between frames that bound them.

A segment may begin and end where the curve crosses a threshold and where the features change.
"""

import numpy as np

from grounding.segments.scene_changes import measure_neighbour_distance

STILL = 1e-6  # cosine distance up to which two frames differ by rounding alone
SURE = 1e-6  # how near to 0 or 1 a score may come before its odds are taken
MOST_CROSSINGS = 200  # so that windows, which pair boundaries, do not grow with the square of the length


def edges_from_timestamps(timestamps: np.ndarray, duration: float) -> np.ndarray:
    """Where each frame's stretch begins and ends, midway between neighbours: (T,) seconds give (T + 1,)."""
    return np.concatenate([[0.0], (timestamps[1:] + timestamps[:-1]) / 2, [duration]])  # (T + 1,)


def smooth(timestamps: np.ndarray, scores: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing, `sigma` in seconds, cut off at three of them: (T,) and (T,) give (T,)."""
    if sigma <= 0 or len(scores) < 2:
        return scores
    reach = max(1, round(3 * sigma / float(np.median(np.diff(timestamps)))))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * float(np.median(np.diff(timestamps))) / sigma) ** 2)
    return np.convolve(np.pad(scores, reach, mode="edge"), kernel / kernel.sum(), mode="valid")  # (T,)


def sharpen(scores: np.ndarray, power: float) -> np.ndarray:
    """The odds of the scores to a power, (T,), 1 at the highest: a softmax of the logits over time, but for its sum.

    Scores rise little where many frames match, so that half a video may stand out from the rest by a hair. Odds tell
    the frames apart that match best.
    """
    if power <= 0:
        return scores
    sure = np.clip(scores.astype(np.float64), SURE, 1 - SURE)  # (T,)
    logits = np.log(sure / (1 - sure))  # (T,)
    return np.exp(power * (logits - logits.max()))  # (T,)


def find_changes(features: np.ndarray, most: int) -> np.ndarray:
    """How much the features change at each edge between frames: (T, D) give (T + 1,), 1 at the strongest change.

    Edge i lies between frame i - 1 and frame i. Only the `most` strongest local peaks of the cosine distance between
    neighbours count, all else is 0. The two ends of the video are changes of half strength: a moment may well begin
    or end there, but nothing shows it.
    """
    strength = np.zeros(len(features) + 1)  # (T + 1,)
    if not most:
        return strength
    strength[[0, -1]] = 0.5
    if len(features) > 1:
        distance = measure_neighbour_distance(features)  # (T - 1,)
        distance = np.where(distance > STILL, distance, 0.0)  # (T - 1,)
        padded = np.pad(distance, 1)  # (T + 1,)
        peaks = np.flatnonzero((distance >= padded[:-2]) & (distance > padded[2:]))
        peaks = peaks[np.argsort(-distance[peaks], kind="stable")[:most]]
        strength[peaks + 1] = distance[peaks] / max(distance.max(), STILL)
    return strength


def find_crossings(scores: np.ndarray, thresholds: tuple[float, ...]) -> np.ndarray:
    """Edges where the curve crosses a threshold, the MOST_CROSSINGS steepest: i lies between frames i - 1 and i."""
    levels = scores.min() + np.array(thresholds)[:, None] * (scores.max() - scores.min())  # (K, 1)
    crossed = np.flatnonzero(np.diff(scores >= levels, axis=1).any(axis=0)) + 1
    steepness = np.abs(scores[crossed] - scores[crossed - 1])
    return np.sort(crossed[np.argsort(-steepness, kind="stable")[:MOST_CROSSINGS]])
