"""From a curve of matching scores to ranked segments: the best, and what else the video holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from grounding.segments.candidates import rank_candidates
from grounding.segments.config import SegmentConfig
from grounding.segments.curve import (
    Smoother,
    edges_from_timestamps,
    find_crossings,
    logits_from_scores,
    sharpen,
    smooth,
)
from grounding.segments.scene_changes import SceneChanges, find_scene_changes
from grounding.segments.scenes import find_scenes

Span = tuple[float, float]  # start and end, seconds

ORDER = "Best first: what rises far above what lies around it may come before what scores higher."

# Of the segments after the best: odds to this part of the power rank them, and all may be as short as this, seconds.
OTHERS_SHARPNESS = 0.5
OTHERS_SECONDS = 8.0


@dataclass(frozen=True)
class Segment:
    """A moment.

    Attributes:
        start, end: seconds.
        score: in [0, 1], higher is better.
        stands_out: whether it fits the query better than other videos do; None where the checkpoint has no rule for it.
    """

    start: float
    end: float
    score: float
    stands_out: bool | None = None

    @property
    def span(self) -> Span:
        """Start and end, seconds."""
        return self.start, self.end


def compute_iou(a: Span, b: Span) -> float:
    """Temporal intersection over union of two (start, end) spans in seconds; 0 where both are empty."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0


def describe_order(segments: Sequence[Segment]) -> str:
    """A line on the order of segments where it is not that of their scores as they are shown; "" for any other."""
    scores = [round(one.score, 2) for one in segments]
    return ORDER if any(left < right for left, right in pairwise(scores)) else ""


def suppress_overlaps(
    ranked: Iterable[tuple[int, int]], edges: np.ndarray, most: int, limit: float
) -> list[tuple[int, int]]:
    """Non-maximum suppression: the best `most` of first and last edges, none overlapping a better one by more than IoU
    `limit`; edges (T + 1,) are seconds."""
    kept: list[tuple[int, int]] = []
    for first, last in ranked:
        if len(kept) == most:
            break
        if all(compute_iou(edges[[first, last]], edges[list(other)]) <= limit for other in kept):
            kept.append((first, last))
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
    """The place that stands out most from the rest of the video, and up to `top_k` - 1 others, as find_places has them.

    Args:
        timestamps: (T,) seconds, increasing.
        scores: (T,) matching scores.
        features: (T, D), in which changes are looked for.
        duration: seconds.
        config: see SegmentConfig.
        changes: what `find_scene_changes` gives, to ask it once for many queries.

    Returns:
        One to `top_k` segments, as many as the curve has, which do not overlap. A segment's score is the mean matching
        score inside it, by time, and not its rank. A curve without any contrast gives the whole video. Without
        `config.contrast` segments may overlap by `config.overlap`.
    """
    config = config or SegmentConfig()
    edges = edges_from_timestamps(timestamps, duration)  # (T + 1,)
    changes = changes or find_scene_changes(timestamps, features, config)
    find = find_places if config.contrast else find_runs_above
    spans = find(edges, timestamps, scores, changes, top_k, config)

    return [make_segment(edges, scores, *span) for span in spans or [(0, len(scores))]]


def make_segment(edges: np.ndarray, scores: np.ndarray, first: int, last: int) -> Segment:
    """The segment between two edges, scored by the mean of the scores (T,) as they are, by the time of each frame."""
    seconds = np.diff(edges[first : last + 1])
    score = min(float(scores[first:last] @ seconds / seconds.sum()), 1.0)
    return Segment(float(edges[first]), float(edges[last]), score)


def find_runs_above(
    edges: np.ndarray,
    timestamps: np.ndarray,
    scores: np.ndarray,
    changes: SceneChanges,
    top_k: int,
    config: SegmentConfig,
) -> list[tuple[int, int]]:
    """First and last edge of up to `top_k` stretches above a threshold, by their mean score; see `find_segments`."""
    curve = smooth(timestamps, sharpen(scores, config.sharpness), config.smoothing)  # (T,)
    found = rank_candidates(edges, curve, changes, config)
    order = np.argsort(-found.rank, kind="stable")
    ranked = ((int(found.first[w]), int(found.last[w])) for w in order[found.rank[order] > 0])
    return suppress_overlaps(ranked, edges, top_k, config.overlap)


def find_places(
    edges: np.ndarray,
    timestamps: np.ndarray,
    scores: np.ndarray,
    changes: SceneChanges,
    top_k: int,
    config: SegmentConfig,
) -> list[tuple[int, int]]:
    """First and last edge of up to `top_k` stretches that do not overlap, best first; shapes as in `find_segments`.

    The best is found in the whole video. Where lasting changes of the picture are known, the others are the scenes
    beside it, the one of the highest score first. Else each further one is found as if those before it were cut out: a
    second peak is held against what is left of the video and not against the first.
    """
    free, smoother = np.ones(len(scores), dtype=bool), Smoother(timestamps, config.smoothing)  # free: (T,)
    curve = smoother.smooth(sharpen(scores, config.sharpness), free)  # (T,)
    best = find_place(edges, curve, changes, config, free)
    if best is None:
        return []
    # What is left holds slivers between places, which no one would call moments.
    shortest = min(OTHERS_SECONDS, config.others_share * edges[-1])
    if config.windows:
        logits = logits_from_scores(scores)  # (T,)
        crossings = find_crossings(smoother.smooth(logits), config.thresholds)
        scenes = find_scenes(edges, logits, changes, crossings, best, shortest)
        return [best, *sorted(scenes, key=lambda span: -make_segment(edges, scores, *span).score)][:top_k]

    # Odds to a high power tell the best frames from the good, but the others hardly from each other.
    sharp, places = sharpen(scores, config.sharpness * OTHERS_SHARPNESS), [best]  # sharp: (T,)
    while len(places) < top_k:
        free[slice(*places[-1])] = False
        place = find_place(edges, smoother.smooth(sharp, free), changes, config, free, shortest)
        if place is None:
            break
        places.append(place)
    return places


def find_place(
    edges: np.ndarray,
    curve: np.ndarray,
    changes: SceneChanges,
    config: SegmentConfig,
    free: np.ndarray,
    shortest: float = 0.0,
) -> tuple[int, int] | None:
    """The best stretch of the frames in `free` (T,) bool that lasts `shortest` seconds; None where nothing rises.

    `curve` (T,) is that of `free` alone: what was cut out does not spread into what is left, or the slope of a peak
    would be a moment.
    """
    if not free.any():
        return None
    found = rank_candidates(edges, curve, changes, config, ~free)
    rank = np.where(edges[found.last] - edges[found.first] >= shortest, found.rank, 0.0)  # (W,)
    if not rank.size or rank.max() <= 0:
        return None
    best = int(rank.argmax())
    return int(found.first[best]), int(found.last[best])
