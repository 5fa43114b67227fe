"""Hard negatives: frames outside a moment that look almost like it.

Training mines them to push them away; the demo mines them to show what nearly fooled the model. Both use the two
functions here. The idea, hard negatives at several scales, is that of Mo, Liu, Hu, arXiv 2203.03838; the radii and
shares are our reading of it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grounding.validation import check_ranges

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Scale:
    """One scale of mining.

    Attributes:
        radius: how far from a boundary a frame still counts as a boundary frame, seconds.
        share: share of the background that is kept, the hardest first.
    """

    radius: float
    share: float

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {"radius": (self.radius > 0, "above 0 s"), "share": (0 < self.share <= 1, "above 0 and at most 1")},
        )


SCALES = (Scale(1.0, 0.5), Scale(3.0, 0.25), Scale(9.0, 0.125))


def compute_prototype(frames: "Tensor", weights: "Tensor") -> "Tensor":
    """Weighted mean direction of `frames` (..., T, D) under non-negative `weights` (..., T): unit length, (..., D)."""
    from torch import einsum
    from torch.nn.functional import normalize

    mean = einsum("...td,...t->...d", frames, weights)  # (..., D)
    return normalize(mean, dim=-1)  # (..., D)


def measure_boundary_distance(foreground: "Tensor", timestamps: "Tensor") -> "Tensor":
    """Seconds from each frame to the nearest foreground frame: 0 inside, infinity where there is no foreground.

    `foreground` (..., T) bool and `timestamps` (..., T) seconds give (..., T).
    """
    apart = (timestamps.unsqueeze(-1) - timestamps.unsqueeze(-2)).abs()  # (..., T, T)
    return apart.masked_fill(~foreground.unsqueeze(-2), float("inf")).amin(dim=-1)  # (..., T)


def mine_hard_negatives(
    similarity: "Tensor",
    candidates: "Tensor",
    distance: "Tensor",
    scale: Scale,
    near_duplicate: float,
    bonus: float = 0.1,
) -> "Tensor":
    """The hardest background frames at one scale.

    A frame's hardness is its similarity to the moment, and `bonus` more within the scale's radius of a boundary.
    Frames at least `near_duplicate` similar are left out: they are probably the moment itself.

    Args:
        similarity: (B, T) cosine of each frame with the moment's prototype.
        candidates: (B, T), True at the background frames that may be mined.
        distance: (B, T) seconds to the nearest foreground frame.
        scale: radius and share.

    Returns:
        (B, T) bool; at least one frame of each row that has a candidate left.
    """
    # What is all but the moment itself is probably the moment: to push it away would teach an error.
    allowed = candidates & (similarity < near_duplicate)  # (B, T)

    # Frames near a boundary are where a moment's extent is learned, so they count as harder.
    hardness = similarity + bonus * (distance <= scale.radius)  # (B, T)
    hardness = hardness.masked_fill(~allowed, float("-inf"))  # (B, T)

    # The hardest share of what is left, at least one frame.
    rank = hardness.argsort(dim=-1, descending=True).argsort(dim=-1)  # (B, T)
    keep = (allowed.sum(dim=-1, keepdim=True) * scale.share).ceil()  # (B, 1)
    return allowed & (rank < keep)  # (B, T)


@dataclass(frozen=True)
class HardNegative:
    """A frame just outside a segment that looks like it.

    Attributes:
        timestamp: seconds.
        score: matching score of the frame, [0, 1].
        similarity: cosine of the frame with the segment's prototype, each frame seen alone by the grounder: not
            together with those beside it, as it is for its score.
        scale: 1 for the nearest ring around the boundary, then 2, 3.
        segment: index of the segment in the answer.
        side: "before" or "after".
    """

    timestamp: float
    score: float
    similarity: float
    scale: int
    segment: int
    side: str


def measure_moment_similarity(
    frames: "Tensor", timestamps: "Tensor", scores: "Tensor", bounds: tuple[float, float]
) -> "Tensor":
    """Cosine of every frame with the prototype of those inside `bounds` (start and end, seconds), by their scores.

    `frames` (T, D) of unit length, `timestamps` (T,) seconds and `scores` (T,) give (T,); all 0 where no frame is
    inside.
    """
    inside = (timestamps >= bounds[0]) & (timestamps < bounds[1])  # (T,)
    return frames @ compute_prototype(frames, inside * (scores + 1e-3))  # (T,)


def inspect_segment(
    frames: "Tensor",
    timestamps: "Tensor",
    scores: "Tensor",
    bounds: tuple[float, float],
    segment: int = 0,
    scales: tuple[Scale, ...] = SCALES,
) -> list[HardNegative]:
    """The hardest frame on either side of a segment in each ring, ring k reaching from radius k - 1 to radius k.

    Near-duplicates are shown, unlike in training: a viewer wants to see just those.

    Args:
        frames: (T, D) unit length, as the grounder embeds them one by one.
        timestamps: (T,) seconds.
        scores: (T,) matching scores.
        bounds: start and end of the segment, seconds.
        segment: its index in the answer.

    Returns:
        The hardest first; empty where no frame lies outside or none inside.
    """
    start, end = bounds
    # Frames farther away than the widest ring are not looked at: in a long video they are nearly all.
    times, reach = timestamps.numpy(), max(scale.radius for scale in scales)
    near = slice(np.searchsorted(times, start - reach), np.searchsorted(times, end + reach))
    times = times[near]  # (N,)
    inside = (times >= start) & (times < end)  # (N,)
    if not inside.any():
        return []
    similarity = measure_moment_similarity(frames[near], timestamps[near], scores[near], bounds).numpy()  # (N,)

    scores = scores.numpy()[near]  # (N,)
    found = [
        HardNegative(*(float(row[hardest]) for row in (times, scores, similarity)), scale, segment, side)
        for side, distance in (("before", start - times), ("after", times - end))
        for scale, hardest in find_hardest(similarity, np.where(inside, -np.inf, distance), scales)
    ]
    return sorted(found, key=lambda frame: -frame.similarity)


def find_hardest(
    similarity: np.ndarray, distance: np.ndarray, scales: tuple[Scale, ...] = SCALES
) -> list[tuple[int, int]]:
    """Of each ring that holds frames, its number from 1 on and the index of its most similar frame, rings outwards.

    `similarity` (N,), and `distance` (N,) in seconds outwards from a boundary, below 0 on its other side.
    """
    found, inner = [], 0.0
    for number, scale in enumerate(scales, start=1):
        ring = np.flatnonzero((distance >= inner) & (distance < scale.radius))  # (R,)
        inner = scale.radius
        if len(ring):
            found.append((number, int(ring[similarity[ring].argmax()])))
    return found
