"""From a curve of matching scores to ranked segments.

Candidates run between boundaries: where the curve crosses one of several thresholds, and where the features
themselves change. They are ranked by inside-minus-outside contrast, as in between-class variance (Otsu, 1979), and
thinned by non-maximum suppression.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from grounding.segments.curve import edges_from_timestamps, find_changes, find_crossings, sharpen, smooth
from grounding.segments.runs import find_runs
from grounding.segments.scene_changes import estimate_join_chances, keep_strongest, measure_coherence
from grounding.validation import check_ranges

LONGEST = 600.0  # seconds that a curve or features may be averaged over
HORIZON = 180.0  # seconds; the stretch of a long video that a moment's length is held against
FLAT = 1e-9  # contrast up to which a curve differs by rounding alone


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
        sharpness: if above 0, segments are read off the odds of the scores to this power, see `sharpened`; else off the
            scores as they are.
        smoothing: standard deviation of the Gaussian over the curve, seconds; 0 is none.
        thresholds: heights, as shares of the way from the lowest to the highest score, at which runs are cut out.
        changes: how many changes of the features become boundaries at most, the strongest first; 0 leaves them out.
        change_bonus: how much more a window counts for lying between two changes of full strength.
        surroundings: how far around a window the contrast looks, in lengths of the window, on either side.
        balance: exponent of w(1 - w), w the share of the video inside: 0.5 is Otsu's, 0 prefers the highest peak.
        windows: seconds on either side of an edge over which features are averaged before they are compared, so that
            only changes that last count, see `scene_changes`; without any, neighbouring frames are compared.
        join: distance between the two sides at which two scenes meet as likely as not.
        coherence: how much a window loses for scenes that meet inside it; 0 is nothing. Needs `windows`.
        contrast: whether all windows between boundaries are candidates, by contrast; else only the stretches above a
            threshold are, by their mean score, and `change_bonus` to `balance` and `coherence` are not read.
        overlap: a segment that overlaps a better one by more than this IoU is dropped.
    """

    sharpness: float = 0.0
    smoothing: float = 0.5
    thresholds: tuple[float, ...] = (0.3, 0.4, 0.5, 0.6, 0.7)
    changes: int = 40
    change_bonus: float = 2.0
    surroundings: float = 2.0
    balance: float = 0.4
    windows: tuple[float, ...] = ()
    join: float = 0.9
    coherence: float = 0.0
    contrast: bool = True
    overlap: float = 0.4

    def __post_init__(self) -> None:
        heights = all(0 <= height <= 1 for height in self.thresholds) and (self.contrast or self.thresholds)
        check_ranges(
            self,
            {
                "sharpness": (0 <= self.sharpness <= 100, "from 0 to 100"),
                "smoothing": (0 <= self.smoothing <= LONGEST, f"from 0 to {LONGEST} s"),
                "thresholds": (heights, "shares from 0 to 1, at least one without contrast"),
                "changes": (0 <= self.changes <= 1000, "from 0 to 1000"),
                "change_bonus": (0 <= self.change_bonus < np.inf, "0 or more"),
                "surroundings": (0 < self.surroundings < np.inf, "above 0"),
                "balance": (0 <= self.balance <= 100, "from 0 to 100"),
                "windows": (all(0 < window <= LONGEST for window in self.windows), f"above 0 and up to {LONGEST} s"),
                "join": (0 <= self.join <= 2, "a cosine distance, from 0 to 2"),
                "coherence": (0 <= self.coherence < np.inf, "0 or more"),
                "overlap": (0 <= self.overlap <= 1, "an IoU, from 0 to 1"),
            },
        )


@dataclass(frozen=True)
class Candidates:
    """Candidates: first and last edge index, and rank, (W,) each."""

    first: np.ndarray
    last: np.ndarray
    rank: np.ndarray


