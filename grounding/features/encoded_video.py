"""What is kept of a video once its frames are encoded: enough to ground any number of queries."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from grounding.errors import FeaturesError

Computed = TypeVar("Computed")

BLOCK = 128  # frames that are converted at once, which bounds memory


@dataclass(frozen=True)
class EncodedVideo:
    """The features of a video's sampled frames.

    Attributes:
        timestamps: (T,) seconds, increasing.
        features: (T, D), a row per sampled frame; float16 from `encode_video`, and any float type from elsewhere.
        duration: length of the video in seconds.
        encoder: name of the frame encoder that made the features.
        skipped: spans (start, end) in seconds that could not be decoded in full; where the file ends early, one goes on
            from there to the end that its container states, beyond `duration`.
        rough: how many key frames stand for what is not encoded; 0 where all of it is.

    Raises:
        FeaturesError: shapes disagree, no frame at all, a value that is not finite, or a duration that is no number.
    """

    timestamps: np.ndarray
    features: np.ndarray
    duration: float
    encoder: str
    skipped: tuple[tuple[float, float], ...] = ()
    rough: int = 0
    _computed: dict[Hashable, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        timestamps = _check_real("timestamps", self.timestamps).astype(np.float64, copy=False)  # (T,)
        features = _check_real("features", self.features)  # (T, D)
        object.__setattr__(self, "timestamps", timestamps)
        object.__setattr__(self, "features", features)
        if timestamps.ndim != 1 or features.ndim != 2 or len(timestamps) != len(features) or not len(timestamps):
            raise FeaturesError(
                f"timestamps {timestamps.shape} and features {features.shape} do not fit: "
                "give (T,) seconds and (T, D) features of the same T frames, at least one."
            )
        if not (np.isfinite(timestamps).all() and _is_finite(features)):
            raise FeaturesError("The features or timestamps hold NaN or infinity: encode this video again.")
        if (np.diff(timestamps) <= 0).any() or timestamps[0] < 0:
            raise FeaturesError("The timestamps must be seconds from 0 on, each later than the one before.")
        if not isinstance(self.duration, Real):
            raise FeaturesError(f"The duration is {self.duration!r}: give a number of seconds, such as 30.0.")
        if not (np.isfinite(self.duration) and self.duration > timestamps[-1]):
            raise FeaturesError(
                f"The duration {self.duration} s must be later than the last frame, {timestamps[-1]:.3f} s."
            )

    def compute_once(self, what: Hashable, compute: Callable[[], Computed]) -> Computed:
        """What `compute` gives for this video, computed once and kept with it. It should be small: nobody counts it."""
        if what not in self._computed:
            self._computed[what] = compute()
        return self._computed[what]


def _check_real(name: str, values: Any) -> np.ndarray:
    """Values as torch can read them. Raises FeaturesError for what are no real numbers."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise FeaturesError(f"The {name} have rows of different lengths: give an array.") from error
    if array.dtype.kind not in "fiu":
        raise FeaturesError(f"The {name} are of type {array.dtype}: give real numbers, such as float32.")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _is_finite(features: np.ndarray) -> bool:
    """Whether all values are in float32, looked at block by block, so that no copy as long as the video is made."""
    blocks = (features[first : first + BLOCK] for first in range(0, len(features), BLOCK))
    with np.errstate(over="ignore"):
        return all(np.isfinite(block.astype(np.float32, copy=False)).all() for block in blocks)
