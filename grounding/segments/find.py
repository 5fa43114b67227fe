"""From a curve of matching scores to ranked segments: candidates, the best first, thinned where they overlap."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from grounding.segments.candidates import rank_candidates
from grounding.segments.config import SegmentConfig
from grounding.segments.curve import edges_from_timestamps, sharpen, smooth
from grounding.segments.scene_changes import SceneChanges, find_scene_changes

Span = tuple[float, float]  # start and end, seconds


@dataclass(frozen=True)
class Segment:
    """A moment: `start` and `end` in seconds, `score` in [0, 1], higher is better."""

    start: float
    end: float
    score: float

    @property
    def span(self) -> Span:
        """Start and end, seconds."""
        return self.start, self.end


def compute_iou(a: Span, b: Span) -> float:
    """Temporal intersection over union of two (start, end) spans in seconds; 0 where both are empty."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0


def suppress_overlaps(ranked: Iterable[Segment], most: int, limit: float) -> list[Segment]:
    """Non-maximum suppression: the best `most` segments, none overlapping a better one by more than IoU `limit`."""
    kept: list[Segment] = []
    for segment in ranked:
        if len(kept) == most:
            break
        if all(compute_iou(segment.span, other.span) <= limit for other in kept):
            kept.append(segment)
    return kept


def find_segments(
    timestamps: np.ndarray,
    scores: np.ndarray,
    features: np.ndarray,
    duration: float,
    top_k: int = 5,
    config: SegmentConfig | None = None,
    changes: SceneChanges | None = None,
) -> list[Segment]:
    """The `top_k` segments that stand out most from the rest of the video, best first.

    Args:
        timestamps: (T,) seconds, increasing.
        scores: (T,) matching scores.
        features: (T, D), in which changes are looked for.
        duration: seconds.
        config: see SegmentConfig.
        changes: what `find_scene_changes` gives, to ask it once for many queries.

    Returns:
        One to `top_k` segments. A segment's score is the mean matching score of the frames inside it, not its rank. A
        curve without any contrast gives the whole video.
    """
    # Candidates are ranked on the curve made ready, in which one odd frame makes no segment.
    config = config or SegmentConfig()
    edges = edges_from_timestamps(timestamps, duration)  # (T + 1,)
    curve = smooth(timestamps, sharpen(scores, config.sharpness), config.smoothing)  # (T,)
    found = rank_candidates(edges, curve, changes or find_scene_changes(timestamps, features, config), config)
    order = np.argsort(-found.rank, kind="stable")

    # What is told of a segment is the mean of the scores as they are.
    total = np.concatenate([[0.0], np.cumsum(scores)])  # (T + 1,)
    mean = (total[found.last] - total[found.first]) / (found.last - found.first)  # (W,)
    ranked = (
        Segment(float(edges[found.first[w]]), float(edges[found.last[w]]), min(float(mean[w]), 1.0))
        for w in order[found.rank[order] > 0]
    )
    return suppress_overlaps(ranked, top_k, config.overlap) or [Segment(0.0, float(duration), float(scores.mean()))]
