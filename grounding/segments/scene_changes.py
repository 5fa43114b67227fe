"""Where one scene is likely to end and another to begin: changes that last, unlike a cut within a scene."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from grounding.segments.config import SegmentConfig
from grounding.segments.curve import repeat_held_frames, usual_step

if TYPE_CHECKING:
    from grounding.segments.scene_joins import JoinDetector

BLOCK = 128  # edges that are looked at together
SHARPNESS = 5.3  # of the step from a cut within a scene to a join of two
STILL = 1e-6  # product of lengths below which two sides do not differ from the video's mean
UNCHANGED = 1e-6  # cosine distance up to which two frames differ by rounding alone
LEAST = 1e-3  # chance that even the clearest join lies within a moment


@dataclass(frozen=True)
class SceneChanges:
    """Where a video changes, whatever is asked: (T + 1,) each, of the edges.

    Attributes:
        chances: how likely two scenes meet there.
        strength: of those changes that become boundaries, else 0.
    """

    chances: np.ndarray
    strength: np.ndarray


def find_scene_changes(
    timestamps: np.ndarray, features: np.ndarray, config: SegmentConfig, detector: "JoinDetector | None" = None
) -> SceneChanges:
    """The changes that the config asks for; `timestamps` (T,) seconds and `features` (T, D) as in `find_segments`.

    A `detector` tells joins in the place of `config.join`.
    """
    if not config.windows:
        strength = find_changes(features, config.changes)  # (T + 1,)
        return SceneChanges(strength, strength)
    if detector:
        chances = detector.estimate(timestamps, features)  # (T + 1,)
    else:
        chances = estimate_join_chances(timestamps, features, config.windows, config.join)  # (T + 1,)
    return SceneChanges(chances, keep_strongest(chances, config.changes))


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
        # Rounding alone is no change: a still picture has none.
        distance = measure_neighbour_distance(features)  # (T - 1,)
        distance = np.where(distance > UNCHANGED, distance, 0.0)  # (T - 1,)

        # In a slow turn only the fastest edge is one: a peak is higher than its neighbours.
        padded = np.pad(distance, 1)  # (T + 1,)
        peaks = np.flatnonzero((distance >= padded[:-2]) & (distance > padded[2:]))
        peaks = peaks[np.argsort(-distance[peaks], kind="stable")[:most]]
        strength[peaks + 1] = distance[peaks] / max(distance.max(), UNCHANGED)
    return strength


def measure_lasting_change(features: np.ndarray, reach: int, mean: np.ndarray | float = 0.0) -> np.ndarray:
    """Cosine distance of the means of `reach` frames before and after each inner edge: (T, D) give (T - 1,).

    `mean` (D,) is taken off the features first. Edges are looked at block by block: memory does not grow with T.
    """
    edges = np.arange(1, len(features))  # (T - 1,)
    blocks = np.split(edges, range(BLOCK, len(edges), BLOCK))
    return np.concatenate([_compare_sides(block, features, reach, mean) for block in blocks if len(block)] or [[]])


def _compare_sides(edge: np.ndarray, features: np.ndarray, reach: int, mean: np.ndarray | float) -> np.ndarray:
    """`edge` (E,), neighbours in order, give (E,)."""
    # Running sums give the sum of any stretch as one subtraction; a cosine needs no division by its length.
    first, end = max(edge[0] - reach, 0), min(edge[-1] + reach, len(features))
    rows = features[first:end].astype(np.float32) - mean  # (N, D), those that these edges look at
    total = np.concatenate([np.zeros_like(rows[:1]), np.cumsum(rows, axis=0)])  # (N + 1, D)
    edge = edge - first  # (E,)
    low, high = np.maximum(edge - reach, 0), np.minimum(edge + reach, len(rows))  # (E,) each
    before, after = total[edge] - total[low], total[high] - total[edge]  # (E, D) each

    # Where either side is the video's mean itself, no direction is left to compare.
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)  # (E,)
    cosine = (before * after).sum(axis=1) / np.maximum(lengths, STILL)  # (E,)
    return np.where(lengths > STILL, 1 - cosine, 0.0)  # (E,)


def measure_neighbour_distance(features: np.ndarray) -> np.ndarray:
    """Cosine distance of each frame and the next: (T, D), T above 1, give (T - 1,). Block by block, as above."""
    starts = range(0, len(features) - 1, BLOCK)
    return np.concatenate([_compare_neighbours(features[first : first + BLOCK + 1]) for first in starts])  # (T - 1,)


def _compare_neighbours(features: np.ndarray) -> np.ndarray:
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

    # Short windows place a change, long ones tell whether it lasts: their distances are averaged.
    # A frame that is held counts for as long as it is.
    reaches = [max(1, round(window / usual_step(timestamps))) for window in windows]
    index = repeat_held_frames(timestamps, max(reaches))  # (G,)
    shown = features if len(index) == len(features) else features[index]  # (G, D)
    mean = shown.mean(axis=0, dtype=np.float32)  # (D,)
    distance = np.mean([measure_lasting_change(shown, reach, mean) for reach in reaches], axis=0)  # (G - 1,)

    # Around a join the distance is high for a while; only its top is the join, and only where the frame is another.
    peaks = find_local_peaks(distance, min(reaches))
    peaks = peaks[(distance[peaks] > 0) & (np.diff(index)[peaks] > 0)]
    chances[index[peaks] + 1] = 1 / (1 + np.exp(SHARPNESS * (middle - distance[peaks])))
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
