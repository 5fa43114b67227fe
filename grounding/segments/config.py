"""How segments are read off a curve of matching scores: a checkpoint's config holds one."""

from dataclasses import dataclass

import numpy as np

from grounding.validation import check_ranges

LONGEST = 600.0  # seconds that a curve or features may be averaged over


@dataclass(frozen=True)
class SegmentConfig:
    """How segments are read off a curve.

    Attributes:
        sharpness: if above 0, segments are read off the odds of the scores to this power, see `sharpen`; else off the
            scores as they are.
        smoothing: standard deviation of the Gaussian over the curve, seconds; 0 is none.
        thresholds: heights, as shares of the way from the lowest to the highest score, at which runs are cut out.
        changes: how many changes of the features become boundaries at most, the strongest first; 0 leaves them out.
        change_bonus: how much more a window counts for lying between two changes of full strength.
        surroundings: how far around a window the contrast looks, in lengths of the window, on either side.
        balance: exponent of w(1 - w), w the share of the video inside: 0.5 is Otsu's, 0 prefers the highest peak.
        windows: seconds on either side of an edge over which features are averaged before they are compared, so that
            only changes that last count, see `scene_changes`; then the segments after the best are scenes.
            Without any, neighbouring frames are compared.
        join: distance between the two sides at which two scenes meet as likely as not.
        coherence: how much a window loses for scenes that meet inside it; 0 is nothing. Needs `windows`.
        contrast: whether all windows between boundaries are candidates, by contrast; else only the stretches above a
            threshold are, by their mean score, and `change_bonus` to `balance` and `coherence` are not read.
        others_share: share of the video that the segments after the best last at least, up to 8 s.
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
    others_share: float = 0.05
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
                "others_share": (0 <= self.others_share <= 1, "a share from 0 to 1"),
                "overlap": (0 <= self.overlap <= 1, "an IoU, from 0 to 1"),
            },
        )