def rank_windows(edges: np.ndarray, curve: np.ndarray, strength: np.ndarray, config: SegmentConfig) -> Candidates:
    """Every window between two boundaries, ranked.

    The rank is the contrast of the mean score inside with that of the surroundings, times (w(1 - w)) ** balance,
    w the window's share of the video, and more where the window lies between changes. In a video longer than HORIZON
    the share is that of the horizon, lest long windows win everywhere.

    Args:
        edges: (T + 1,) seconds, the first 0.
        curve: (T,) smoothed scores.
        strength: (T + 1,) changes at the edges.
    """
    inner = np.union1d(find_crossings(curve, config.thresholds), np.flatnonzero(strength))
    bounds = np.union1d(inner, [0, len(curve)]).astype(int)  # (K,)
    first, last = (bounds[side] for side in np.triu_indices(len(bounds), 1))  # (W,) each
    start, end = edges[first], edges[last]  # (W,) each
    total = np.concatenate([[0.0], np.cumsum(curve * np.diff(edges))])  # (T + 1,), the area under the curve so far
    length, area = end - start, total[last] - total[first]  # (W,) each
    low = np.maximum(start - config.surroundings * length, 0.0)  # (W,)
    high = np.minimum(end + config.surroundings * length, edges[-1])  # (W,)
    rest = high - low - length  # (W,)
    around = np.interp(high, edges, total) - np.interp(low, edges, total) - area  # (W,)
    contrast = np.where(rest > 1e-9, area / length - around / np.maximum(rest, 1e-9), 0.0)  # (W,)
    contrast[np.abs(contrast) < FLAT] = 0.0
    share = np.minimum(length / min(edges[-1], HORIZON), np.maximum(0.5, length / edges[-1]))  # (W,)
    bonus = 1 + config.change_bonus * (strength[first] + strength[last]) / 2  # (W,)
    return Candidates(first, last, contrast * (share * (1 - share)) ** config.balance * bonus)


@dataclass(frozen=True)
class SceneChanges:
    """Where a video changes, whatever is asked: (T + 1,) each, of the edges.

    Attributes:
        chances: how likely two scenes meet there.
        strength: of those changes that become boundaries, else 0.
    """

    chances: np.ndarray
    strength: np.ndarray


def find_scene_changes(timestamps: np.ndarray, features: np.ndarray, config: SegmentConfig) -> SceneChanges:
    """The changes that the config asks for; `timestamps` (T,) and `features` (T, D) as in `find_segments`."""
    if not config.windows:
        strength = find_changes(features, config.changes)  # (T + 1,)
        return SceneChanges(strength, strength)
    chances = estimate_join_chances(timestamps, features, config.windows, config.join)  # (T + 1,)
    return SceneChanges(chances, keep_strongest(chances, config.changes))


def rank_candidates(edges: np.ndarray, curve: np.ndarray, breaks: SceneChanges, config: SegmentConfig) -> Candidates:
    """The candidates between the video's breaks; shapes as in `candidates`."""
    if not config.contrast:
        return Candidates(*find_runs(edges, curve, breaks.strength, config.thresholds))
    found = rank_windows(edges, curve, breaks.strength, config)
    if not config.windows:
        return found
    kept = np.exp(config.coherence * measure_coherence(breaks.chances, found.first, found.last))  # (W,)
    return replace(found, rank=found.rank * kept)


def compute_iou(a: Segment, b: Segment) -> float:
    """Temporal intersection over union of two segments."""
    shared = min(a.end, b.end) - max(a.start, b.start)
    return shared / (max(a.end, b.end) - min(a.start, b.start)) if shared > 0 else 0.0


def suppress_overlaps(ranked: Iterable[Segment], most: int, limit: float) -> list[Segment]:
    """Non-maximum suppression: the best `most` segments, none overlapping a better one by more than IoU `limit`."""
    kept: list[Segment] = []
    for segment in ranked:
        if len(kept) == most:
            break
        if all(compute_iou(segment, other) <= limit for other in kept):
            kept.append(segment)
    return kept


def find_segments(
    timestamps: np.ndarray,
    scores: np.ndarray,
    features: np.ndarray,
    duration: float,
    top_k: int = 5,
    config: SegmentConfig | None = None,
    breaks: SceneChanges | None = None,
) -> list[Segment]:
    """The `top_k` segments that stand out most from the rest of the video, best first.

    Args:
        timestamps: (T,) seconds, increasing.
        scores: (T,) matching scores.
        features: (T, D), in which changes are looked for.
        duration: seconds.
        config: see SegmentConfig.
        breaks: what `find_scene_changes` gives, to ask it once for many queries.

    Returns:
        One to `top_k` segments. A segment's score is the mean matching score of the frames inside it, not its rank. A
        curve without any contrast gives the whole video.
    """
    config = config or SegmentConfig()
    edges = edges_from_timestamps(timestamps, duration)  # (T + 1,)
    curve = smooth(timestamps, sharpen(scores, config.sharpness), config.smoothing)  # (T,)
    found = rank_candidates(edges, curve, breaks or find_scene_changes(timestamps, features, config), config)
    order = np.argsort(-found.rank, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(scores)])  # (T + 1,)
    mean = (total[found.last] - total[found.first]) / (found.last - found.first)  # (W,), of the scores as they are
    ranked = (
        Segment(float(edges[found.first[w]]), float(edges[found.last[w]]), min(float(mean[w]), 1.0))
        for w in order[found.rank[order] > 0]
    )
    return suppress_overlaps(ranked, top_k, config.overlap) or [Segment(0.0, float(duration), float(scores.mean()))]
