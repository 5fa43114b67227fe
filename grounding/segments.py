"""From a curve of matching scores to ranked segments.

Candidates run between boundaries: where the curve crosses one of several thresholds, and where the features
themselves change. They are ranked by inside-minus-outside contrast, as in between-class variance (Otsu, 1979), and
thinned by non-maximum suppression.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Segment:
    """A moment: `start` and `end` in seconds, `score` in [0, 1], higher is better."""

    start: float
    end: float
    score: float


@dataclass(frozen=True)
class SegmentConfig:
    """How segments are read off a curve.

    Attributes:
        smoothing: standard deviation of the Gaussian over the curve, seconds; 0 is none.
        thresholds: heights, as shares of the way from the lowest to the highest score, at which runs are cut out.
        window: seconds on either side that are compared to find a change in the features; 0 leaves changes out.
        changes: how many changes at most become boundaries, the strongest first.
        balance: exponent of w(1 - w), w the share of the video inside: 0.5 is Otsu's, 0 prefers the highest peak.
        overlap: a segment that overlaps a better one by more than this IoU is dropped.
    """

    smoothing: float = 0.5
    thresholds: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7)
    window: float = 1.5
    changes: int = 40
    balance: float = 0.5
    overlap: float = 0.5


def frame_edges(timestamps: np.ndarray, duration: float) -> np.ndarray:
    """Where each frame's stretch begins and ends, midway between neighbours: (T,) seconds give (T + 1,)."""
    return np.concatenate([[0.0], (timestamps[1:] + timestamps[:-1]) / 2, [duration]])  # (T + 1,)


def smooth(timestamps: np.ndarray, scores: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing in seconds, blind to nothing but padding: (T,) and (T,) give (T,)."""
    if sigma <= 0 or len(scores) < 2:
        return scores
    reach = max(1, round(3 * sigma / float(np.median(np.diff(timestamps)))))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * float(np.median(np.diff(timestamps))) / sigma) ** 2)
    return np.convolve(np.pad(scores, reach, mode="edge"), kernel / kernel.sum(), mode="valid")  # (T,)


def change_points(timestamps: np.ndarray, features: np.ndarray, window: float, most: int) -> np.ndarray:
    """Edges where the features change the most: indices i, the change lying between frame i - 1 and frame i.

    The change at an edge is the cosine distance of the mean features on its two sides; only local peaks count.
    """
    count = len(timestamps)
    if window <= 0 or count < 2:
        return np.empty(0, dtype=int)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)  # (T, D)
    total = np.concatenate([np.zeros((1, unit.shape[1])), np.cumsum(unit, axis=0, dtype=np.float64)])  # (T + 1, D)
    reach = max(1, round(window / float(np.median(np.diff(timestamps)))))
    edge = np.arange(1, count)  # (T - 1,)
    before = total[edge] - total[np.maximum(edge - reach, 0)]  # (T - 1, D)
    after = total[np.minimum(edge + reach, count)] - total[edge]  # (T - 1, D)
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)  # (T - 1,)
    change = 1 - (before * after).sum(axis=1) / np.maximum(norms, 1e-9)  # (T - 1,)
    padded = np.pad(change, 1, constant_values=-np.inf)
    peaks = edge[(change >= padded[:-2]) & (change > padded[2:])]
    return np.sort(peaks[np.argsort(-change[peaks - 1])[:most]])


def crossings(scores: np.ndarray, thresholds: tuple[float, ...]) -> np.ndarray:
    """Edges where the curve crosses a threshold: indices i, the crossing lying between frame i - 1 and frame i."""
    low, high = scores.min(), scores.max()
    edges = [np.flatnonzero(np.diff(scores >= low + share * (high - low))) + 1 for share in thresholds]
    return np.unique(np.concatenate(edges)) if edges else np.empty(0, dtype=int)


def windows(edges: np.ndarray, mass: np.ndarray, bounds: np.ndarray, balance: float) -> tuple[np.ndarray, ...]:
    """Every window between two of `bounds`, with its rank.

    Args:
        edges: (T + 1,) seconds.
        mass: (T,) scores.
        bounds: (K,) edge indices, sorted.

    Returns:
        first (W,), last (W,) edge indices, mean score inside (W,), rank (W,): contrast times (w(1 - w)) ** balance.
    """
    lengths = np.diff(edges)  # (T,)
    total = np.concatenate([[0.0], np.cumsum(mass * lengths)])  # (T + 1,)
    first, last = (bounds[side] for side in np.triu_indices(len(bounds), 1))
    span = edges[last] - edges[first]  # (W,)
    area = total[last] - total[first]  # (W,)
    inside, rest = area / span, edges[-1] - edges[0] - span  # (W,)
    outside = (total[-1] - area) / np.maximum(rest, 1e-9)  # (W,)
    share = span / (edges[-1] - edges[0])  # (W,)
    rank = np.where(rest > 1e-9, (inside - outside) * (share * (1 - share)) ** balance, 0.0)  # (W,)
    return first, last, inside, rank


def overlap(a: Segment, b: Segment) -> float:
    """Temporal intersection over union of two segments."""
    shared = min(a.end, b.end) - max(a.start, b.start)
    return max(0.0, shared) / (max(a.end, b.end) - min(a.start, b.start)) if shared > 0 else 0.0


def suppress(ranked: list[Segment], most: int, limit: float) -> list[Segment]:
    """Non-maximum suppression: the best `most` segments, none overlapping a better one by more than IoU `limit`."""
    kept: list[Segment] = []
    for segment in ranked:
        if len(kept) == most:
            break
        if all(overlap(segment, other) <= limit for other in kept):
            kept.append(segment)
    return kept


def find_segments(
    timestamps: np.ndarray,
    scores: np.ndarray,
    features: np.ndarray,
    duration: float,
    top_k: int = 5,
    config: SegmentConfig | None = None,
) -> list[Segment]:
    """The `top_k` segments that stand out most from the rest of the video, best first.

    Args:
        timestamps: (T,) seconds, increasing.
        scores: (T,) matching scores.
        features: (T, D), in which changes are looked for.
        duration: seconds.
        config: see SegmentConfig.

    Returns:
        One to `top_k` segments. A segment's score is the mean matching score inside it. A curve without any contrast
        gives the whole video.
    """
    config = config or SegmentConfig()
    edges = frame_edges(timestamps, duration)  # (T + 1,)
    curve = smooth(timestamps, scores, config.smoothing)  # (T,)
    inner = [
        crossings(curve, config.thresholds),
        change_points(timestamps, features, config.window, config.changes),
    ]
    bounds = np.unique(np.concatenate([[0, len(timestamps)], *inner])).astype(int)
    first, last, inside, rank = windows(edges, curve, bounds, config.balance)
    order = np.argsort(-rank, kind="stable")
    order = order[rank[order] > 0]
    ranked = [Segment(float(edges[first[w]]), float(edges[last[w]]), float(inside[w])) for w in order]
    return suppress(ranked, top_k, config.overlap) or [Segment(0.0, float(duration), float(curve.mean()))]
