"""The curve of matching scores that segments are read off: smoothed, sharpened, and where it crosses a threshold."""

import numpy as np

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


def find_crossings(scores: np.ndarray, thresholds: tuple[float, ...]) -> np.ndarray:
    """Edges where the curve crosses a threshold, the MOST_CROSSINGS steepest: i lies between frames i - 1 and i."""
    levels = scores.min() + np.array(thresholds)[:, None] * (scores.max() - scores.min())  # (K, 1)
    crossed = np.flatnonzero(np.diff(scores >= levels, axis=1).any(axis=0)) + 1
    steepness = np.abs(scores[crossed] - scores[crossed - 1])
    return np.sort(crossed[np.argsort(-steepness, kind="stable")[:MOST_CROSSINGS]])


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
    # Between changes the picture is one scene, so one height.
    length = np.diff(edges)  # (T,)
    level = average_between_changes(curve, length, strength)  # (T,)

    # A stretch begins where the curve rises over the threshold and ends where it falls below; each counts once.
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
