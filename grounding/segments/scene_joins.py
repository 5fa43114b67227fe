"""Where two scenes meet, told from cuts within one scene by how the picture's distance rises and falls around.

A cut between two shots of one scene changes the picture, too, but not for long. Around a join the distance between what
lies before and after has the shape of a tent at every width; a small network, which composed training videos taught
(`training.scene_joins`), knows that shape.
"""

from dataclasses import dataclass

import numpy as np

from grounding.segments.curve import repeat_held_frames, usual_step
from grounding.segments.scene_changes import UNCHANGED, find_local_peaks, measure_lasting_change

JOINS_FILE = "joins.safetensors"  # beside a checkpoint's weights
WINDOWS = (1, 2, 3, 4, 6, 8, 12, 16, 24)  # steps on either side of an edge that are averaged and compared
REACH = 4  # edges on either side whose distances are seen, too
APART = 2  # steps between two joins, at least
READING = {"sharpness": 1.5, "coherence": 0.3}  # not the config's: joins that are told surely count for more
BLOCK = 1024  # frames that are projected together


@dataclass(frozen=True)
class JoinDetector:
    """Tells joins of scenes.

    Attributes:
        projection: (Dv, K) map of frame features to where frames of one scene lie together.
        layers: weights (N, I, O) and biases (N, 1, O) of N networks, whose outputs are averaged.
        step: seconds between frames, as they were in training.
    """

    projection: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    step: float

    def fits(self, timestamps: np.ndarray) -> bool:
        """Whether the frames at these times (T,), seconds, follow each other about as fast as in training."""
        return bool(0.5 * self.step <= usual_step(timestamps) <= 2 * self.step)

    def estimate(self, timestamps: np.ndarray, features: np.ndarray) -> np.ndarray:
        """How likely two scenes meet at each edge, in [0, 1]: (T,) seconds and (T, Dv) give (T + 1,).

        Edge i lies between frames i - 1 and i; away from peaks it is 0, and the ends of the video are as likely as not.
        """
        chances = np.zeros(len(features) + 1)  # (T + 1,)
        chances[[0, -1]] = 0.5
        if len(features) < 2:
            return chances

        # A frame that is held counts for as long as it is.
        index = repeat_held_frames(timestamps, max(WINDOWS))  # (G,)
        profiles = measure_profiles(features, index, self.projection)  # (G - 1, W, E)
        logits = self.judge(profiles.reshape(len(profiles), -1))  # (G - 1,)

        # Of neighbours the likeliest, and only where the picture is another one.
        peaks = find_local_peaks(logits, APART)
        peaks = peaks[(np.diff(index)[peaks] > 0) & (profiles[peaks, 0, REACH] > UNCHANGED)]
        chances[index[peaks] + 1] = 1 / (1 + np.exp(-logits[peaks]))
        return chances

    def judge(self, profiles: np.ndarray) -> np.ndarray:
        """Log odds of a join, (P,), from profiles (P, W * E)."""
        rows = profiles  # (P, I), then (N, P, O)
        for number, (weight, bias) in enumerate(self.layers):
            rows = (np.maximum(rows, 0.0) if number else rows) @ weight + bias  # (N, P, O)
        return rows[..., 0].mean(axis=0)  # (P,)


def detector_from_tensors(tensors: dict[str, np.ndarray], step: float, width: int) -> JoinDetector:
    """What a file of `training.scene_joins` holds by name; `step` as in JoinDetector.

    Raises KeyError where a tensor is missing, and ValueError where one does not fit frame features of `width` or
    the profiles of this version.
    """
    count = sum(name.startswith("weight") for name in tensors)
    layers = tuple((tensors[f"weight{number}"], tensors[f"bias{number}"]) for number in range(count))
    detector = JoinDetector(tensors["projection"], layers, step)
    detector.estimate(np.array([0.0, step]), np.zeros((2, width)))  # in the first video it would be too late to tell
    return detector


def measure_profiles(features: np.ndarray, index: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """What the network sees of each inner edge: the cosine distances between both sides of it and its neighbours.

    Args:
        features: (T, Dv).
        index: (G,) which of them is on the screen at each step.
        projection: (Dv, K).

    Returns:
        (G - 1, W, E) for W windows and E edges, the edge itself in the middle; 0 beyond the video.
    """
    blocks = [features[first : first + BLOCK] for first in range(0, len(features), BLOCK)]
    rows = np.concatenate([block.astype(np.float32) @ projection for block in blocks])[index]  # (G, K)
    mean = rows.mean(axis=0)  # (K,), so that what all scenes of a video share does not count
    distance = np.stack([measure_lasting_change(rows, window, mean) for window in WINDOWS], axis=1)  # (G - 1, W)
    padded = np.pad(distance, ((REACH, REACH), (0, 0)))  # (G - 1 + 2 * REACH, W)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1, axis=0)  # (G - 1, W, E)
